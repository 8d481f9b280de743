"""One worker's life: claim a point, run the objective, tell, until nothing is free.

The same code runs in a child process and, for debugging, in the `hpo` process itself.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from multiprocessing.connection import Connection
from typing import Any

import optuna
from optuna.trial import BaseTrial, TrialState

from hpo.databases.atomic_storage import is_outage, patient
from hpo.databases.storage import open_storage
from hpo.errors import StudyGone
from hpo.events import (
    OnEvent,
    StepReported,
    TrialDropped,
    TrialFailed,
    TrialFinished,
    TrialReleased,
    TrialStarted,
    WorkerUp,
)
from hpo.ledger import presence
from hpo.ledger.fences import AlreadyClaimed, LeaseLost
from hpo.ledger.points import Claim, Outcome
from hpo.ledger.reaper import reap_worker
from hpo.ledger.stored_study import StoredStudy, find_stored
from hpo.plain import describe, plain_data
from hpo.plan import sampler_seed
from hpo.samplers.tpe import Histories
from hpo.study_files.components import make_pruner, make_sampler
from hpo.workers import limits, objective_file
from hpo.workers.artifacts import ArtifactKeeper
from hpo.workers.context import DEVICE_VARIABLE
from hpo.workers.job import Job
from hpo.workers.leases import Keeper, Lease, StopTrial
from hpo.workers.logs import TRIAL_TITLE, log_traceback, write_log
from hpo.workers.objective_file import LoadedObjective
from hpo.workers.outcomes import evaluate
from hpo.workers.trial import LeasedStudy, LeasedTrial

IDLE_S = 0.3

_logger = logging.getLogger(__name__)


def work(job: Job, send: OnEvent, commands: Connection | None = None) -> None:
    """Evaluate points until none is left or the study is stopped.

    Args:
        job: What to work on.
        send: Told of every event.
        commands: The pipe from the parent; its end means that the parent is gone.

    Raises:
        StudyGone: The study was deleted.
    """
    os.environ.update(job.environment)
    os.environ[DEVICE_VARIABLE] = job.device
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = patient(open_storage)(job.url)
    try:
        stored = find_stored(storage, job.study)
        if stored is None or stored.plan_id != job.plan_id:
            raise StudyGone(f"The study was deleted from {storage.name} while it ran.")
        with presence.present(stored.ledger, job.worker):
            objective = objective_file.load(stored.file.objective, job.project, job.function)
            objective_file.prepare(objective, {**stored.file.fixed, **(stored.file.baseline or {})})
            Worker(job, stored, objective, send).run(commands)
    finally:
        storage.close()


class Worker:
    """A worker that has opened its study and imported its objective."""

    def __init__(
        self, job: Job, stored: StoredStudy, objective: LoadedObjective, send: OnEvent
    ) -> None:
        self._job, self._stored, self._objective, self._send = job, stored, objective, send
        self._file, self._ledger = stored.file, stored.ledger
        self._distributions = self._file.distributions()
        self._lease = Lease()
        self._pruner = make_pruner(self._file)
        self._histories: Histories = {}
        self._artifacts = ArtifactKeeper(self._file, job.project, self._ledger.trial_numbers)

    def run(self, commands: Connection | None) -> None:
        """Work until nothing is free, then wait while other workers hold points."""
        presence.stay(self._ledger, self._job.worker)  # importing may have taken long
        keeper = Keeper(
            self._ledger,
            self._job.worker,
            self._lease,
            self._job.since,
            commands,
            abandon=self._abandon,
        )
        self._lease.stop_reason = self._ledger.stop_requested(self._job.since)
        keeper.start()
        self._send(WorkerUp(device=self._job.device, pid=os.getpid()))
        try:
            while self._lease.stop_reason is None:
                if not self._work_on_next(keeper):
                    break
        finally:
            keeper.close()

    def _work_on_next(self, keeper: Keeper) -> bool:
        """One point, or a short rest; False when all points are done."""
        attributes: dict[str, Any] = {"device": self._job.device}
        if self._job.objective_changed is not None:
            attributes["objective_changed"] = self._job.objective_changed
        try:
            claim = self._ledger.claim(self._job.worker, self._distributions, attributes)
        except Exception as error:
            # The claim may have been written, and only its acknowledgement lost.
            self._give_back("the database went away while the point was claimed")
            if is_outage(error) or isinstance(error, AlreadyClaimed):
                return True
            raise
        if claim is None:
            if self._ledger.counts().leased == 0:
                return False
            time.sleep(IDLE_S)
            return True
        keeper.hold(claim)
        try:
            self._evaluate(claim)
        finally:
            keeper.hold(None)
        return True

    def _evaluate(self, claim: Claim) -> None:
        study = self._open_study(claim)
        try:
            trial, outcome = self._run_trial(study, claim)
        except LeaseLost:
            self._drop(claim)
            return
        except StopTrial as stop:
            self._release(claim, str(stop))
            return
        ended = TrialFailed if outcome.state == TrialState.FAIL else TrialFinished
        self._send(
            ended(
                trial=trial.number,
                point=claim.number,
                state=outcome.state.name,
                values=None if outcome.values is None else list(outcome.values),
                # The parent knows none of the objective's own types.
                params=plain_data(trial.params, "the parameters"),
                run_time_s=outcome.attributes.get("run_time_s"),
                reason=outcome.reason,
            )
        )
        self._end_study_when_due(study)

    def _run_trial(self, study: LeasedStudy, claim: Claim) -> tuple[BaseTrial, Outcome]:
        """Bring a trial to its end, whatever its objective does or leaves behind.

        Raises:
            LeaseLost: The point was given to somebody else.
            StopTrial: The study is being stopped.
        """
        try:
            trial = self._begin(study, claim)
            outcome = evaluate(self._objective.function, trial, len(self._file.directions))
            if outcome.state == TrialState.FAIL:
                self._lease.excuse()
            if outcome.state == TrialState.COMPLETE:
                self._artifacts.keep(trial, outcome.values, trial.weights, trial.curves)
            trial.tell_sampler(outcome.state, outcome.values)
            self._ledger.finish(trial, claim, outcome)
        except (LeaseLost, StopTrial):
            raise
        except BaseException as error:
            if is_outage(error):
                raise
            log_traceback()
            return self._fail(claim, f"the trial cannot be finished: {describe(error)}")
        return trial, outcome

    def _begin(self, study: LeasedStudy, claim: Claim) -> LeasedTrial:
        trial = LeasedTrial(
            study,
            claim.trial_id,
            self._lease,
            self._must_ask(claim),
            on_report=lambda step, value: self._send(
                StepReported(trial=trial.number, step=step, value=value)
            ),
        )
        trial.study_file = self._file
        self._send(
            TrialStarted(
                trial=trial.number,
                point=claim.number,
                factor=claim.factor,
                level=claim.level,
                replicate=claim.replicate,
                seed=claim.seed,
            )
        )
        if self._job.log is not None:
            write_log(
                f"{TRIAL_TITLE}{trial.number} (point {claim.number}, attempt {claim.attempt})"
            )
        return trial

    def _open_study(self, claim: Claim) -> LeasedStudy:
        """The study loaded anew, so that nothing a sampler decides with outlives a point."""
        seed = sampler_seed(self._file, claim.number, claim.attempt)
        return LeasedStudy(
            study_name=self._stored.name,
            storage=self._stored.storage.optuna,
            sampler=make_sampler(self._file, seed, self._histories),
            pruner=self._pruner,
        )

    def _must_ask(self, claim: Claim) -> frozenset[str] | None:
        is_strict = self._file.method in ("grid", "controlled")
        return frozenset(claim.params) if is_strict and claim.params is not None else None

    def _fail(self, claim: Claim, reason: str) -> tuple[BaseTrial, Outcome]:
        """End a trial of which nothing is trusted, not even the object."""
        trial = self._stored.storage.optuna.get_trial(claim.trial_id)
        outcome = Outcome(TrialState.FAIL, reason=reason)
        self._ledger.finish(trial, claim, outcome)
        return trial, outcome

    def _end_study_when_due(self, study: LeasedStudy) -> None:
        reason = (
            "the objective ended the study"
            if study.is_stop_wanted
            else limits.reached(self._file, study, self._ledger.trial_numbers)
        )
        if reason is not None:
            self._ledger.request_stop(reason)
            self._lease.stop_reason = reason

    def _release(self, claim: Claim, reason: str) -> None:
        try:
            self._ledger.release(claim, f"released: {reason}")
        except (LeaseLost, optuna.exceptions.UpdateFinishedTrialError):
            self._drop(claim)
            return
        number = self._number(claim)
        self._send(TrialReleased(trial=number, point=claim.number))

    def _drop(self, claim: Claim) -> None:
        """The result of a lost lease counts for nothing; what is still held is given back."""
        number = self._number(claim)
        _logger.warning("Trial %d lost its lease; its result is dropped.", number)
        self._give_back("its lease was lost")
        self._send(TrialDropped(trial=number))

    def _number(self, claim: Claim) -> int:
        return self._stored.storage.optuna.get_trial(claim.trial_id).number

    def _give_back(self, reason: str) -> None:
        name = self._job.worker.name
        reap_worker(self._ledger, name, reason, self._file.retries, is_loss=False)

    def _abandon(self) -> None:
        """End this process: the parent is gone and the objective does not listen."""
        self._give_back("the process that started its worker is gone")
        presence.leave(self._ledger, self._job.worker.name)
        os.killpg(0, signal.SIGKILL)  # and what the objective has started
