from __future__ import annotations

from typing import Any

import pytest

from hpo.runs.tally import Tally


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def finished(trial: int, value: float | None) -> dict[str, Any]:
    state = "PRUNED" if value is None else "COMPLETE"
    values = None if value is None else [value]
    return {
        "event": "trial_finished",
        "trial": trial,
        "state": state,
        "values": values,
        "params": {"x": trial},
    }


def test_counts_best_and_pace_follow_the_events() -> None:
    clock = Clock()
    tally = Tally(total=4, maximize=True, clock=clock)
    for trial in (0, 1):
        tally.note({"event": "trial_started", "trial": trial, "slot": f"cpu#{trial}"})
    assert tally.running == {0: "cpu#0", 1: "cpu#1"}
    assert tally.seconds_left() is None
    clock.now = 30.0
    tally.note(finished(0, 0.5))
    tally.note(finished(1, None))
    assert (tally.done, tally.pruned, tally.running) == (2, 1, {})
    assert (tally.best, tally.best_trial, tally.best_params) == (0.5, 0, {"x": 0})
    assert tally.trials_per_minute() == pytest.approx(4.0)
    assert tally.seconds_left() == pytest.approx(30.0)


def test_the_best_follows_the_direction() -> None:
    lower = Tally(total=2, maximize=False, clock=Clock(), best=0.5, best_trial=7)
    lower.note(finished(8, 0.6))
    assert lower.best_trial == 7
    lower.note(finished(9, 0.4))
    assert lower.best_trial == 9


def test_a_failed_trial_and_a_point_lost_for_good_count_as_failed() -> None:
    tally = Tally(total=3, maximize=None, clock=Clock())
    tally.note({"event": "trial_failed", "trial": 0, "reason": "no"})
    tally.note({"event": "trial_lost", "trial": 1, "state": "FREE"})
    tally.note({"event": "trial_lost", "trial": 2, "state": "FAILED"})
    assert tally.failed == 2


def test_several_objective_values_have_no_best() -> None:
    tally = Tally(total=1, maximize=None, clock=Clock())
    tally.note({**finished(0, 1.0), "values": [1.0, 2.0]})
    assert tally.best is None
