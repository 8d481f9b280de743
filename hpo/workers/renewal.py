"""The thread of a worker that renews its lease, and listens for what must end its trial.

The objective meets what was heard at its next `report`, `should_prune` or `suggest_*`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Self

from hpo.errors import StudyGone
from hpo.ledger import presence
from hpo.ledger.fences import LeaseLost
from hpo.ledger.ledger import RENEWAL_S, Ledger
from hpo.ledger.points import Claim, WorkerIdentity
from hpo.workers.signals import HEARD

POLL_S = 1.0
ORPHAN_S = 0.5  # how long a worker lives on without its parent, to hear of it at a report
EXCUSE_S = 2.0  # how long a trial that failed after a signal waits for a request to stop
STOP = "stop"

_logger = logging.getLogger(__name__)


class StopTrial(BaseException):
    """The study is being stopped; the point goes back unharmed.

    A BaseException, so that an objective's `except Exception` does not swallow it.
    """


class LeaseState:
    """What is known of a worker's lease, shared between the running trial and its renewer.

    Attributes:
        claim: The claim that the worker holds; None between two trials.
        is_lost: Whether the point was given to somebody else.
        stop_reason: Why the study is being stopped; None while it is not.
    """

    def __init__(self) -> None:
        self.claim: Claim | None = None
        self.is_lost = False
        self.stop_reason: str | None = None

    def check(self) -> None:
        """Return, or end the trial.

        Raises:
            LeaseLost: The point was given to somebody else.
            StopTrial: The study is being stopped.
        """
        if self.is_lost:
            raise LeaseLost
        if self.stop_reason is not None:
            raise StopTrial(self.stop_reason)

    def excuse(self) -> None:
        """After a trial that failed: return, or end it as one that was stopped meanwhile.

        A signal to every process of a machine may reach what the objective has started, and fail
        it, before our supervisor has told us to stop.

        Raises:
            LeaseLost: The point was given to somebody else.
            StopTrial: The study is being stopped.
        """
        deadline = time.monotonic() + EXCUSE_S
        while HEARD.is_recent() and self.stop_reason is None and time.monotonic() < deadline:
            time.sleep(0.05)
        self.check()


class LeaseRenewer(threading.Thread):
    """Renews a worker's lease and its sign of life, while the context lasts, and listens.

    It listens to the worker's parent, to `hpo stop` and to a study that is deleted.

    Args:
        ledger: The study's points.
        worker: Whose lease.
        lease: Told of what was heard.
        since: Requests to stop that are older, by the database's clock, are not for this worker.
        commands: The pipe from the parent; its end means that the parent is gone. None in-process.
        abandon: Called when the parent is gone and the objective has not ended in time.
    """

    def __init__(
        self,
        ledger: Ledger,
        worker: WorkerIdentity,
        lease: LeaseState,
        since: float,
        commands: Connection | None,
        abandon: Callable[[], None],
    ) -> None:
        super().__init__(name="hpo-lease-renewer", daemon=True)
        self._ledger, self._worker, self._lease = ledger, worker, lease
        self._since, self._commands, self._abandon = since, commands, abandon
        self._next_renewal = time.monotonic() + RENEWAL_S
        self._orphaned_at: float | None = None
        self._is_closing = False
        self._wake_up, self._waker = Pipe(duplex=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closing = True
        self._waker.send(None)
        self.join()

    @contextmanager
    def renewing(self, claim: Claim) -> Iterator[None]:
        """Renew the lease of a claim that was made just now."""
        self._lease.claim, self._lease.is_lost = claim, False
        try:
            yield
        finally:
            self._lease.claim = None

    def run(self) -> None:
        """Listen and renew until closed."""
        while True:
            self._listen()
            if self._is_closing:
                return
            try:
                self._look_for_stop()
                self._renew()
            except StudyGone as gone:
                self._lease.stop_reason = str(gone)
            except Exception as error:  # the trial goes on: its lease may still be good
                _logger.warning("The lease could not be renewed: %s", error)
            if self._orphaned_at and time.monotonic() > self._orphaned_at + ORPHAN_S:
                self._abandon()

    def _listen(self) -> None:
        if self._commands is None or self._orphaned_at is not None:
            self._wake_up.poll(POLL_S if self._orphaned_at is None else ORPHAN_S)
            return
        ready = wait([self._commands, self._wake_up], POLL_S)
        try:
            if self._commands in ready and self._commands.recv() == STOP:
                self._lease.stop_reason = self._lease.stop_reason or "the study was stopped"
        except (EOFError, OSError):
            self._lease.stop_reason = "the process that started the worker is gone"
            self._orphaned_at = time.monotonic()

    def _look_for_stop(self) -> None:
        if self._lease.stop_reason is None:
            self._lease.stop_reason = self._ledger.stop_requested(self._since)

    def _renew(self) -> None:
        if time.monotonic() < self._next_renewal:
            return
        presence.stay(self._ledger, self._worker)
        claim = self._lease.claim
        if claim is not None and not self._ledger.renew(claim) and self._lease.claim is claim:
            self._lease.is_lost = True
        self._next_renewal = time.monotonic() + RENEWAL_S
