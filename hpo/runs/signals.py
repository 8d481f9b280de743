"""Notes SIGINT and SIGTERM for a loop that acts on them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from hpo.databases.atomic_storage import hurry


class SignalNotes:
    """How often the user asked to stop."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Count one; the loop will see it, and after the second it waits for no database."""
        self.count += 1
        if self.count > 1:
            hurry.set()


@contextmanager
def noting_signals() -> Iterator[SignalNotes]:
    """Note SIGINT and SIGTERM instead of dying from them."""
    notes = SignalNotes()
    if threading.current_thread() is not threading.main_thread():
        yield notes
        return
    before = {s: signal.signal(s, notes.note) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield notes
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        hurry.clear()
