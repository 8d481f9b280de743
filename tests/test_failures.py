"""Failures of a run: which was the first, and when they are too many."""

from __future__ import annotations

import pytest

from hpo.runs.failures import DEFAULT_MAX_FAILURES, Failures


def test_the_first_failure_is_that_of_the_lowest_trial_whichever_was_heard_first() -> None:
    failures = Failures(None)
    failures.fail(9, "late")
    failures.fail(0, "early")
    assert failures.first == "trial 0: early"
    assert str(failures) == "2 trials failed; the first trial 0: early"


def test_without_a_failed_trial_the_first_lost_worker_is_named() -> None:
    failures = Failures(None)
    failures.lose("its worker was killed by SIGKILL")
    failures.lose("its worker ended with exit code 1")
    assert failures.first == "its worker was killed by SIGKILL"


@pytest.mark.parametrize("n_succeeded", [0, 1])
def test_ten_failures_before_any_success_are_too_many(n_succeeded: int) -> None:
    failures = Failures(None)
    for number in range(DEFAULT_MAX_FAILURES):
        assert not failures.are_too_many()
        if number < n_succeeded:
            failures.succeed()
        failures.fail(number, "no")
    assert failures.are_too_many() == (n_succeeded == 0)


def test_a_limit_of_its_own_counts_failures_after_successes_too() -> None:
    failures = Failures(2)
    failures.succeed()
    failures.fail(1, "no")
    assert not failures.are_too_many()
    failures.fail(2, "no")
    assert failures.are_too_many()
