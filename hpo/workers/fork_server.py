"""The fork server: it prepares what an objective needs once, and every child is forked from it."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.errors import HpoError
from hpo.workers import objective_file
from hpo.workers.devices import thread_environment

if TYPE_CHECKING:
    from hpo.study_files.study_file import StudyFile

CONTEXT = multiprocessing.get_context("forkserver")
VARIABLE = "HPO_WARM"
PATIENCE_S = 4.0
_WARM = "hpo.workers.warm"  # not imported here: all of a worker comes with it


@dataclass(frozen=True)
class Warmth:
    """What the fork server prepares.

    Attributes:
        torch: Whether the objective imports torch or the trainer.
        trainer: Whether the objective imports the trainer.
        settings: What the study fixes, for the trainer's data and kernels.
    """

    torch: bool = False
    trainer: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """As the environment variable holds it."""
        return json.dumps(asdict(self))


def prepare_for(file: StudyFile, project: Path) -> None:
    """Start the fork server for a study's objective, if none runs yet; it prepares itself alone.

    Raises:
        ObjectiveError: The objective's file is missing or cannot be read.
    """
    text = objective_file.read_text(file.objective, project)
    start_fork_server(warmth_of(file, text), file.threads or 1)


def warmth_of(file: StudyFile, objective_text: str) -> Warmth:
    """What the fork server should have ready for this objective."""
    names = objective_file.imports_of(objective_text)
    trainer = any(name.startswith("hpo.training") for name in names)
    torch = trainer or any(name.split(".")[0] == "torch" for name in names)
    settings = {**file.fixed, **(file.baseline or {})} if trainer else {}
    return Warmth(torch, trainer, settings)


def start_fork_server(warmth: Warmth, threads: int) -> None:
    """Start the fork server, if none runs yet; it prepares itself while we go on.

    It ignores SIGINT from its first moment, and so do its children: Ctrl-C reaches every process
    of the terminal, and ending the workers is the supervisor's business.
    """
    os.environ.update(thread_environment(threads))
    os.environ[VARIABLE] = warmth.text()
    CONTEXT.set_forkserver_preload([_WARM])
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        from multiprocessing import forkserver

        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)


def call_in_child(
    function: Callable[..., Any], *args: Any, on_wait: Callable[[], None] | None = None
) -> Any:
    """Run a function of ours in a forked child, and return or raise what it did.

    `on_wait` is called once if that takes long: the fork server may be preparing itself still.

    Raises:
        HpoError: What the function raised, of the same class.
    """
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_call_main, args=(theirs, function, args), daemon=True)
    process.start()
    theirs.close()
    if on_wait is not None and not ours.poll(PATIENCE_S):
        on_wait()
    try:
        is_good, result = ours.recv()
    except EOFError:
        process.join()
        raise HpoError(
            f"A child process ended with exit code {process.exitcode} before it had an answer."
        ) from None
    process.join()
    if not is_good:
        raise result
    return result


def _call_main(pipe: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        answer: tuple[bool, Any] = (True, function(*args))
    except HpoError as error:
        answer = (False, error.with_traceback(None))
    with suppress(OSError):  # the parent is gone
        pipe.send(answer)
