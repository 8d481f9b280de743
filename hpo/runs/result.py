"""What became of a run: why it ended, how the study stands, and what this run itself did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hpo.events import FOR_PEOPLE, Event
from hpo.ledger.stored_study import StoredStudy
from hpo.runs.endings import Ending, StopReason
from hpo.runs.progress import OwnCounts
from hpo.runs.standing import read_standing
from hpo.workers import limits


@dataclass(frozen=True)
class FailedPoint:
    """A point that failed for good, the number of its last trial, and the reason."""

    point: int
    trial: int | None
    reason: str


@dataclass(frozen=True)
class RunResult(Event):
    """A run that has ended, and the study as its database then held it.

    Attributes:
        study: The study's name.
        why: The value of a `StopReason`.
        reason: The same in words.
        total: Points of the plan.
        done: Points with a result.
        pruned: Those of them whose trial was pruned.
        failed: Points that failed for good.
        leased: Points that other runs are at work on.
        free: Points that nobody has.
        best: The best value; None without a result and with several directions.
        best_trial: The number of its trial.
        best_params: Its parameters.
        this_run: What this run itself did.
        elapsed_s: How long it took, in seconds.
        exit_code: Of `hpo run`: 0 done, 1 incomplete or with failures, 130 interrupted.
        project: The folder that the objective is in.
        failures: The points that failed for good.
        has_best: Whether there is a best trial, or a Pareto front.
        can_go_on: Whether another run would take up the points that are free.
        was_ended: Whether the run found nothing to do.
    """

    name = "summary"

    study: str
    why: str
    reason: str
    total: int
    done: int
    pruned: int
    failed: int
    leased: int
    free: int
    best: float | None
    best_trial: int | None
    best_params: Mapping[str, Any]
    this_run: Mapping[str, int]
    elapsed_s: float
    exit_code: int
    project: Path = field(metadata=FOR_PEOPLE)
    failures: Sequence[FailedPoint] = field(metadata=FOR_PEOPLE)
    has_best: bool = field(metadata=FOR_PEOPLE)
    can_go_on: bool = field(metadata=FOR_PEOPLE)
    was_ended: bool = field(metadata=FOR_PEOPLE)


def result_of(
    stored: StoredStudy,
    ending: Ending,
    own: OwnCounts,
    elapsed_s: float,
    project: Path,
    *,
    was_ended: bool = False,
) -> RunResult:
    """Read what became of a study.

    Args:
        stored: The study.
        ending: Why the run ended.
        own: What the run itself did.
        elapsed_s: How long it took.
        project: The folder that the objective is in.
        was_ended: Whether the run found nothing to do.
    """
    standing = read_standing(stored)
    counts, best = standing.counts, standing.winner
    return RunResult(
        study=stored.name,
        why=ending.why.value,
        reason=ending.reason,
        total=counts.total,
        done=counts.done,
        pruned=standing.n_pruned,
        failed=counts.failed,
        leased=counts.leased,
        free=counts.free,
        best=None if best is None else best.values[0],
        best_trial=None if best is None else best.number,
        best_params={} if best is None else dict(best.params),
        this_run=asdict(own),
        elapsed_s=round(elapsed_s, 3),
        exit_code=_exit_code(ending.why, counts.failed),
        project=project,
        failures=[
            FailedPoint(row["number"], row["trial_number"], row["reason"])
            for row in stored.ledger.rows("FAILED")
        ],
        has_best=bool(standing.best),
        can_go_on=not was_ended and limit_reached(stored) is None,
        was_ended=was_ended,
    )


def limit_reached(stored: StoredStudy) -> str | None:
    """The limit of its file that a study has reached, in words; None while there is none."""
    return limits.reached(stored.file, stored.optuna_study(), stored.ledger.trial_numbers)


def _exit_code(why: StopReason, n_failed: int) -> int:
    if why in (StopReason.INTERRUPTED, StopReason.STOPPED):
        return 130
    return 1 if why in (StopReason.FAILURES, StopReason.ERROR) or n_failed else 0
