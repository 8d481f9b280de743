from __future__ import annotations

import pytest
from optuna.trial import FrozenTrial, create_trial

from hpo.events import (
    StudyOpened,
    TrialFailed,
    TrialFinished,
    TrialLost,
    TrialReleased,
    TrialStarted,
)
from hpo.ledger.points import Counts
from hpo.runs.endings import ended
from hpo.runs.progress import RunProgress
from hpo.runs.standing import Follower, Standing, StandingRead


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def finished(trial: int, state: str = "COMPLETE") -> TrialFinished:
    return TrialFinished(trial=trial, state=state)


def progress_from(standing: Standing, clock: Clock | None = None) -> RunProgress:
    progress = RunProgress(clock or Clock())
    progress.note(StandingRead(standing))
    return progress


def trial_of(value: float, number: int = 0) -> FrozenTrial:
    trial = create_trial(value=value)
    trial.number = number
    return trial


def test_what_this_run_did_and_its_pace_follow_the_events() -> None:
    clock = Clock()
    progress = progress_from(Standing(Counts(free=4)), clock)
    for trial in (0, 1):
        progress.note(TrialStarted(trial=trial, slot=f"cpu#{trial}"))
    assert progress.running == {0: "cpu#0", 1: "cpu#1"}
    assert progress.seconds_left() is None
    clock.now = 30.0
    progress.note(finished(0))
    progress.note(finished(1, "PRUNED"))
    assert (progress.own.done, progress.own.pruned, progress.running) == (2, 1, {})
    assert progress.trials_per_minute() == pytest.approx(4.0)
    progress.note(StandingRead(Standing(Counts(free=2, done=2))))
    assert progress.seconds_left() == pytest.approx(30.0)


def test_the_pace_is_that_of_the_workers_whatever_came_before_them() -> None:
    clock = Clock()
    progress = RunProgress(clock)
    clock.now = 100.0
    progress.note(
        StudyOpened("s", "url", "tpe", True, 2, ["cpu#0"], "asked", to_go=2, has_work=True)
    )
    clock.now = 160.0
    progress.note(finished(0))
    assert progress.trials_per_minute() == pytest.approx(1.0)


def test_the_time_left_counts_what_other_runs_do() -> None:
    clock = Clock()
    progress = progress_from(Standing(Counts(free=40)), clock)
    clock.now = 60.0
    progress.note(finished(0))
    progress.note(StandingRead(Standing(Counts(free=10, done=30))))
    assert progress.seconds_left() == pytest.approx(20.0)


def test_a_failed_trial_and_a_point_lost_for_good_count_as_failed_and_a_released_one_does_not() -> (
    None
):
    progress = progress_from(Standing(Counts(free=4)), Clock())
    progress.note(TrialFailed(trial=0, reason="no"))
    progress.note(TrialLost(1, 1, "FREE", "gone"))
    progress.note(TrialLost(2, 2, "FAILED", "gone"))
    progress.note(TrialReleased(trial=3))
    assert (progress.own.failed, progress.own.released) == (2, 1)


def test_the_line_of_a_run_alone_is_the_studys() -> None:
    progress = progress_from(Standing(Counts(free=3)), Clock())
    progress.note(finished(0))
    progress.note(StandingRead(Standing(Counts(free=2, done=1), best=(trial_of(0.5),))))
    assert progress.line() == "1 of 3 done, 0 pruned, best 0.5 (trial 0)"


def test_the_line_says_what_this_run_did_where_others_did_something_too() -> None:
    progress = progress_from(Standing(Counts(free=3, done=7), n_pruned=4), Clock())
    progress.note(finished(7, "PRUNED"))
    progress.note(StandingRead(Standing(Counts(done=10), n_pruned=5, best=(trial_of(0.25, 8),))))
    assert progress.line() == (
        "10 of 10 done, 5 pruned, best 0.25 (trial 8); this run: 1 trial, 1 pruned"
    )


def test_a_trial_whose_end_was_not_heard_of_yet_is_nobody_elses() -> None:
    progress = progress_from(Standing(Counts(free=2)), Clock())
    progress.note(TrialStarted(trial=0, slot="cpu#0"))
    progress.note(StandingRead(Standing(Counts(free=1, done=1))))
    assert "this run" not in progress.line()


def test_several_directions_have_no_single_best() -> None:
    front = (create_trial(values=[1.0, 2.0]),)
    assert Standing(Counts(), best=front).winner is None


def test_points_that_failed_are_not_called_done() -> None:
    assert ended(Counts(done=3)).reason == "every point is done"
    assert ended(Counts(failed=10)).reason == "every point has ended: 10 failed"
    assert ended(Counts(done=2, failed=1)).reason == "every point has ended: 2 done, 1 failed"


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
