"""Running a study: checks first, then the study is made or continued, then its workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from optuna.study import StudyDirection
from optuna.trial import TrialState

from hpo.errors import HpoError
from hpo.ledger.stored_study import StoredStudy
from hpo.plan import Plan, make_plan
from hpo.runs.launch import Launched
from hpo.runs.supervisor import Ending, RunOptions, Supervisor, Why
from hpo.runs.tally import Tally
from hpo.study_files.study_file import StudyFile
from hpo.workers import devices, limits, objective_file
from hpo.workers.fork_server import call_in_child, prepare_for

N_CHECKED = 2000  # planned settings that the objective's `check` is asked about
N_DRAWN = 200  # settings drawn for it where the sampler decides
_DRAWS_SEED = 0


@dataclass(frozen=True)
class Finished:
    """A run that has ended.

    Attributes:
        ending: Why it ended, and the state of the points.
        elapsed_s: How long it took.
        exit_code: 0 done, 1 incomplete or with failures, 130 interrupted.
    """

    ending: Ending
    elapsed_s: float

    @property
    def exit_code(self) -> int:
        """The exit code of `hpo run`."""
        if self.ending.why in (Why.INTERRUPTED, Why.STOPPED):
            return 130
        if self.ending.why in (Why.FAILURES, Why.ERROR) or self.ending.counts.failed:
            return 1
        return 0


def check(file: StudyFile, project: Path, on_wait: Callable[[], None]) -> Plan:
    """Plan a study, and have its objective imported and asked in a child process.

    Args:
        file: The study.
        project: The folder that its objective is in.
        on_wait: Called when that takes more than a few seconds.

    Raises:
        ObjectiveError: The objective is missing, cannot be imported, or refuses settings.
    """
    prepare_for(file, project)
    plan = make_plan(file)
    asked = settings_to_check(plan)
    call_in_child(_check_objective, file.objective, project, asked, on_wait=on_wait)
    return plan


def _check_objective(reference: str, project: Path, settings: Sequence[Mapping[str, Any]]) -> None:
    objective_file.check_settings(objective_file.load(reference, project), settings)


def settings_to_check(plan: Plan) -> list[dict[str, Any]]:
    """Settings of the plan's points, and draws from the space where the sampler decides."""
    file = plan.study
    found = [
        file.settings(point.params)
        for point in plan.points[:N_CHECKED]
        if point.params is not None and plan.decided == "planned"
    ]
    if plan.decided == "sampler" and file.search_space is not None:
        rng = Random(_DRAWS_SEED)
        found = [file.settings(file.search_space.draw(rng)) for _ in range(N_DRAWN)]
    return found or ([dict(file.fixed)] if file.fixed else [])


def already_ended(stored: StoredStudy) -> Ending | None:
    """Why there is nothing to run, or None."""
    counts = stored.ledger.counts()
    if counts.free == 0 and counts.leased == 0:
        return Ending(Why.COMPLETE, "every point is done", counts)
    reason = limits.reached(stored.file, stored.optuna_study())
    return None if reason is None else Ending(Why.LIMIT, reason, counts)


def tally_of(stored: StoredStudy) -> Tally:
    """The tally a run begins with: what earlier runs have brought."""
    directions = stored.directions
    counts = stored.ledger.counts()
    tally = Tally(
        total=counts.total,
        maximize=directions[0] == StudyDirection.MAXIMIZE if len(directions) == 1 else None,
        clock=time.monotonic,
        done=counts.done,
        failed=counts.failed,
    )
    trials = stored.optuna_study().get_trials(deepcopy=False)
    tally.pruned = sum(t.state == TrialState.PRUNED and "point" in t.user_attrs for t in trials)
    complete = [t for t in trials if t.state == TrialState.COMPLETE]
    if complete and tally.maximize is not None:
        sign = 1 if tally.maximize else -1
        best = max(complete, key=lambda t: sign * t.values[0])
        tally.best, tally.best_trial, tally.best_params = best.values[0], best.number, best.params
    return tally


def supervise(
    launched: Launched,
    choice: devices.Choice,
    options: RunOptions,
    on_event: Callable[[dict[str, Any]], None],
) -> Finished:
    """Run a study's workers to the end, in processes of their own.

    Raises:
        HpoError: A worker could not work at all.
    """
    started = time.monotonic()
    stored = launched.stored
    ending = Supervisor(stored, choice.slots, options, on_event).run()
    stored.storage.checkpoint()
    if ending.why is Why.ERROR:
        raise HpoError(ending.reason)
    return Finished(ending, time.monotonic() - started)
