"""Worker processes: started from a warm fork server, each with a pipe and a log of its own."""

from __future__ import annotations

import multiprocessing
import os
import platform
import re
import secrets
import signal
import socket
import sys
import traceback
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from hpo.databases.storage import storage_errors
from hpo.errors import HpoError
from hpo.ledger.points import WorkerIdentity
from hpo.workers import warm
from hpo.workers.devices import Slot, thread_environment
from hpo.workers.worker import TRIAL_TITLE, Event, Job, work

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

LOG_FOLDER = "hpo-logs"
N_LOG_LINES = 40
PATIENCE_S = 4.0
_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass
class WorkerProcess:
    """A running worker as its supervisor sees it.

    Attributes:
        process: The child.
        pipe: Events come out of it, commands go into it.
        slot: Where the worker runs.
        job: What it was told.
        trial: The number of the trial it is at work on.
        is_up: Whether it has opened its study.
        has_left: Whether it said that it was done.
        n_finished: Trials it has finished.
    """

    process: ForkServerProcess
    pipe: Connection
    slot: Slot
    job: Job
    trial: int | None = None
    is_up: bool = False
    has_left: bool = False
    n_finished: int = 0

    @property
    def name(self) -> str:
        """The worker's name."""
        return self.job.worker.name

    def kill(self) -> None:
        """End it now."""
        self.process.kill()

    def how_it_ended(self) -> str:
        """In words, once the process is gone."""
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"its worker was killed by {signal.Signals(-code).name}"
        return f"its worker ended with exit code {code}"


def identify(slot: Slot) -> WorkerIdentity:
    """A new worker's identity on this machine."""
    host = socket.gethostname()
    return WorkerIdentity(f"{host}/{slot.name}/{secrets.token_hex(3)}", host, machine_id())


def machine_id() -> str:
    """The running kernel, the same in all containers of a host and another after a restart."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"{platform.node()}-{uuid.getnode():x}"


def log_path(project: Path, study: str, worker: str) -> Path:
    """The log of one worker."""
    return project / LOG_FOLDER / _file_name(study) / f"{_file_name(worker.split('/', 1)[-1])}.log"


def trial_log(project: Path, study: str, worker: str, number: int) -> list[str]:
    """The last lines that a worker wrote during one trial; none where its log is not here."""
    try:
        text = log_path(project, study, worker).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith(TRIAL_TITLE)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        if lines[start].startswith(f"{TRIAL_TITLE}{number} "):
            return lines[start:end][-N_LOG_LINES:]
    return []


def start_fork_server(warmth: warm.Warmth, threads: int) -> None:
    """Start the fork server, if it does not run yet; it prepares itself while we go on.

    It ignores SIGINT from its first moment, and so do its children: Ctrl-C reaches every process
    of the terminal, and ending the workers is the supervisor's business.
    """
    os.environ.update(thread_environment(threads))
    os.environ[warm.VARIABLE] = warmth.text()
    _CONTEXT.set_forkserver_preload([warm.__name__])
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        from multiprocessing import forkserver

        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)


def start_worker(slot: Slot, job: Job) -> WorkerProcess:
    """Fork a worker from the server."""
    ours, theirs = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_worker_main, args=(job, theirs), daemon=True)
    process.start()
    theirs.close()
    return WorkerProcess(process, ours, slot, job)


def call_in_child(
    function: Callable[..., Any], *args: Any, on_wait: Callable[[], None] | None = None
) -> Any:
    """Run a function of ours in a forked child, and return or raise what it did.

    `on_wait` is called once if that takes long: the fork server may be preparing itself still.

    Raises:
        HpoError: What the function raised, of the same class.
    """
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_call_main, args=(theirs, function, args), daemon=True)
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


def _worker_main(job: Job, pipe: Connection) -> None:
    if job.log is not None:
        _redirect_output(job.log)

    def send(event: Event) -> None:
        try:
            pipe.send(event)
        except OSError:  # the parent is gone; the keeper ends this worker
            return

    try:
        with storage_errors(job.url):
            work(job, send, pipe)
    except HpoError as error:
        print(f"The worker ends: {error}", file=sys.stderr)  # noqa: T201
        send({"event": "worker_failed", "reason": str(error)})
        sys.exit(1)
    except (Exception, SQLAlchemyError, StorageInternalError) as error:
        traceback.print_exc()
        send({"event": "worker_failed", "reason": f"{type(error).__name__}: {error}"})
        sys.exit(1)
    send({"event": "worker_down"})


def _redirect_output(log: Path) -> None:
    """Point standard output and error, of libraries too, at the worker's log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for standard in (1, 2):
        os.dup2(opened, standard)
    os.close(opened)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text)
