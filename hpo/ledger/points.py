"""A point of the plan: its row in the ledger, a claim on it, its trial's beginning and outcome."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial, TrialState, create_trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from sqlalchemy import RowMapping

    from hpo.plan import Point

FREE, LEASED, DONE, FAILED = "FREE", "LEASED", "DONE", "FAILED"  # states of a point
RELEASED, LOST = "RELEASED", "LOST"  # fates of a trial, beside DONE and FAILED


@dataclass(frozen=True)
class WorkerIdentity:
    """Who holds a lease.

    Attributes:
        name: Unique among all workers that ever lived.
        host: The host's name, for people.
        machine: The running kernel, the same for all containers of one host.
    """

    name: str
    host: str
    machine: str


@dataclass(frozen=True)
class Claim:
    """One point, leased to one worker, and the trial that was created for it."""

    number: int
    attempt: int
    seed: int
    params: Mapping[str, Any] | None
    factor: str | None
    level: str | None
    replicate: int | None
    worker: str
    trial_id: int


@dataclass(frozen=True)
class Book:
    """What the ledger knows of one trial, whatever the trial's own attributes say.

    Attributes:
        point: The point that it evaluates.
        attempt: The how-manieth claim of that point it is, from 1.
        fate: None while it is at work; DONE, FAILED, RELEASED (its point went back unharmed) or
            LOST (its worker was).
        closes_point: Whether its point has ended, and with this trial.
        factor: What the point varies, in a controlled study.
        level: The factor's level there.
        replicate: Which repetition of its settings the point is.
        seed: The point's seed.
    """

    point: int
    attempt: int
    fate: str | None
    closes_point: bool = False
    factor: str | None = None
    level: str | None = None
    replicate: int | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Counts:
    """How many points are in each state."""

    free: int = 0
    leased: int = 0
    done: int = 0
    failed: int = 0

    @property
    def n_open(self) -> int:
        """Points that have not ended."""
        return self.free + self.leased

    @property
    def total(self) -> int:
        """All points of the plan."""
        return self.free + self.leased + self.done + self.failed


@dataclass(frozen=True)
class Outcome:
    """What a trial ended with.

    Attributes:
        state: COMPLETE, PRUNED or FAIL.
        values: One for each direction, for COMPLETE; the last report, for PRUNED.
        attributes: User attributes written with the result.
        curves: Learning curves, kept in a table of their own.
        reason: Why the trial failed or diverged.
    """

    state: TrialState
    values: Sequence[float] | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Any] | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Reaped:
    """A point taken back from its worker, the state it was left in, and its trial's fate."""

    number: int
    trial_number: int | None
    state: str
    fate: str
    reason: str


def rows_of(plan_id: str, points: Iterable[Point]) -> list[dict[str, Any]]:
    """Rows of `hpo_points` for points nobody has claimed yet."""
    return [
        {
            "plan_id": plan_id,
            "number": point.number,
            "params": None if point.params is None else json.dumps(dict(point.params)),
            "factor": point.factor,
            "level": point.level,
            "replicate": point.replicate,
            "seed": point.seed,
            "state": FREE,
            "attempt": 0,
            "lost": 0,
        }
        for point in points
    ]


def book_of(row: Mapping[str, Any], point: RowMapping) -> Book:
    """What a row of `hpo_trials` and its point say of a trial."""
    return Book(
        row["point"],
        row["attempt"],
        row["fate"],
        closes_point=point["state"] in (DONE, FAILED) and point["trial_number"] == row["number"],
        **{key: point[key] for key in ("factor", "level", "replicate", "seed")},
    )


def claim_of(row: RowMapping, worker: WorkerIdentity, trial_id: int) -> Claim:
    """The claim that `worker` made on the FREE point `row`."""
    return Claim(
        number=row["number"],
        attempt=row["attempt"] + 1,
        seed=row["seed"],
        params=None if row["params"] is None else json.loads(row["params"]),
        factor=row["factor"],
        level=row["level"],
        replicate=row["replicate"],
        worker=worker.name,
        trial_id=trial_id,
    )


def template_of(
    row: RowMapping,
    distributions: Mapping[str, BaseDistribution],
    attributes: Mapping[str, Any],
) -> FrozenTrial:
    """The RUNNING trial of the FREE point `row`, with all that is known before it starts.

    A point that is planned whole has its parameters written here, once. One that holds a part of
    them, or whose distributions only the objective knows, fixes what it holds.
    """
    params = {} if row["params"] is None else json.loads(row["params"])
    is_planned = bool(params) and params.keys() <= distributions.keys()
    own = {key: row[key] for key in ("factor", "level", "replicate") if row[key] is not None}
    own |= {"point": row["number"], "attempt": row["attempt"] + 1, "seed": row["seed"]}
    return create_trial(
        state=TrialState.RUNNING,
        params=params if is_planned else {},
        distributions={name: distributions[name] for name in params} if is_planned else {},
        user_attrs={**own, **attributes},
        system_attrs={"fixed_params": params} if params and not is_planned else {},
    )
