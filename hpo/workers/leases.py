"""How a lost lease or a request to stop reaches a running objective.

A thread of the worker renews the lease and listens; the objective meets the result at its next
`report`, `should_prune` or `suggest_*`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait

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


class Lease:
    """What the keeper has learnt and the objective must know."""

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


class Keeper(threading.Thread):
    """Renews the lease of the worker's trial and the worker's own sign of life, and listens.

    It listens to the worker's parent, to `hpo stop` and to a study that is deleted.

    Args:
        ledger: The study's points.
        worker: Who is kept alive.
        lease: Shared with the trial.
        since: Requests to stop that are older, by the database's clock, are not for this worker.
        commands: The pipe from the parent; its end means that the parent is gone. None in-process.
        abandon: Called when the parent is gone and the objective has not ended in time.
    """

    def __init__(
        self,
        ledger: Ledger,
        worker: WorkerIdentity,
        lease: Lease,
        since: float,
        commands: Connection | None,
        abandon: Callable[[], None],
    ) -> None:
        super().__init__(name="hpo-keeper", daemon=True)
        self._ledger, self._worker = ledger, worker
        self._lease, self._since = lease, since
        self._commands, self._abandon = commands, abandon
        self._renewed = self._seen = time.monotonic()
        self._orphaned_at: float | None = None
        self._is_closing = False
        self._wake_up, self._waker = Pipe(duplex=False)

    def hold(self, claim: Claim | None) -> None:
        """Start keeping a claim that was made just now, or keep none."""
        self._renewed = time.monotonic()
        self._lease.is_lost = False
        self._lease.claim = claim

    def close(self) -> None:
        """End the thread."""
        self._is_closing = True
        self._waker.send(None)
        self.join()

    def run(self) -> None:
        """Listen and renew until closed."""
        while True:
            self._listen()
            if self._is_closing:
                return
            try:
                self._look_for_stop()
                self._stay()
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

    def _stay(self) -> None:
        if time.monotonic() >= self._seen + RENEWAL_S:
            presence.stay(self._ledger, self._worker)
            self._seen = time.monotonic()

    def _renew(self) -> None:
        claim = self._lease.claim
        if claim is None or time.monotonic() < self._renewed + RENEWAL_S:
            return
        is_held = self._ledger.renew(claim)
        self._renewed = time.monotonic()
        if not is_held and self._lease.claim is claim:
            self._lease.is_lost = True
