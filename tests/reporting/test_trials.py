from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from hpo.reporting.records import StudyRecord, TrialRecord
from hpo.reporting.trials import (
    best_settings,
    best_trials,
    failures,
    n_evaluated,
    state_counts,
    trial_rows,
    workers,
)

from .made_searches import make_search
from .made_studies import TrialPlan, make_study, read_made


def record_of(*plans: TrialPlan, directions: tuple[str, ...] = ("maximize",)) -> StudyRecord:
    return read_made(make_study(list(plans), directions=directions), {})


def test_only_a_finished_trial_can_be_the_best() -> None:
    pruned = TrialPlan(0.99, state=TrialState.PRUNED)
    record = record_of(TrialPlan(0.5), pruned, TrialPlan(0.7), TrialPlan(0.7))
    assert [trial.number for trial in best_trials(record)] == [2]


def test_a_minimized_studys_best_is_its_smallest() -> None:
    record = record_of(TrialPlan(0.5), TrialPlan(0.7), directions=("minimize",))
    assert best_trials(record)[0].values == (0.5,)


def test_a_study_without_finished_trials_has_no_best() -> None:
    assert best_trials(record_of(TrialPlan(None, state=TrialState.FAIL))) == ()


VALUES = st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=15)
DIRECTIONS = st.tuples(*[st.sampled_from(["minimize", "maximize"])] * 3)


@given(VALUES, DIRECTIONS)
def test_the_pareto_front_is_optunas(
    values: list[tuple[int, ...]], directions: tuple[str, ...]
) -> None:
    study = make_study([TrialPlan(tuple(map(float, v))) for v in values], directions=directions)
    front = {trial.number for trial in best_trials(read_made(study, {}))}
    assert front == {trial.number for trial in study.best_trials}


def test_an_infeasible_trial_is_best_only_where_none_is_feasible() -> None:
    good = TrialRecord(0, "COMPLETE", (0.9,), is_feasible=False)
    fair = TrialRecord(1, "COMPLETE", (0.5,))
    both = StudyRecord("s", ("maximize",), ("value",), (good, fair))
    alone = StudyRecord("s", ("maximize",), ("value",), (good,))
    assert best_trials(both) == (fair,)
    assert best_trials(alone) == (good,)


def test_states_are_counted_in_a_fixed_order() -> None:
    record = make_search(60)
    counts = state_counts(record)
    assert list(counts) == ["COMPLETE", "PRUNED", "FAIL", "RUNNING"]
    assert sum(counts.values()) == 60
    assert n_evaluated(record) == counts["COMPLETE"] + counts["PRUNED"]


def test_failures_have_reasons_and_tell_whether_the_point_was_evaluated_later() -> None:
    lost = TrialPlan(None, state=TrialState.FAIL, attributes={"point": 4, "reason": "worker died"})
    again = TrialPlan(0.5, attributes={"point": 4})
    silent = TrialPlan(None, state=TrialState.FAIL)
    diverged = TrialPlan(0.1, state=TrialState.PRUNED, attributes={"reason": "diverged"})
    found = failures(record_of(lost, again, silent, diverged))
    assert [(f.trial.number, f.reason, f.was_repeated) for f in found] == [
        (0, "worker died", True),
        (2, "no reason was recorded", False),
        (3, "diverged", False),
    ]


def test_workers_tell_their_trials_and_time() -> None:
    rows = workers(make_search(12, n_workers=3))
    assert [row["worker"] for row in rows] == ["node-0", "node-1", "node-2"]
    assert [row["trials"] for row in rows] == [4, 4, 4]
    assert all(row["run_time_s"] > 0 for row in rows)


def test_best_settings_are_all_settings_as_resolved() -> None:
    record = make_search()
    assert best_settings(record, best_trials(record)[0])["optimizer"] == "adadelta"


def test_best_settings_of_a_stock_study_are_its_parameters() -> None:
    record = make_search(20, by_hpo=False)
    best = best_trials(record)[0]
    assert best_settings(record, best) == dict(best.params)


def test_rows_of_trials_are_plain_data() -> None:
    rows = trial_rows(make_search(20))
    assert json.loads(json.dumps(rows)) == rows
    assert rows[3]["param.batch_size"] in (16, 64, 256)
    assert rows[0]["accuracy"] == pytest.approx(0.96, abs=0.1)


def test_the_front_of_many_trials_is_found_in_order_of_the_first_value() -> None:
    draw = random.Random(0)
    plans = [TrialPlan((draw.random(), draw.random())) for _ in range(300)]
    front = best_trials(record_of(*plans, directions=("minimize", "minimize")))
    firsts = [trial.values[0] for trial in front]
    assert firsts == sorted(firsts)
