from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from hpo.reporting.progress import best_so_far, busy_seconds, pruning
from hpo.reporting.records import StudyRecord, TrialRecord

from .made_studies import START, TrialPlan, make_study, read_made


def steps(n: int, last: float = 0.5) -> dict[int, float]:
    return dict.fromkeys(range(1, n + 1), last)


def record_of(*plans: TrialPlan, direction: str = "maximize") -> StudyRecord:
    return read_made(make_study(list(plans), directions=(direction,)), {})


def ran(start_s: float, end_s: float) -> TrialRecord:
    start, end = START + timedelta(seconds=start_s), START + timedelta(seconds=end_s)
    return TrialRecord(0, "COMPLETE", started=start, ended=end)


def test_the_best_value_is_followed_over_epochs_trials_and_seconds() -> None:
    record = record_of(
        TrialPlan(0.5, start_s=0, run_time_s=10, intermediate=steps(2)),
        TrialPlan(0.9, start_s=100, run_time_s=10, intermediate=steps(1), state=TrialState.PRUNED),
        TrialPlan(0.8, start_s=110, run_time_s=10, intermediate=steps(4)),
        TrialPlan(0.6, start_s=120, run_time_s=10, intermediate=steps(4)),
    )
    run = best_so_far(record)
    assert run.values == (0.5, 0.5, 0.8, 0.8)
    assert run.epochs == (2, 3, 7, 11)
    assert run.trials == (1, 2, 3, 4)
    assert run.seconds == (10, 20, 30, 40)
    assert run.is_counted


def test_trials_count_in_the_order_in_which_they_ended() -> None:
    record = record_of(
        TrialPlan(0.5, start_s=0, run_time_s=30), TrialPlan(0.7, start_s=0, run_time_s=10)
    )
    assert best_so_far(record).values == (0.7, 0.7)
    assert not best_so_far(record).is_counted


def test_a_minimized_study_follows_its_smallest_value() -> None:
    plans = [TrialPlan(value, start_s=20.0 * i) for i, value in enumerate([3.0, 1.0, 2.0])]
    assert best_so_far(record_of(*plans, direction="minimize")).values == (3.0, 1.0, 1.0)


SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), min_size=1, max_size=12)


@given(SPANS, st.integers(0, 80))
def test_busy_seconds_are_those_in_which_some_trial_ran(
    spans: list[tuple[int, int]], moment: int
) -> None:
    busy = {s for start, length in spans for s in range(start, start + length)}
    clock = busy_seconds([ran(start, start + length) for start, length in spans])
    assert clock(START + timedelta(seconds=moment)) == sum(second < moment for second in busy)
    assert clock.total == len(busy)


def test_pruning_saves_the_epochs_that_pruned_trials_did_not_train() -> None:
    record = record_of(
        TrialPlan(0.5, intermediate=steps(10)),
        TrialPlan(0.5, intermediate=steps(2), state=TrialState.PRUNED),
        TrialPlan(0.5, intermediate=steps(3), state=TrialState.PRUNED),
    )
    saved = pruning(record)
    assert saved is not None
    assert (saved.n_pruned, saved.trained, saved.planned) == (2, 15, 30)
    assert saved.saved == pytest.approx(0.5)


def test_a_diverged_trial_is_no_saving() -> None:
    diverged = TrialPlan(
        0.5, intermediate=steps(2), state=TrialState.PRUNED, attributes={"reason": "diverged"}
    )
    assert pruning(record_of(TrialPlan(0.5, intermediate=steps(10)), diverged)) is None


def test_a_trials_own_epochs_are_its_plan() -> None:
    record = record_of(
        TrialPlan(0.5, intermediate=steps(4), attributes={"settings": {"epochs": 4}}),
        TrialPlan(
            0.5,
            intermediate=steps(5),
            state=TrialState.PRUNED,
            attributes={"settings": {"epochs": 20}},
        ),
    )
    saved = pruning(record)
    assert saved is not None
    assert (saved.trained, saved.planned) == (9, 24)
