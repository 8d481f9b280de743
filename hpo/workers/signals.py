"""The signals that ask a run to stop: noted for a loop that acts on them, or raised."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# What a terminal, or a machine going down, sends to every process. Only `hpo` itself acts on it.
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LEAVE_S = 2.0  # how long a process that is done may take to end: a thread may keep it
RECENT_S = 10.0

Handler = Callable[[int, FrameType | None], None]


class Heard:
    """Signals that a child has left to its parent."""

    def __init__(self) -> None:
        self._at = float("-inf")

    def note(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """One has come."""
        self._at = time.monotonic()

    def is_recent(self) -> bool:
        """Whether one has come just now."""
        return time.monotonic() < self._at + RECENT_S


HEARD = Heard()


class SignalNotes:
    """How often the user asked to stop, and whether to pause."""

    def __init__(self) -> None:
        self.count = 0
        self.is_pause_wanted = False

    def note(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Count one; the loop will see it, and after the second it waits for no database."""
        from hpo.databases.atomic_storage import hurry

        self.count += 1
        if self.count > 1:
            hurry.set()

    def note_pause(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Ctrl-Z."""
        self.is_pause_wanted = True


@contextmanager
def noting_signals() -> Iterator[SignalNotes]:
    """Note the signals that ask to stop or to pause instead of heeding them."""
    from hpo.databases.atomic_storage import hurry

    notes = SignalNotes()
    try:
        with ending_signals(notes.note), _handler(signal.SIGTSTP, notes.note_pause):
            yield notes
    finally:
        hurry.clear()


@contextmanager
def interrupting() -> Iterator[None]:
    """Let each of the signals that ask to stop raise KeyboardInterrupt, as Ctrl-C does."""
    with ending_signals(signal.default_int_handler):
        yield


@contextmanager
def ending_signals(handler: Handler) -> Iterator[None]:
    """Have a handler for SIGINT, SIGTERM and SIGHUP, and none write to a terminal that is gone.

    SIGINT is heeded in a shell's background job, too, where it is ignored at the start.
    """
    terminals = [fd for fd in (1, 2) if os.isatty(fd)]

    def handle(signum: int, frame: FrameType | None) -> None:
        for fd in terminals:
            if not os.isatty(fd):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, fd)
                os.close(nowhere)
        handler(signum, frame)

    sigint, sigterm, sighup = ENDING_SIGNALS
    with _handler(sigint, handle), _handler(sigterm, handle):
        if signal.getsignal(sighup) is signal.SIG_IGN:  # nohup
            yield
        else:
            with _handler(sighup, handle):
                yield


@contextmanager
def _handler(signum: signal.Signals, handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signum, handler)
    try:
        yield
    finally:
        signal.signal(signum, before)
