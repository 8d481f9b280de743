"""The best of trials against Optuna's own answer, and what Optuna's does not know."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.ranking import best_of, losses


@dataclass(frozen=True)
class Tried:
    number: int
    values: tuple[float, ...] | None
    is_feasible: bool = True


def numbers(*values: tuple[float, ...] | None, directions: tuple[str, ...]) -> list[int]:
    tried = [Tried(number, found) for number, found in enumerate(values)]
    return [trial.number for trial in best_of(tried, directions)]


def test_the_first_of_equals_is_the_best_in_either_direction() -> None:
    values = ((0.5,), (0.7,), (0.7,), (0.5,))
    assert numbers(*values, directions=("maximize",)) == [1]
    assert numbers(*values, directions=("minimize",)) == [0]


@pytest.mark.parametrize("bad", [None, (math.nan,), (math.inf,), (-math.inf,)])
def test_a_value_that_is_none_is_never_the_best(bad: tuple[float, ...] | None) -> None:
    for direction in ("maximize", "minimize"):
        assert numbers(bad, (0.5,), bad, directions=(direction,)) == [1]
        assert numbers(bad, directions=(direction,)) == []


def test_an_infeasible_trial_is_best_only_where_none_is_feasible() -> None:
    good, fair = Tried(0, (0.9,), is_feasible=False), Tried(1, (0.5,))
    for tried, best in (([good, fair], fair), ([good], good)):
        assert best_of(tried, ["maximize"], lambda trial: trial.is_feasible) == (best,)


def test_losses_are_less_where_a_value_is_better() -> None:
    assert losses((2.0, 3.0), ("maximize", "minimize")) == (-2.0, 3.0)


VALUES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12)


@given(VALUES)
def test_the_front_holds_exactly_those_that_nothing_beats(values: list[tuple[int, int]]) -> None:
    def beats(one: tuple[int, int], other: tuple[int, int]) -> bool:
        return one != other and one[0] >= other[0] and one[1] <= other[1]

    expected = {
        number
        for number, value in enumerate(values)
        if not any(beats(other, value) for other in values)
    }
    assert set(numbers(*values, directions=("maximize", "minimize"))) == expected
