"""Running a study: checks first, then the study is made or continued, then its workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from hpo.errors import FileFaults, HpoError, ObjectiveError
from hpo.ledger.stored_study import StoredStudy
from hpo.plan import Plan, make_plan
from hpo.runs.launch import Launched
from hpo.runs.standing import Standing, how_points_ended, read_standing
from hpo.runs.supervisor import Ending, RunOptions, Supervisor, Why
from hpo.study_files.refusals import Refusal, faults_of
from hpo.study_files.study_file import StudyFile
from hpo.workers import devices, limits, objective_file
from hpo.workers.children import ChildEnded, call_in_child
from hpo.workers.fork_server import prepare_for

N_CHECKED = 2000  # planned settings that the objective's `check` is asked about
N_DRAWN = 200  # settings drawn for it where the sampler decides
_DRAWS_SEED = 0


@dataclass(frozen=True)
class Finished:
    """A run that has ended.

    Attributes:
        ending: Why it ended.
        standing: How the study stood then.
        elapsed_s: How long it took.
        can_go_on: Whether another run would take up the points that are free.
        exit_code: 0 done, 1 incomplete or with failures, 130 interrupted.
    """

    ending: Ending
    standing: Standing
    elapsed_s: float
    can_go_on: bool

    @property
    def exit_code(self) -> int:
        """The exit code of `hpo run`."""
        if self.ending.why in (Why.INTERRUPTED, Why.STOPPED):
            return 130
        if self.ending.why in (Why.FAILURES, Why.ERROR) or self.standing.counts.failed:
            return 1
        return 0


def check(file: StudyFile, project: Path, on_wait: Callable[[], None]) -> Plan:
    """Plan a study, and have its objective imported and asked in a child process.

    Args:
        file: The study.
        project: The folder that its objective is in.
        on_wait: Called when that takes more than a few seconds.

    Raises:
        ObjectiveError: The objective is missing or cannot be imported.
        FileFaults: It refuses settings, or does not measure a metric of the study.
    """
    prepare_for(file, project)
    plan = make_plan(file)
    asked = settings_to_check(plan)
    try:
        refusals, measured = call_in_child(
            _ask_objective, file.objective, project, asked, on_wait=on_wait
        )
    except ChildEnded as child:
        raise ObjectiveError(
            f"{file.objective}: its process {child} as it was imported, or as it checked settings."
        ) from None
    faults = faults_of(file, refusals, measured)
    if faults:
        raise FileFaults(faults)
    return plan


def _ask_objective(
    reference: str, project: Path, settings: Sequence[Mapping[str, Any]]
) -> tuple[list[Refusal], Sequence[str] | None]:
    """What the objective refuses, and what it measures."""
    objective = objective_file.load(reference, project)
    return objective_file.check_settings(objective, settings), objective.metrics


def settings_to_check(plan: Plan) -> list[dict[str, Any]]:
    """Settings of the plan's points; ends of the space and draws where the sampler decides."""
    file, space = plan.study, plan.study.search_space
    given = [point.params for point in plan.points[:N_CHECKED] if point.params is not None]
    if plan.decided == "sampler" and space is not None:
        rng = Random(_DRAWS_SEED)
        ends = [{name: end} for name, p in space.parameters.items() for end in p.ends()]
        some = [*given, *ends[:N_CHECKED], *({} for _ in range(N_DRAWN))]
        given = [space.complete(params, rng) for params in some]
    found = [file.settings(params) for params in given]
    return found or ([dict(file.fixed)] if file.fixed else [])


def already_ended(stored: StoredStudy) -> Finished | None:
    """The end of a run that has nothing to do, or None."""
    standing = read_standing(stored)
    counts = standing.counts
    if counts.free == 0 and counts.leased == 0:
        ending = Ending(Why.COMPLETE, how_points_ended(counts), counts)
        return Finished(ending, standing, 0.0, can_go_on=False)
    reason = _limit_reached(stored)
    if reason is None:
        return None
    return Finished(Ending(Why.LIMIT, reason, counts), standing, 0.0, can_go_on=False)


def end_of_run(stored: StoredStudy, ending: Ending, started: float) -> Finished:
    """What is to be said of a run that has ended.

    Args:
        stored: The study.
        ending: Why the run ended.
        started: When it began, on the monotonic clock.
    """
    elapsed_s = time.monotonic() - started
    standing = read_standing(stored)
    is_limited = _limit_reached(stored) is not None
    return Finished(ending, standing, elapsed_s, can_go_on=not is_limited)


def _limit_reached(stored: StoredStudy) -> str | None:
    return limits.reached(stored.file, stored.optuna_study(), stored.ledger.trial_numbers)


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
    return end_of_run(stored, ending, started)
