"""Worker processes: started from a warm fork server, each with a pipe and a log of its own."""

from __future__ import annotations

import os
import platform
import secrets
import socket
import sys
import traceback
import uuid
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from hpo.databases.storage import storage_errors
from hpo.errors import HpoError
from hpo.events import Event, WorkerDown, WorkerFailed
from hpo.ledger.points import WorkerIdentity
from hpo.workers.children import (
    has_lost_server,
    how_child_ended,
    kill_child,
    start_child,
)
from hpo.workers.devices import Slot
from hpo.workers.fork_server import CONTEXT
from hpo.workers.job import Job
from hpo.workers.logs import redirect_output
from hpo.workers.worker import work

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess


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
        left_at: When it said so, or that it could not work, by the monotonic clock.
        n_finished: Trials it has finished.
    """

    process: ForkServerProcess
    pipe: Connection
    slot: Slot
    job: Job
    trial: int | None = None
    is_up: bool = False
    has_left: bool = False
    left_at: float | None = None
    n_finished: int = 0

    @property
    def name(self) -> str:
        """The worker's name."""
        return self.job.worker.name

    def kill(self) -> None:
        """End it now, if it is there still, and all that it started."""
        kill_child(self.process)

    def signal(self, signum: int) -> None:
        """Send a signal to it and to all that it started."""
        assert self.process.pid is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signum)

    @property
    def has_lost_its_server(self) -> bool:
        """Whether the process counts as ended only because the fork server is gone."""
        return has_lost_server(self.process)

    def how_it_ended(self) -> str:
        """In words, once the process is gone."""
        return f"its worker {how_child_ended(self.process)}"


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


def start_worker(slot: Slot, job: Job) -> WorkerProcess:
    """Fork a worker from the server."""
    ours, theirs = CONTEXT.Pipe()
    process = start_child(_worker_main, job, theirs)
    theirs.close()
    return WorkerProcess(process, ours, slot, job)


def _worker_main(job: Job, pipe: Connection) -> None:
    if job.log is not None:
        redirect_output(job.log)

    def send(event: Event) -> None:
        try:
            pipe.send(event)
        except OSError:  # the parent is gone; the lease renewer ends this worker
            return

    try:
        with storage_errors(job.url):
            work(job, send, pipe)
    except HpoError as error:
        traceback.print_exc()
        send(WorkerFailed(reason=str(error)))
        sys.exit(1)
    except (Exception, SQLAlchemyError, StorageInternalError) as error:
        traceback.print_exc()
        send(WorkerFailed(reason=f"{type(error).__name__}: {error}"))
        sys.exit(1)
    send(WorkerDown())
