"""The fork server: it prepares what an objective needs once, and every child is forked from it."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from multiprocessing import forkserver, resource_tracker
from typing import TYPE_CHECKING, Any

from hpo.workers.devices import thread_environment
from hpo.workers.objective_file import ObjectiveSource, imports_of
from hpo.workers.process_groups import WATCHER
from hpo.workers.signals import ENDING_SIGNALS

if TYPE_CHECKING:
    from hpo.study_files.study_file import StudyFile

CONTEXT = multiprocessing.get_context("forkserver")
VARIABLE = "HPO_PRELOAD"
_PRELOAD = "hpo.workers.preload"  # not imported here: all of a worker comes with it


@dataclass(frozen=True)
class Preload:
    """What the fork server has ready for its children.

    Attributes:
        torch: Whether the objective imports torch or the trainer.
        trainer: Whether the objective imports the trainer.
        settings: What the study fixes, for the trainer's data and kernels.
    """

    torch: bool = False
    trainer: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


def start(file: StudyFile, objective: ObjectiveSource) -> None:
    """Start the fork server for a study's objective, if none runs yet; it preloads meanwhile.

    Args:
        file: The study.
        objective: Its objective, which is not run here: its imports say what to preload.
    """
    os.environ.update(thread_environment(file.threads or 1))
    os.environ[VARIABLE] = json.dumps(asdict(_preload_of(file, objective.text)))
    CONTEXT.set_forkserver_preload([_PRELOAD])
    ensure_running()


def _preload_of(file: StudyFile, objective_text: str) -> Preload:
    names = imports_of(objective_text)
    trainer = any(name.startswith("hpo.training") for name in names)
    torch = trainer or any(name.split(".")[0] == "torch" for name in names)
    settings = {**file.fixed, **(file.baseline or {})} if trainer else {}
    return Preload(torch, trainer, settings)


def ensure_running() -> None:
    """Start the fork server and the watcher, or others in their place."""
    WATCHER.ensure_running()
    old = _server_pid()
    if old is not None and how_server_ended() is None:
        return
    # They are blocked in what is started meanwhile; here, one that comes now is met afterwards.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        resource_tracker.ensure_running()  # without the mark: it cleans up and ends by itself
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)  # the tracker unblocked some
        with WATCHER.marking():
            forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    new = _server_pid()
    assert new is not None
    if old not in (None, new):
        WATCHER.end(old)
    WATCHER.add(new)


def _server_pid() -> int | None:
    pid: int | None = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined] # noqa: SLF001
    return pid


def how_server_ended(options: int = os.WNOHANG) -> str | None:
    """How the fork server ended, in words; None while it runs."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return "ended unexpectedly"
    pid = _server_pid()
    assert pid is not None
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | options)
    if ended is None:
        return None
    by_itself = ended.si_code == os.CLD_EXITED
    return how_ended(ended.si_status if by_itself else -ended.si_status)


def how_ended(code: int | None) -> str:
    """A process's end in words.

    Args:
        code: Its exit code, or the negative number of the signal that killed it.
    """
    if code is not None and code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
