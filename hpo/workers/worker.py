"""One worker's life: claim a point, run the objective, tell, until nothing is free.

The same code runs in a child process and, for debugging, in the `hpo` process itself.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from multiprocessing.connection import Connection

import optuna
from optuna.trial import BaseTrial, TrialState

from hpo.databases.atomic_storage import is_outage, patient
from hpo.databases.storage import open_storage
from hpo.errors import StudyGone
from hpo.events import (
    OnEvent,
    TrialDropped,
    TrialEnded,
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
from hpo.workers.logs import TRIAL_TITLE, log_traceback, write_log
from hpo.workers.objective_file import LoadedObjective
from hpo.workers.outcomes import evaluate
from hpo.workers.renewal import LeaseRenewer, LeaseState, StopTrial
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
        self._attributes = {"device": job.device}
        if job.objective_changed is not None:
            self._attributes["objective_changed"] = job.objective_changed
        self._lease = LeaseState()
        self._pruner = make_pruner(self._file)
        self._histories: Histories = {}
        self._artifacts = ArtifactKeeper(self._file, job.project, self._ledger.trial_numbers)

    def run(self, commands: Connection | None) -> None:
        """Claim points and run their trials until no point is open or the study is stopped."""
        ledger, job, lease = self._ledger, self._job, self._lease
        presence.stay(ledger, job.worker)  # importing may have taken long
        lease.stop_reason = ledger.stop_requested(job.since)
        with LeaseRenewer(ledger, job.worker, lease, job.since, commands, self._abandon) as renewer:
            self._send(WorkerUp(device=job.device, pid=os.getpid()))
            while lease.stop_reason is None:
                claim = self._claim()
                if claim is not None:
                    with renewer.renewing(claim):
                        self._run_trial(claim)
                elif ledger.counts().n_open:  # other workers hold them and may give them back
                    time.sleep(IDLE_S)
                else:
                    break

    def _claim(self) -> Claim | None:
        try:
            return self._ledger.claim(self._job.worker, self._distributions, self._attributes)
        except Exception as error:
            # The claim may have been written, and only its acknowledgement lost.
            self._give_back("the database went away while the point was claimed")
            if is_outage(error) or isinstance(error, AlreadyClaimed):
                return None
            raise

    def _run_trial(self, claim: Claim) -> None:
        """Run a trial from its claim to its end, whatever its objective does or leaves behind."""
        study = self._open_study(claim)
        try:
            trial = LeasedTrial(study, claim, self._file, self._lease, self._send)
            self._announce(trial, claim)
            outcome = evaluate(self._objective.function, trial, len(self._file.directions))
            if outcome.state == TrialState.FAIL:
                self._lease.excuse()
            self._artifacts.keep(trial, outcome, trial.weights)
            trial.tell_sampler(outcome.state, outcome.values)
            self._ledger.finish(trial, claim, outcome)
        except LeaseLost:
            self._drop(claim)
        except StopTrial as stop:
            self._release(claim, str(stop))
        except BaseException as error:
            self._fail(claim, error)
        else:
            self._send(_ended(trial, claim, outcome))
            self._end_study_when_due(study)

    def _open_study(self, claim: Claim) -> LeasedStudy:
        """Load the study anew, so that nothing a sampler decides with outlives a point."""
        seed = sampler_seed(self._file, claim.number, claim.attempt)
        return LeasedStudy(
            study_name=self._stored.name,
            storage=self._stored.storage.optuna,
            sampler=make_sampler(self._file, seed, self._histories),
            pruner=self._pruner,
        )

    def _announce(self, trial: LeasedTrial, claim: Claim) -> None:
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
            which = f"point {claim.number}, attempt {claim.attempt}"
            write_log(f"{TRIAL_TITLE}{trial.number} ({which})")

    def _fail(self, claim: Claim, error: BaseException) -> None:
        """End a trial of which nothing is trusted, not even the trial that its objective had."""
        if is_outage(error):
            raise error
        log_traceback()
        trial = self._stored.storage.optuna.get_trial(claim.trial_id)
        reason = f"the trial cannot be finished: {describe(error)}"
        outcome = Outcome(TrialState.FAIL, reason=reason)
        try:
            self._ledger.finish(trial, claim, outcome)
        except LeaseLost:
            self._drop(claim)
        else:
            self._send(_ended(trial, claim, outcome))

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


def _ended(trial: BaseTrial, claim: Claim, outcome: Outcome) -> TrialEnded:
    event = TrialFailed if outcome.state == TrialState.FAIL else TrialFinished
    return event(
        trial=trial.number,
        point=claim.number,
        state=outcome.state.name,
        values=None if outcome.values is None else list(outcome.values),
        # The parent knows none of the objective's own types.
        params=plain_data(trial.params, "the parameters"),
        run_time_s=outcome.attributes.get("run_time_s"),
        reason=outcome.reason,
    )
