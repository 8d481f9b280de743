"""One worker a device slot: starts them, hears them, restarts the lost, ends them all.

Signal handlers only note the signal; the loop acts on it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from hpo.errors import StudyGone
from hpo.events import (
    OnEvent,
    Stopping,
    TrialDropped,
    TrialEnded,
    TrialFailed,
    TrialFinished,
    TrialReleased,
    TrialStarted,
    Waiting,
    WorkerDown,
    WorkerEvent,
    WorkerFailed,
    WorkerLost,
    WorkerUp,
)
from hpo.ledger import presence
from hpo.ledger.points import FAILED, Reaped
from hpo.ledger.reaper import reap_expired, reap_worker
from hpo.ledger.stored_study import StoredStudy
from hpo.runs.endings import Ending, StopReason, ended, stopped, taken_back, timed_out
from hpo.runs.failures import Failures
from hpo.workers.devices import Slot
from hpo.workers.job import Job
from hpo.workers.logs import log_path
from hpo.workers.process_groups import WATCHER
from hpo.workers.processes import WorkerProcess, identify, start_worker
from hpo.workers.renewal import STOP
from hpo.workers.signals import LEAVE_S, SignalNotes, noting_signals

TICK_S = 0.2
REAP_EVERY_S = 5.0
LOOK_FOR_STOP_EVERY_S = 1.0
GIVE_UP_AFTER = 5  # workers of one slot lost in a row without a finished trial
SAY_AFTER_S = 1.0  # after a request to stop: who is waited for


@dataclass(frozen=True)
class RunOptions:
    """What the workers of one run are told.

    Attributes:
        project: The folder that objective paths are relative to.
        timeout_s: Stop after this many seconds.
        objective_changed: A hash of the accepted changed objective.
    """

    project: Path
    timeout_s: float | None = None
    objective_changed: str | None = None


class Supervisor:
    """Runs a study on device slots until its points are done or it is told to stop."""

    def __init__(
        self, stored: StoredStudy, slots: Sequence[Slot], options: RunOptions, on_event: OnEvent
    ) -> None:
        self._stored, self._slots, self._options = stored, list(slots), options
        self._ledger, self._file = stored.ledger, stored.file
        self._on_event = on_event
        self._workers: list[WorkerProcess] = []
        self._losses: dict[Slot, int] = {}
        self._since = self._ledger.clock()
        self._started = time.monotonic()
        self._stop: Ending | None = None
        self._stop_deadline = self._say_at = float("inf")
        self._next_reap = self._next_look = 0.0
        self._failures = Failures(self._file.max_failures)

    def run(self) -> Ending:
        """Supervise until the end; no worker outlives this call."""
        with noting_signals() as notes:
            try:
                while self._tick(notes):
                    self._hear()
            finally:
                self._kill_all()
        return self._stop or ended(self._ledger.counts())

    def _tick(self, notes: SignalNotes) -> bool:
        """Decide; False when the run is over."""
        now = time.monotonic()
        WATCHER.ensure_running()
        self._heed_signals(notes)
        self._heed_limits(now)
        self._part_from_those_who_left(now)
        if now >= self._next_reap and self._stop is None:
            self._next_reap = now + REAP_EVERY_S
            spare = [worker.name for worker in self._workers]
            self._announce(reap_expired(self._ledger, self._file.retries, spare))
        if self._stop is None:
            return self._keep_working()
        if now > self._stop_deadline or notes.count > 1:
            self._kill_all()
        elif now > self._say_at:
            self._say_who_is_awaited()
        return bool(self._workers)

    def _heed_signals(self, notes: SignalNotes) -> None:
        if notes.is_pause_wanted:
            notes.is_pause_wanted = False
            self._pause()
        if notes.count and (self._stop is None or self._stop.why is not StopReason.INTERRUPTED):
            self._stop_all(StopReason.INTERRUPTED, "interrupted")

    def _heed_limits(self, now: float) -> None:
        if self._stop is not None:
            return
        if self._failures.are_too_many():
            self._stop_all(StopReason.FAILURES, str(self._failures))
            return
        timeout_s = self._options.timeout_s
        if timeout_s is not None and now > self._started + timeout_s:
            self._stop_all(*timed_out(timeout_s))
        elif now >= self._next_look:
            self._next_look = now + LOOK_FOR_STOP_EVERY_S
            try:
                asked = self._ledger.stop_requested(self._since)
            except StudyGone as gone:
                self._stop_all(StopReason.ERROR, str(gone))
                return
            if asked is not None:
                self._stop_all(*stopped(asked))

    def _keep_working(self) -> bool:
        """Start workers where points are free; False when none is open any more."""
        busy = {worker.slot for worker in self._workers}
        idle = [slot for slot in self._slots if slot not in busy and not self._is_given_up(slot)]
        if not idle and self._workers:
            return True
        counts = self._ledger.counts()
        if not self._workers:
            if counts.free == 0 and counts.leased == 0:
                return False
            if counts.free and not idle:
                reason = "every worker was lost again and again without finishing a trial"
                self._stop_all(StopReason.FAILURES, f"{reason}: {self._failures.first}")
                return True
        without_trial = sum(worker.trial is None for worker in self._workers)
        for slot in idle[: max(0, counts.free - without_trial)]:
            self._start(slot)
        return True

    def _is_given_up(self, slot: Slot) -> bool:
        return self._losses.get(slot, 0) >= GIVE_UP_AFTER

    def _start(self, slot: Slot) -> None:
        identity = identify(slot)
        log = log_path(self._options.project, self._stored.name, identity.name)
        job = Job(
            url=self._stored.storage.url,
            study=self._stored.name,
            plan_id=self._stored.plan_id,
            project=self._options.project,
            worker=identity,
            device=slot.seen_as,
            environment=slot.environment,
            since=self._since,
            log=log,
            objective_changed=self._options.objective_changed,
        )
        self._workers.append(start_worker(slot, job))

    def _hear(self) -> None:
        """Wait a moment for events and for workers that end."""
        if not self._workers:
            time.sleep(TICK_S)
            return
        pipes: dict[Any, WorkerProcess] = {w.pipe: w for w in self._workers}
        gone: dict[Any, WorkerProcess] = {w.process.sentinel: w for w in self._workers}
        ready = wait([*pipes, *gone], TICK_S)
        for worker in [pipes[item] for item in ready if item in pipes]:
            self._drain(worker)
        for worker in [gone[item] for item in ready if item in gone]:
            self._bury(worker)

    def _drain(self, worker: WorkerProcess) -> None:
        try:
            while worker.pipe.poll():
                self._note(worker, worker.pipe.recv())
        except (EOFError, OSError):
            return

    def _note(self, worker: WorkerProcess, event: WorkerEvent) -> None:
        if isinstance(event, TrialStarted):
            worker.trial = event.trial
        elif isinstance(event, TrialEnded | TrialReleased | TrialDropped):
            worker.trial = None
            self._count(worker, event)
        elif isinstance(event, WorkerFailed):
            self._stop_all(StopReason.ERROR, event.reason)
        elif isinstance(event, WorkerDown):
            self._next_look = 0.0  # it may have ended the study: look before another is started
            worker.has_left = True
        if isinstance(event, WorkerDown | WorkerFailed):
            worker.left_at = time.monotonic()
        worker.is_up = worker.is_up or isinstance(event, WorkerUp)
        self._emit(worker, event)

    def _count(self, worker: WorkerProcess, event: WorkerEvent) -> None:
        if isinstance(event, TrialFinished):
            self._losses[worker.slot] = 0
            worker.n_finished += 1
            self._failures.succeed()
        elif isinstance(event, TrialFailed):
            self._failures.fail(event.trial, event.reason or "")

    def _bury(self, worker: WorkerProcess) -> None:
        """A worker's process is gone: hear its last words and take back what it held."""
        worker.process.join()
        worker.kill()  # what it has left
        self._drain(worker)
        worker.pipe.close()
        self._workers.remove(worker)
        if worker.has_left:
            return
        why = worker.how_it_ended()
        is_loss = self._stop is None and not worker.has_lost_its_server
        if self._stop is None:
            self._losses[worker.slot] = self._losses.get(worker.slot, 0) + 1
            self._failures.lose(why)
            self._emit(worker, WorkerLost(reason=why))
        reason = why if is_loss else f"released: {self._stop.reason if self._stop else why}"
        retries = self._file.retries
        reaped = reap_worker(self._ledger, worker.name, reason, retries, is_loss=is_loss)
        presence.leave(self._ledger, worker.name)
        self._announce(reaped, worker)

    def _announce(self, reaped: Sequence[Reaped], worker: WorkerProcess | None = None) -> None:
        for point in reaped:
            event = taken_back(point)
            if worker is not None and isinstance(event, WorkerEvent):
                self._emit(worker, event)
            else:
                self._on_event(event)
            if point.state == FAILED:
                self._failures.fail(point.trial_number, point.reason)

    def _stop_all(self, why: StopReason, reason: str) -> None:
        """Ask every worker to stop; the first reason is kept, but an interruption outranks it."""
        if self._stop is None or why is StopReason.INTERRUPTED:
            self._stop = Ending(why, reason)
            self._stop_deadline = time.monotonic() + self._file.stop_grace_s
            self._say_at = time.monotonic() + SAY_AFTER_S
            self._on_event(Stopping(reason))
        for worker in self._workers:
            try:
                worker.pipe.send(STOP)
            except OSError:
                continue

    def _say_who_is_awaited(self) -> None:
        self._say_at = float("inf")
        awaited = {w.trial: w.slot.name for w in self._workers if w.trial is not None}
        is_interrupted = self._stop is not None and self._stop.why is StopReason.INTERRUPTED
        if awaited:
            self._on_event(Waiting(awaited, self._file.stop_grace_s, 1 if is_interrupted else 2))

    def _part_from_those_who_left(self, now: float) -> None:
        for worker in self._workers:
            if worker.left_at is not None and now > worker.left_at + LEAVE_S:
                worker.kill()

    def _pause(self) -> None:
        """Ctrl-Z: stop the workers, which the terminal does not reach, and go on with them."""
        for worker in self._workers:
            worker.signal(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        for worker in self._workers:
            worker.signal(signal.SIGCONT)

    def _kill_all(self) -> None:
        workers = list(self._workers)
        for worker in workers:  # all of them, before a database that is away holds us up
            self._stop = self._stop or Ending(StopReason.ERROR, "the supervisor failed")
            worker.kill()
        for worker in workers:
            self._bury(worker)

    def _emit(self, worker: WorkerProcess, event: WorkerEvent) -> None:
        self._on_event(replace(event, worker=worker.name, slot=worker.slot.name))
