"""Children of the fork server: each leads a session, and is ended with all that it started."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hpo.errors import HpoError
from hpo.workers.fork_server import (
    CONTEXT,
    ensure_running,
    how_ended,
    how_server_ended,
)
from hpo.workers.process_groups import WATCHER
from hpo.workers.signals import ENDING_SIGNALS, HEARD, LEAVE_S

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

PATIENCE_S = 4.0
_UNKNOWN = 255  # the exit code of a child whose fork server is gone


class ChildEnded(HpoError):
    """A child process ended before it had an answer; the message says how."""


def start_child(function: Callable[..., None], *args: Any) -> ForkServerProcess:
    """Fork a child that calls a function of ours, and leads a session of its own.

    Raises:
        HpoError: The fork server died.
    """
    ensure_running()
    # Not daemonic: a daemonic process may have no children.
    process = CONTEXT.Process(target=_child_main, args=(function, args), daemon=False)
    try:
        with _without_main_module():
            process.start()
    except (EOFError, ConnectionError):
        raise HpoError(
            f"The fork server {how_server_ended(0)} while it prepared what the objective "
            "needs (imports, data, kernels). Being killed often means that memory ran out."
        ) from None
    assert process.pid is not None
    WATCHER.add(process.pid)
    return process


@contextmanager
def _without_main_module() -> Iterator[None]:
    """Let children not import the script that runs us: it may run us again, unguarded."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def kill_child(process: ForkServerProcess) -> None:
    """End a child, and all that it started, now."""
    assert process.pid is not None
    if process.exitcode is None or has_lost_server(process):
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)  # it may not lead its session yet
    WATCHER.end(process.pid)


def how_child_ended(process: ForkServerProcess) -> str:
    """A child's end in words, once it is gone or the fork server is."""
    if has_lost_server(process):
        return f"lost its fork server, which {how_server_ended()}"
    return how_ended(process.exitcode)


def has_lost_server(process: ForkServerProcess) -> bool:
    """Whether nobody knows how a child ended, or that it did, because the fork server is gone."""
    return process.exitcode == _UNKNOWN and how_server_ended() is not None


def _child_main(function: Callable[..., None], args: tuple[Any, ...]) -> None:
    os.setsid()
    multiprocessing.set_start_method(None, force=True)  # the platform's own, not the fork server
    _leave_ending_signals()
    function(*args)


def _leave_ending_signals() -> None:
    """Leave them to the parent; what the objective starts meets them as ever."""
    for number in ENDING_SIGNALS:  # not SIG_IGN, which programs that are started would inherit
        signal.signal(number, HEARD.note)
    os.register_at_fork(
        before=_hold_ending_signals,
        after_in_parent=_restore_mask,
        after_in_child=_heed_ending_signals,
    )
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)  # blocked in the fork server


_forking = threading.local()


def _hold_ending_signals() -> None:
    """One that meets a fork before it heeds them must not be lost on it."""
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)


def _restore_mask() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _heed_ending_signals() -> None:
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    _restore_mask()


def call_in_child(
    function: Callable[..., Any], *args: Any, on_wait: Callable[[], None] = lambda: None
) -> Any:
    """Run a function of ours in a forked child, and return or raise what it did.

    `on_wait` is called once if that takes long: the fork server may be preparing itself still.

    Raises:
        ChildEnded: The child ended before it had an answer.
        HpoError: What the function raised, of the same class; or the fork server died.
    """
    reminder = threading.Timer(PATIENCE_S, on_wait)
    reminder.start()
    try:
        is_good, result = _ask_child(function, args)
    finally:
        reminder.cancel()
    if not is_good:
        raise result
    return result


def _ask_child(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[bool, Any]:
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = start_child(_answer, theirs, function, args)
    theirs.close()
    answer: tuple[bool, Any] | None = None
    try:
        wait([ours, process.sentinel])
        with suppress(EOFError):
            answer = ours.recv() if ours.poll() else None
        process.join(LEAVE_S)
    finally:
        kill_child(process)
        process.join()
        ours.close()
    if answer is not None:
        return answer
    how = how_child_ended(process)
    if has_lost_server(process):
        raise HpoError(f"A child process had no answer: it {how}.")
    raise ChildEnded(how)


def _answer(pipe: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        answer: tuple[bool, Any] = (True, function(*args))
    except HpoError as error:
        answer = (False, error.with_traceback(None))
    with suppress(OSError):  # the parent is gone
        pipe.send(answer)
