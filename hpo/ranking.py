"""Which trials are best: trials with values go in, the best one or the Pareto front comes out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

MAXIMIZE = "maximize"


class Valued(Protocol):
    """A trial with one value for each direction, or with none."""

    @property
    def number(self) -> int:
        """Its number in the study."""

    @property
    def values(self) -> Sequence[float] | None:
        """Its objective values."""


Trial = TypeVar("Trial", bound=Valued)
Losses = tuple[float, ...]


def losses(values: Sequence[float], directions: Sequence[str]) -> Losses:
    """Objective values turned so that less is better.

    Args:
        values: One for each direction.
        directions: `maximize` or `minimize`.
    """
    pairs = zip(values, directions, strict=True)
    return tuple(-value if direction == MAXIMIZE else value for value, direction in pairs)


def dominates(one: Losses, other: Losses) -> bool:
    """Whether `one` is nowhere worse than `other` and somewhere better."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def best_of(
    trials: Iterable[Trial],
    directions: Sequence[str],
    is_feasible: Callable[[Trial], bool] = lambda _: True,
) -> tuple[Trial, ...]:
    """The best of complete trials, or their Pareto front in the order of the first value.

    The first of equals is the best. Infeasible trials count only where no trial is feasible; a
    trial without values, or with one that is not finite, never does.

    Args:
        trials: Complete trials; which of a study's trials these are is for the caller to know.
        directions: `maximize` or `minimize`, one for each value.
        is_feasible: Whether a trial keeps the study's constraints.
    """
    complete = [trial for trial in trials if trial.values and all(map(math.isfinite, trial.values))]
    candidates = [trial for trial in complete if is_feasible(trial)] or complete
    ranked = sorted((losses(t.values or (), directions), t.number, t) for t in candidates)
    if len(directions) == 1:
        return tuple(trial for *_, trial in ranked[:1])
    front: list[tuple[Losses, Trial]] = []
    # Whoever dominates a trial stands before it in this order, so the front so far is enough.
    for loss, _, trial in ranked:
        if not any(dominates(other, loss) for other, _ in front):
            front.append((loss, trial))
    return tuple(trial for _, trial in front)
