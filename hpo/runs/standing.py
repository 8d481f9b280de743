"""How a study stands in its database, whoever brought it there: its points, and the best trial."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from hpo.events import Event
from hpo.ledger.points import Counts
from hpo.ledger.stored_study import StoredStudy
from hpo.ranking import best_of

LOOK_EVERY_S = 2.0
TIME_SHARE = 0.02  # of a run's time, at most, goes into looking


@dataclass(frozen=True)
class Standing:
    """A study as it was when it was read.

    Attributes:
        counts: How many points are in each state.
        n_pruned: Points that are done with a pruned trial.
        best: The best trial; the Pareto front where the study has several directions.
    """

    counts: Counts
    n_pruned: int = 0
    best: tuple[FrozenTrial, ...] = ()

    @property
    def winner(self) -> FrozenTrial | None:
        """The best trial of a study with one direction."""
        has_one = len(self.best) == 1 and len(self.best[0].values) == 1
        return self.best[0] if has_one else None


@dataclass(frozen=True)
class StandingRead(Event):
    """The study was read anew; for people's displays only."""

    name = ""

    standing: Standing


def read_standing(stored: StoredStudy) -> Standing:
    """Read it anew; trials that were finished when they were last read cost next to nothing."""
    counts = stored.ledger.counts()
    found = stored.optuna_study().get_trials(deepcopy=False)
    ours = stored.ledger.trial_numbers()
    trials = [trial for trial in found if trial.number in ours]
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    directions = [direction.name.lower() for direction in stored.directions]
    return Standing(
        counts,
        n_pruned=sum(trial.state == TrialState.PRUNED for trial in trials),
        best=best_of(complete, directions, _is_feasible),
    )


class Follower:
    """Reads how a study stands while it runs, now and then.

    Args:
        read: Reads it.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, read: Callable[[], Standing], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read, self._clock = read, clock
        self._next = clock() + LOOK_EVERY_S

    def look(self) -> Standing | None:
        """How the study stands; None where it was read a moment ago."""
        started = self._clock()
        if started < self._next:
            return None
        standing = self._read()
        ended = self._clock()
        self._next = ended + max(LOOK_EVERY_S, (ended - started) / TIME_SHARE)
        return standing


def _is_feasible(trial: FrozenTrial) -> bool:
    return all(value <= 0 for value in trial.constraints.values())
