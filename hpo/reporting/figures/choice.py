"""Which trials a figure draws: many go in, as many as a picture can show come out."""

from __future__ import annotations

from collections.abc import Sequence

from hpo.ranking import losses
from hpo.reporting.analysis import Analysis
from hpo.reporting.figures.style import spread_indices
from hpo.reporting.records import StudyRecord, TrialRecord

MAX_LINES = 300
MAX_MARKERS = 2000


def evenly(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """At most MAX_MARKERS trials, evenly spread over the study."""
    return [trials[index] for index in spread_indices(len(trials), MAX_MARKERS)]


def with_the_best(analysis: Analysis, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """At most MAX_LINES trials: the best ones (a third) and others evenly spread over the study."""
    if len(trials) <= MAX_LINES:
        return list(trials)
    first = {trial.number for trial in analysis.best[: MAX_LINES // 3]}
    if len(analysis.record.directions) == 1:
        ranked = sorted(trials, key=lambda trial: _loss(analysis.record, trial))
        first |= {trial.number for trial in ranked[: MAX_LINES // 3]}
    others = [trial for trial in trials if trial.number not in first]
    first |= {others[i].number for i in spread_indices(len(others), MAX_LINES - len(first))}
    return [trial for trial in trials if trial.number in first]


def has_varied_parameters(analysis: Analysis) -> bool:
    """Whether finished trials differ in any parameter."""
    return len({repr(sorted(trial.params.items())) for trial in analysis.complete}) > 1


def _loss(record: StudyRecord, trial: TrialRecord) -> float:
    """The trial's value, or the last that it reported, turned so that less is better."""
    values = trial.values or tuple(value for _, value in trial.intermediate[-1:]) or (0.0,)
    return losses(values[:1], record.directions)[0]
