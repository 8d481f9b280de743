from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState

from hpo.workers.outcomes import judge


@pytest.mark.parametrize("returned", [1, 1.5, True, np.float32(1.5), np.array(1.5), [2.0], (2,)])
def test_a_number_is_a_result(returned: Any) -> None:
    outcome = judge(returned, 1)
    assert outcome.state == TrialState.COMPLETE
    assert outcome.values is not None
    assert all(type(value) is float for value in outcome.values)


def test_infinity_is_a_result_as_in_optuna() -> None:
    assert judge(float("inf"), 1).values == [float("inf")]


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (None, "must return a number, but returned None"),
        ("0.9", "must return a number, but returned '0.9'"),
        (float("nan"), "must return a number that is not NaN, but returned nan"),
        (10**400, "must return a number that a float can hold, but returned 1000"),
        ((1.0, 2.0), "must return 1 value(s), but returned (1.0, 2.0)"),
        (1 + 2j, "must return a number"),
        (np.zeros(3), "must return a number"),
    ],
)
def test_anything_else_fails_with_the_rule_and_the_value(returned: Any, reason: str) -> None:
    outcome = judge(returned, 1)
    assert outcome.state == TrialState.FAIL
    assert reason in str(outcome.reason)


def test_several_objectives_need_as_many_values() -> None:
    assert judge((1.0, 2.0), 2).values == [1.0, 2.0]
    assert judge(1.0, 2).state == TrialState.FAIL
