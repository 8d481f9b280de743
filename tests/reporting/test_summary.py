from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpo.reporting.design import Level, Run, read_design
from hpo.reporting.records import StudyRecord, TrialRecord
from hpo.reporting.summary import (
    Summary,
    best_values,
    holm,
    paired_difference,
    run_time_ratio,
    summarize,
)

from .made_article import make_article
from .made_studies import TrialPlan, make_study, ours, read_made

VALUES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=12)


def keyed(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def controlled(table: dict[str, list[float | None]], **more: Any) -> StudyRecord:
    """A study of one factor; the first row is the baseline, None a run without a trial."""
    labels = list(table)
    replicates = max(map(len, table.values()))
    file = {
        "method": "controlled",
        "baseline": {"width": labels[0]},
        "vary": {"width": {label: {"width": label} for label in labels[1:]}},
        "replicates": replicates,
    }
    plans = [
        TrialPlan(
            value,
            attributes={
                "factor": "width" if label != labels[0] else None,
                "level": label,
                "replicate": replicate,
                "run_time_s": 10.0,
            },
        )
        for label, values in table.items()
        for replicate, value in enumerate(values)
        if value is not None
    ]
    direction = more.get("direction", "maximize")
    study = make_study(plans, directions=(direction,), attributes=ours(file))
    return read_made(study, {})


def summary_of(table: dict[str, list[float | None]], **more: Any) -> Summary:
    record = controlled(table, **more)
    return summarize(read_design(record), is_maximized=record.is_maximized)


def test_a_table_worked_by_hand() -> None:
    # Differences 0.5, 0.4, 0.6: mean 0.5, deviation 0.1, error 0.1/sqrt(3) = 0.057735,
    # t(0.975, 2) = 4.302653, half width 0.248414; with 2 degrees of freedom
    # p = 1 - t/sqrt(t^2 + 2) at t = 8.660254.
    difference = paired_difference(keyed(97.5, 97.6, 98.0), keyed(97.0, 97.2, 97.4))
    assert difference.n == 3
    assert difference.mean == pytest.approx(0.5)
    assert difference.low == pytest.approx(0.251586, abs=1e-6)
    assert difference.high == pytest.approx(0.748414, abs=1e-6)
    assert difference.p == pytest.approx(1 - 8.660254 / math.sqrt(77), abs=1e-6)


@given(VALUES)
def test_intervals_and_p_values_are_those_of_scipy(pairs: list[tuple[float, float]]) -> None:
    first, second = (np.array(column) for column in zip(*pairs, strict=True))
    spread = np.std(first - second, ddof=1)
    if spread < 1e-6:
        return
    oracle = stats.ttest_rel(first, second)
    interval = oracle.confidence_interval(0.95)
    ours = paired_difference(keyed(*first), keyed(*second))
    assert ours.mean == pytest.approx(np.mean(first - second), abs=1e-12)
    assert ours.p == pytest.approx(oracle.pvalue, rel=1e-6, abs=1e-12)
    assert ours.low == pytest.approx(interval.low, rel=1e-6, abs=1e-9)
    assert ours.high == pytest.approx(interval.high, rel=1e-6, abs=1e-9)


def test_holms_adjustment_worked_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, max(0.06, 0.04).
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


def test_holm_counts_a_comparison_that_could_not_be_made() -> None:
    first, missing = holm([0.02, math.nan])
    assert first == pytest.approx(0.04)
    assert math.isnan(missing)


@given(st.lists(st.floats(0, 1), max_size=9))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(a >= p and a <= 1 for a, p in zip(adjusted, p_values, strict=True))
    in_order = [adjusted[i] for i in sorted(range(len(p_values)), key=lambda i: p_values[i])]
    assert in_order == sorted(in_order)


def test_replicates_are_paired_by_seed_so_that_shared_noise_cancels() -> None:
    shared = [0.90, 0.95, 0.99, 0.92]
    better: list[float | None] = [value + 0.001 + 0.0001 * i for i, value in enumerate(shared)]
    level = summary_of({"base": [*shared], "wide": better}).factors[0].levels[0]
    assert level.verdict == "better"
    assert level.change.high - level.change.low < 0.001


def test_a_minimized_study_calls_smaller_better() -> None:
    table: dict[str, list[float | None]] = {"base": [1.0, 1.1, 1.2], "wide": [0.5, 0.61, 0.7]}
    maximized = summary_of(table, direction="maximize").factors[0].levels[0]
    minimized = summary_of(table, direction="minimize").factors[0].levels[0]
    assert (maximized.verdict, minimized.verdict) == ("worse", "better")


def test_one_replicate_says_that_noise_is_unknown() -> None:
    level = summary_of({"base": [0.9], "wide": [0.5]}).factors[0].levels[0]
    assert level.verdict == "noise is unknown"
    assert level.change.mean == pytest.approx(-0.4)
    assert math.isnan(level.change.low)


def test_a_level_equal_to_the_baseline_is_within_the_noise() -> None:
    level = summary_of({"base": [0.9, 0.8, 0.7], "wide": [0.9, 0.8, 0.7]}).factors[0].levels[0]
    assert level.verdict == "within the noise of the seeds"
    assert (level.change.low, level.change.high, level.change.p) == (0.0, 0.0, 1.0)


def test_equal_differences_by_chance_do_not_count_as_certainty() -> None:
    level = summary_of({"base": [0.50, 0.75], "wide": [0.75, 1.0]}).factors[0].levels[0]
    assert level.change.note == "all differences are equal"
    assert level.verdict == "noise is unknown"


def test_an_objective_without_any_noise_is_judged_by_its_values() -> None:
    level = summary_of({"base": [0.5, 0.5], "wide": [0.75, 0.75]}).factors[0].levels[0]
    assert level.change.note == "seeds have no effect"
    assert level.verdict == "better"


def test_only_pairs_that_both_finished_are_compared_and_the_others_are_told() -> None:
    summary = summary_of({"base": [0.9, 0.8, None], "wide": [None, 0.7, 0.6], "thin": []})
    wide, thin = summary.factors[0].levels
    assert wide.change.n == 1
    assert [run.replicate for run in wide.problems] == [0]
    assert thin.verdict == "not measured"
    assert math.isnan(thin.final)
    assert len(thin.problems) == 3
    assert [run.outcome for run in summary.baseline.problems] == ["missing"]


def test_a_study_without_trials_has_a_summary_that_says_so() -> None:
    summary = summary_of({"base": [None, None], "wide": [None]})
    assert summary.factors[0].levels[0].verdict == "not measured"
    assert math.isnan(summary.baseline.final)


def test_more_comparisons_in_a_factor_make_a_verdict_harder() -> None:
    table: dict[str, list[float | None]] = {
        "base": [0.90, 0.91, 0.92],
        "wide": [0.94, 0.94, 0.97],
    }
    alone = summary_of(table).factors[0]
    more = {f"level {index}": [*table["base"]] for index in range(6)}
    among = summary_of({**table, **more}).factors[0]
    assert (alone.n_comparisons, among.n_comparisons) == (1, 7)
    assert alone.levels[0].verdict == "better"
    assert among.levels[0].verdict == "within the noise of the seeds"
    assert among.levels[0].change == alone.levels[0].change


def test_the_best_value_is_the_best_that_any_epoch_reported() -> None:
    trial = TrialRecord(0, "COMPLETE", (0.8,), intermediate=((1, 0.7), (2, 0.9), (3, math.nan)))
    level = Level(None, "baseline", {}, (Run(0, "complete", trial),))
    assert best_values(level, is_maximized=True) == {0: 0.9}
    assert best_values(level, is_maximized=False) == {0: 0.7}


def timed(times: list[float], device: str = "cpu") -> Level:
    runs = (
        Run(r, "complete", TrialRecord(r, "COMPLETE", (0.5,), run_time_s=time, device=device))
        for r, time in enumerate(times)
    )
    return Level("width", "wide", {}, tuple(runs))


def test_run_times_are_compared_as_ratios() -> None:
    ratio = run_time_ratio(timed([20, 40]), timed([10, 10]))
    assert ratio.mean == pytest.approx(math.sqrt(8))
    assert ratio.low < ratio.mean < ratio.high


def test_run_times_of_different_kinds_of_device_are_not_compared() -> None:
    ratio = run_time_ratio(timed([20, 40], "cuda:0"), timed([10, 10], "cpu"))
    assert (ratio.n, ratio.note) == (0, "no pair on one kind of device")
    assert run_time_ratio(timed([20, 40], "cuda:0"), timed([10, 10], "cuda:1")).n == 2


def test_the_articles_effects_are_found_again() -> None:
    record = make_article()
    summary = summarize(read_design(record), is_maximized=True)
    verdicts = {
        (level.level.factor, level.level.label): level.verdict
        for factor in summary.factors
        for level in factor.levels
    }
    assert summary.n_comparisons == 17
    assert verdicts["loss", "mse"] == "worse"
    assert verdicts["loss", "cross_entropy"] == "within the noise of the seeds"
    assert verdicts["learning_rate", "10"] == "worse"
