from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from hpo.reporting.records import StudyRecord, TrialRecord
from hpo.reporting.trials import (
    best_settings,
    best_trials,
    counts_text,
    ending,
    ending_counts,
    failures,
    incomplete_parts,
    interruptions,
    n_evaluated,
    state_counts,
    trial_rows,
    workers,
)

from .made_searches import make_search
from .made_studies import TrialPlan, make_study, ours, read_made


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


@pytest.mark.parametrize(
    ("state", "attributes", "expected"),
    [
        (TrialState.COMPLETE, {}, "complete"),
        (TrialState.PRUNED, {}, "pruned"),
        (TrialState.RUNNING, {}, "running"),
        (TrialState.FAIL, {}, "failed"),
        (TrialState.FAIL, {"fate": "RELEASED", "closes_point": False}, "released"),
        (TrialState.FAIL, {"fate": "LOST", "closes_point": False}, "lost"),
        (TrialState.FAIL, {"fate": "LOST"}, "failed"),
        (TrialState.FAIL, {"fate": "FAILED", "closes_point": False}, "failed"),
    ],
)
def test_what_became_of_a_trial_is_told_by_its_state_and_the_books(
    state: TrialState, attributes: dict[str, Any], expected: str
) -> None:
    value = None if state == TrialState.FAIL else 0.5
    plan = TrialPlan(value, state=state, attributes={"point": 0, **attributes})
    (trial,) = record_of(plan).trials
    assert ending(trial) == expected


def interrupted(*, file: dict[str, Any]) -> StudyRecord:
    """Point 0 was given back, then lost, then done; point 1 failed, was freed and is done."""
    ends: list[tuple[int, dict[str, Any]]] = [
        (0, {"fate": "RELEASED"}), (0, {"fate": "LOST"}), (1, {"fate": "FAILED"}),
    ]  # fmt: skip
    gone = [
        TrialPlan(None, state=TrialState.FAIL, attributes={"point": n, "closes_point": False, **e})
        for n, e in ends
    ]
    done = [TrialPlan(0.5, attributes={"point": n}) for n in (0, 1)]
    return read_made(make_study([*gone, *done], attributes=ours(file)), {})


def test_a_study_whose_points_are_all_done_is_complete_whatever_it_took() -> None:
    record = interrupted(file={"method": "tpe", "n_trials": 2})
    assert incomplete_parts(record) == []
    assert ending_counts(record) == {"complete": 2, "failed": 1, "released": 1, "lost": 1}
    assert [f.trial.number for f in failures(record)] == [2]
    found = interruptions(record)
    assert [(f.trial.number, f.ending, f.was_repeated) for f in found] == [
        (0, "released", True),
        (1, "lost", True),
    ]


def test_points_without_a_result_and_failed_ones_are_what_is_missing() -> None:
    failed = TrialPlan(None, state=TrialState.FAIL, attributes={"point": 2})
    record = read_made(make_study([failed], attributes=ours({"method": "tpe", "n_trials": 3})), {})
    assert incomplete_parts(record) == [
        "3 of 3 planned evaluations have no result",
        "1 trial failed",
    ]


def test_warm_started_trials_are_apart_from_those_of_the_plan() -> None:
    plans = [TrialPlan(0.9, attributes={"warm_start": "old, trial 0"}), TrialPlan(0.5)]
    record = read_made(make_study(plans, attributes=ours({"method": "tpe", "n_trials": 1})), {})
    assert [trial.number for trial in record.warm_starts] == [0]
    assert [trial.number for trial in record.all_trials] == [0, 1]
    assert [trial.number for trial in best_trials(record)] == [1]
    assert n_evaluated(record) == 1
    assert [row["ending"] for row in trial_rows(record)] == ["warm start", "complete"]


def test_counts_are_told_in_words() -> None:
    assert counts_text({"complete": 1200, "released": 2, "lost": 1}, 5) == (
        "1,200 complete, 2 given back, 1 lost with their worker, 5 warm starts"
    )


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
