"""How a search went: a record goes in, best values over cost and what pruning saved come out."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from typing import NamedTuple

from hpo.ranking import losses
from hpo.reporting.records import StudyRecord, TrialRecord


class BestSoFar(NamedTuple):
    """Best value after each finished trial; all tuples have one length.

    Attributes:
        epochs: Epochs trained by all trials that had ended by then, pruned and failed ones too.
        seconds: Time in which at least one trial was running; pauses between runs do not count.
        is_counted: Whether every trial that ran told its epochs.
    """

    values: tuple[float, ...]
    epochs: tuple[int, ...]
    trials: tuple[int, ...]
    seconds: tuple[float, ...]
    is_counted: bool


class Pruning(NamedTuple):
    """Epochs trained by finished and pruned trials, out of those they would have trained."""

    n_pruned: int
    trained: int
    planned: int

    @property
    def saved(self) -> float:
        """Share of the planned epochs that was not trained."""
        return 1 - self.trained / self.planned if self.planned else 0.0


def best_so_far(record: StudyRecord) -> BestSoFar:
    """Follow the best first value over trials in the order in which they ended."""
    ended = sorted(
        (trial for trial in record.trials if trial.ended),
        key=lambda trial: (trial.ended, trial.number),
    )
    clock = busy_seconds(record.trials)
    rows: list[tuple[float, int, int, float]] = []
    best, lowest, epochs = None, math.inf, 0
    for count, trial in enumerate(ended, start=1):
        epochs += trial.n_epochs or 0
        if trial.is_complete and trial.is_feasible:
            loss = losses(trial.values, record.directions)[0]
            best, lowest = (trial.values[0], loss) if loss < lowest else (best, lowest)
        if best is not None and trial.ended:
            rows.append((best, epochs, count, clock(trial.ended)))
    is_counted = epochs > 0 and all(trial.n_epochs for trial in ended if trial.is_complete)
    return BestSoFar(
        values=tuple(row[0] for row in rows),
        epochs=tuple(row[1] for row in rows),
        trials=tuple(row[2] for row in rows),
        seconds=tuple(row[3] for row in rows),
        is_counted=is_counted,
    )


class BusyClock:
    """Seconds in which at least one trial was running, up to a moment."""

    def __init__(self, spans: Sequence[tuple[datetime, datetime]]) -> None:
        lengths = [(end - start).total_seconds() for start, end in spans]
        self._spans = spans
        self._starts = [start for start, _ in spans]
        self._before = [0.0, *accumulate(lengths)]

    @property
    def total(self) -> float:
        """Seconds until the last trial ended."""
        return self._before[-1]

    def __call__(self, moment: datetime) -> float:
        """Busy seconds until the moment."""
        index = bisect_left(self._starts, moment) - 1
        if index < 0:
            return 0.0
        start, end = self._spans[index]
        return self._before[index] + (min(end, moment) - start).total_seconds()


def busy_seconds(trials: Sequence[TrialRecord]) -> BusyClock:
    """Merge the trials' running times into a clock that stands still while nothing runs."""
    spans: list[tuple[datetime, datetime]] = []
    for start, end in sorted(
        (trial.started, trial.ended) for trial in trials if trial.started and trial.ended
    ):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, end))
    return BusyClock(spans)


def pruning(record: StudyRecord) -> Pruning | None:
    """What pruning saved; None where nothing was pruned or no epochs were told.

    A trial's plan is its ``epochs`` setting, else the longest finished trial's count. Trials that
    diverged are no saving and are left out.
    """
    longest = max((trial.n_epochs or 0 for trial in record.trials if trial.is_complete), default=0)
    kept = [
        trial
        for trial in record.trials
        if trial.state in ("COMPLETE", "PRUNED") and not trial.is_diverged and trial.n_epochs
    ]
    pruned = [trial for trial in kept if trial.state == "PRUNED"]
    if not pruned or not longest:
        return None
    trained = sum(trial.n_epochs or 0 for trial in kept)
    planned = sum(_planned_epochs(trial, longest) for trial in kept)
    return Pruning(len(pruned), trained, planned)


def _planned_epochs(trial: TrialRecord, longest: int) -> int:
    epochs = trial.settings.get("epochs")
    planned = epochs if isinstance(epochs, int) else longest
    return max(planned, trial.n_epochs or 0)
