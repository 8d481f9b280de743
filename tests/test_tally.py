from __future__ import annotations

from typing import Any

import pytest
from optuna.trial import FrozenTrial, create_trial

from hpo.ledger.points import Counts
from hpo.runs.standing import Follower, Standing, how_points_ended
from hpo.runs.tally import Tally


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def finished(trial: int, state: str = "COMPLETE") -> dict[str, Any]:
    return {"event": "trial_finished", "trial": trial, "state": state}


def trial_of(value: float, number: int = 0) -> FrozenTrial:
    trial = create_trial(value=value)
    trial.number = number
    return trial


def test_what_this_run_did_and_its_pace_follow_the_events() -> None:
    clock = Clock()
    tally = Tally(Standing(Counts(free=4)), clock)
    for trial in (0, 1):
        tally.note({"event": "trial_started", "trial": trial, "slot": f"cpu#{trial}"})
    assert tally.running == {0: "cpu#0", 1: "cpu#1"}
    assert tally.seconds_left() is None
    clock.now = 30.0
    tally.note(finished(0))
    tally.note(finished(1, "PRUNED"))
    assert (tally.done, tally.pruned, tally.running) == (2, 1, {})
    assert tally.trials_per_minute() == pytest.approx(4.0)
    tally.standing = Standing(Counts(free=2, done=2))
    assert tally.seconds_left() == pytest.approx(30.0)


def test_the_time_left_counts_what_other_runs_do() -> None:
    clock = Clock()
    tally = Tally(Standing(Counts(free=40)), clock)
    clock.now = 60.0
    tally.note(finished(0))
    tally.standing = Standing(Counts(free=10, done=30))
    assert tally.seconds_left() == pytest.approx(20.0)


def test_a_failed_trial_and_a_point_lost_for_good_count_as_failed_and_a_released_one_does_not() -> (
    None
):
    tally = Tally(Standing(Counts(free=4)), Clock())
    tally.note({"event": "trial_failed", "trial": 0, "reason": "no"})
    tally.note({"event": "trial_lost", "trial": 1, "state": "FREE", "fate": "LOST"})
    tally.note({"event": "trial_lost", "trial": 2, "state": "FAILED", "fate": "LOST"})
    tally.note({"event": "trial_released", "trial": 3})
    tally.note({"event": "trial_lost", "trial": 4, "state": "FREE", "fate": "RELEASED"})
    assert (tally.failed, tally.released) == (2, 2)


def test_the_line_of_a_run_alone_is_the_studys() -> None:
    tally = Tally(Standing(Counts(free=3)), Clock())
    tally.note(finished(0))
    tally.standing = Standing(Counts(free=2, done=1), best=(trial_of(0.5),))
    assert tally.line() == "1 of 3 done, 0 pruned, best 0.5 (trial 0)"


def test_the_line_says_what_this_run_did_where_others_did_something_too() -> None:
    tally = Tally(Standing(Counts(free=3, done=7), n_pruned=4), Clock())
    tally.note(finished(7, "PRUNED"))
    tally.standing = Standing(Counts(done=10), n_pruned=5, best=(trial_of(0.25, 8),))
    assert tally.line() == (
        "10 of 10 done, 5 pruned, best 0.25 (trial 8); this run: 1 trial, 1 pruned"
    )


def test_a_trial_whose_end_was_not_heard_of_yet_is_nobody_elses() -> None:
    tally = Tally(Standing(Counts(free=2)), Clock())
    tally.note({"event": "trial_started", "trial": 0, "slot": "cpu#0"})
    tally.standing = Standing(Counts(free=1, done=1))
    assert "this run" not in tally.line()


def test_several_directions_have_no_single_best() -> None:
    front = (create_trial(values=[1.0, 2.0]),)
    assert Standing(Counts(), best=front).winner is None


def test_points_that_failed_are_not_called_done() -> None:
    assert how_points_ended(Counts(done=3)) == "every point is done"
    assert how_points_ended(Counts(failed=10)) == "every point has ended: 10 failed"
    assert how_points_ended(Counts(done=2, failed=1)) == "every point has ended: 2 done, 1 failed"


def test_a_study_that_is_slow_to_read_is_read_seldom() -> None:
    clock, reads = Clock(), []

    def read() -> Standing:
        reads.append(clock.now)
        clock.now += 1.0
        return Standing(Counts())

    follower = Follower(read, clock)
    for second in range(0, 200, 2):
        clock.now = float(second)
        follower.look()
    assert reads == [2.0, 54.0, 106.0, 158.0]
