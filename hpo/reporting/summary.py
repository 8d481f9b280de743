"""Effects of a controlled study: its design goes in; means, paired differences, verdicts come out.

Replicate r of a level is compared with replicate r of the baseline, which had the same seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hpo.reporting.design import Design, Factor, Level, Run
from hpo.reporting.records import TrialRecord

Verdict = Literal[
    "better", "worse", "within the noise of the seeds", "noise is unknown", "not measured"
]
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """Mean of paired differences, first minus second, with its two-sided Student t-interval.

    Attributes:
        n: Pairs.
        mean: Mean difference; NaN without pairs.
        low: Lower end of the interval; NaN where the spread is unknown.
        high: Upper end.
        p: Two-sided p-value of "no difference"; NaN where the spread is unknown.
        note: Why there is no interval, or what is special about it.
    """

    n: int
    mean: float
    low: float
    high: float
    p: float
    note: str = ""

    @property
    def is_known(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.p)


@dataclass(frozen=True)
class LevelSummary:
    """One level's figures; ``change`` and its fellows compare it with the baseline.

    Attributes:
        final: Mean over replicates of the value at the end of training.
        best: Mean over replicates of the best value during training.
        run_time_s: Mean run time.
        change: Paired difference of final values.
        best_change: Paired difference of best values.
        time_ratio: Ratio of run times, as `run_time_ratio` gives it.
        p_adjusted: ``change.p`` after Holm's correction within the factor.
    """

    level: Level
    final: float
    best: float
    run_time_s: float
    change: Difference
    best_change: Difference
    time_ratio: Difference
    p_adjusted: float
    verdict: Verdict

    @property
    def n_complete(self) -> int:
        """Runs that ended well."""
        return len(self.level.complete())

    @property
    def problems(self) -> tuple[Run, ...]:
        """Runs that are missing, failed, diverged or not finished."""
        return tuple(run for run in self.level.runs if run.outcome != "complete")


@dataclass(frozen=True)
class FactorSummary:
    """One factor; Holm's correction counts all its levels, measured or not."""

    factor: Factor
    levels: tuple[LevelSummary, ...]

    @property
    def n_comparisons(self) -> int:
        """Comparisons with the baseline within this factor."""
        return len(self.levels)


@dataclass(frozen=True)
class Summary:
    """All effects of a study."""

    baseline: LevelSummary
    factors: tuple[FactorSummary, ...]
    n_replicates: int

    @property
    def n_comparisons(self) -> int:
        """Comparisons over all factors."""
        return sum(factor.n_comparisons for factor in self.factors)


def summarize(design: Design, *, is_maximized: bool) -> Summary:
    """Compare every level with the baseline."""
    return Summary(
        baseline=_summarize_level(design.baseline, design.baseline, is_maximized),
        factors=tuple(
            _summarize_factor(factor, design.baseline, is_maximized) for factor in design.factors
        ),
        n_replicates=design.n_replicates,
    )


def paired_difference(
    first: Mapping[int, float], second: Mapping[int, float], confidence: float = CONFIDENCE
) -> Difference:
    """Compare two series that share keys; keys that only one of them has are left out.

    Differences that are all alike have no spread to judge by. That is an exact answer where they
    are zero or where both series are constant (seeds have no effect), and an accident of rounding
    otherwise.
    """
    keys = sorted(first.keys() & second.keys())
    changes = [first[key] - second[key] for key in keys]
    n = len(changes)
    if n == 0:
        return Difference(0, math.nan, math.nan, math.nan, math.nan, "no pair")
    mean = math.fsum(changes) / n
    if n == 1:
        return Difference(1, mean, math.nan, math.nan, math.nan, "one pair")
    spread = math.sqrt(math.fsum((change - mean) ** 2 for change in changes) / (n - 1))
    if spread <= 1e-9 * max(abs(value) for key in keys for value in (first[key], second[key])):
        return _without_spread(n, mean, [first[key] for key in keys])
    return _student(n, mean, spread / math.sqrt(n), confidence)


def _student(n: int, mean: float, error: float, confidence: float) -> Difference:
    from scipy.stats import t

    half = error * float(t.ppf((1 + confidence) / 2, n - 1))
    p = 2 * float(t.sf(abs(mean) / error, n - 1))
    return Difference(n, mean, mean - half, mean + half, p)


def _without_spread(n: int, mean: float, first: Sequence[float]) -> Difference:
    if abs(mean) <= 1e-12 * max(map(abs, first), default=0.0):
        return Difference(n, 0.0, 0.0, 0.0, 1.0, "identical")
    if max(first) == min(first):
        return Difference(n, mean, mean, mean, 0.0, "seeds have no effect")
    return Difference(n, mean, math.nan, math.nan, math.nan, "all differences are equal")


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down adjustment; NaN counts as a comparison and stays NaN.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    order = sorted(
        (index for index, p in enumerate(p_values) if math.isfinite(p)), key=lambda i: p_values[i]
    )
    adjusted = [math.nan] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return tuple(adjusted)


def final_values(level: Level) -> dict[int, float]:
    """Replicate to the value at the end of training."""
    return {replicate: trial.values[0] for replicate, trial in level.complete().items()}


def best_values(level: Level, *, is_maximized: bool) -> dict[int, float]:
    """Replicate to the best value seen after any epoch."""
    choose = max if is_maximized else min
    return {
        replicate: choose([trial.values[0], *_reported(trial)])
        for replicate, trial in level.complete().items()
    }


def run_time_ratio(first: Level, second: Level) -> Difference:
    """Geometric mean of the ratios of run times, over pairs that ran on one kind of device."""
    one, other = first.complete(), second.complete()
    pairs = [
        replicate
        for replicate in one.keys() & other.keys()
        if _machine(one[replicate]) == _machine(other[replicate])
    ]
    logs = paired_difference(_log_run_times(one, pairs), _log_run_times(other, pairs))
    if logs.n == 0 and one.keys() & other.keys():
        return replace(logs, note="no pair on one kind of device")
    return replace(logs, mean=_exp(logs.mean), low=_exp(logs.low), high=_exp(logs.high))


def mean(values: Iterable[float]) -> float:
    """The mean; NaN of nothing."""
    known = list(values)
    return math.fsum(known) / len(known) if known else math.nan


def _summarize_factor(factor: Factor, baseline: Level, is_maximized: bool) -> FactorSummary:
    levels = [_summarize_level(level, baseline, is_maximized) for level in factor.levels]
    adjusted = holm([level.change.p for level in levels])
    return FactorSummary(
        factor,
        tuple(
            replace(level, p_adjusted=p, verdict=_verdict(level.change, p, is_maximized))
            for level, p in zip(levels, adjusted, strict=True)
        ),
    )


def _summarize_level(level: Level, baseline: Level, is_maximized: bool) -> LevelSummary:
    final = final_values(level)
    best = best_values(level, is_maximized=is_maximized)
    change = paired_difference(final, final_values(baseline))
    return LevelSummary(
        level=level,
        final=mean(final.values()),
        best=mean(best.values()),
        run_time_s=mean(
            trial.run_time_s for trial in level.complete().values() if trial.run_time_s is not None
        ),
        change=change,
        best_change=paired_difference(best, best_values(baseline, is_maximized=is_maximized)),
        time_ratio=run_time_ratio(level, baseline),
        p_adjusted=change.p,
        verdict=_verdict(change, change.p, is_maximized),
    )


def _verdict(change: Difference, p_adjusted: float, is_maximized: bool) -> Verdict:
    if change.n == 0:
        return "not measured"
    if not change.is_known:
        return "noise is unknown"
    if p_adjusted > 1 - CONFIDENCE or change.mean == 0:
        return "within the noise of the seeds"
    return "better" if (change.mean > 0) == is_maximized else "worse"


def _reported(trial: TrialRecord) -> list[float]:
    """What the trial reported each epoch; without reports, its accuracies if they are its value."""
    reported: Iterable[float] = (value for _, value in trial.intermediate)
    if not trial.intermediate and trial.curves:
        accuracies = trial.curves.evaluation_accuracy
        reported = accuracies if accuracies[-1:] == trial.values[:1] else ()
    return [value for value in reported if math.isfinite(value)]


def _machine(trial: TrialRecord) -> tuple[str, str]:
    return trial.device.split(":")[0], trial.engine


def _log_run_times(trials: Mapping[int, TrialRecord], pairs: list[int]) -> dict[int, float]:
    times = {replicate: trials[replicate].run_time_s for replicate in pairs}
    return {replicate: math.log(time) for replicate, time in times.items() if time and time > 0}


def _exp(value: float) -> float:
    return math.exp(value) if math.isfinite(value) else math.nan
