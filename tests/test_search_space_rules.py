"""What a search space may hold, what it means, and what is said of one that is wrong."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from hpo.spaces.parameters import label_of
from hpo.spaces.search_space import SearchSpace
from hpo.yaml_files.faults import Faulty, path_text


def faults(data: dict[str, Any], **fixed: Any) -> dict[str, str]:
    with pytest.raises(Faulty) as caught:
        SearchSpace.from_data(data, fixed)
    return {path_text(path): text for path, text in caught.value.findings}


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ([128, 64, 64], "128-64-64"),
        ([], "[]"),
        (10.0, "10"),
        (0.1, "0.1"),
        (1e-5, "1e-05"),
        (True, "true"),
        (None, "null"),
        ("relu", "relu"),
    ],
)
def test_a_label_is_the_shortest_text(value: Any, label: str) -> None:
    assert label_of(value) == label


def test_each_kind_of_parameter_has_its_optuna_distribution() -> None:
    space = SearchSpace.from_data(
        {
            "a": {"choices": ["relu", None, True, 2, 0.5, [1, 2]]},
            "b": {"low": 1, "high": 9, "step": 2},
            "c": {"low": 1, "high": 1024, "log": True},
            "d": {"low": 0.0, "high": 0.5, "step": 0.1},
            "e": {"low": 1e-4, "high": 1, "log": True},
            "f": {"low": 0, "high": 1, "step": 0.5},
        }
    )
    assert space.distributions() == {
        "a": CategoricalDistribution(["relu", None, True, 2, 0.5, "1-2"]),
        "b": IntDistribution(1, 9, step=2),
        "c": IntDistribution(1, 1024, log=True),
        "d": FloatDistribution(0.0, 0.5, step=0.1),
        "e": FloatDistribution(1e-4, 1.0, log=True),
        "f": FloatDistribution(0.0, 1.0, step=0.5),
    }


def test_a_grid_has_both_ends_of_a_step_and_no_rounding() -> None:
    space = SearchSpace.from_data({"dropout": {"low": 0.0, "high": 0.5, "step": 0.1}})
    assert [point["dropout"] for point in space.grid()] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_levels_give_the_grid_and_leave_the_range_to_other_methods() -> None:
    data = {"lr": {"low": 1e-3, "high": 1.0, "log": True, "levels": [0.01, 0.1]}}
    space = SearchSpace.from_data(data)
    assert [point["lr"] for point in space.grid()] == [0.01, 0.1]
    assert space.distributions()["lr"] == FloatDistribution(1e-3, 1.0, log=True)


def test_a_conditional_parameter_is_in_the_grid_only_where_it_exists() -> None:
    space = SearchSpace.from_data(
        {
            "momentum": {"choices": [0.0, 0.9], "when": {"optimizer": "sgd"}},
            "nesterov": {"choices": [True, False], "when": {"momentum": 0.9}},
            "optimizer": {"choices": ["sgd", "adam"]},
        }
    )
    assert list(space.grid()) == [
        {"optimizer": "sgd", "momentum": 0.0},
        {"optimizer": "sgd", "momentum": 0.9, "nesterov": True},
        {"optimizer": "sgd", "momentum": 0.9, "nesterov": False},
        {"optimizer": "adam"},
    ]


def test_a_free_length_list_has_one_point_per_list() -> None:
    space = SearchSpace.from_data(
        {"hidden_layers": {"length": {"low": 1, "high": 2}, "each": {"choices": [64, 128]}}}
    )
    lists = [space.settings(params)["hidden_layers"] for params in space.grid()]
    assert lists == [[64], [128], [64, 64], [64, 128], [128, 64], [128, 128]]
    assert list(space.parameters) == ["hidden_layers_length", "hidden_layers_0", "hidden_layers_1"]


def test_a_list_of_length_zero_is_an_empty_list_and_not_absent() -> None:
    space = SearchSpace.from_data(
        {"hidden_layers": {"length": {"low": 0, "high": 1}, "each": {"choices": [64]}}}
    )
    assert space.settings({"hidden_layers_length": 0}) == {"hidden_layers": []}


def test_a_condition_on_a_fixed_setting_is_decided_at_once() -> None:
    data = {
        "momentum": {"low": 0.0, "high": 0.9, "when": {"optimizer": "sgd"}},
        "nesterov": {"choices": [True, False], "when": {"momentum": 0.5}},
        "beta": {"low": 0.0, "high": 0.9, "when": {"optimizer": ["adam", "adamw"]}},
    }
    space = SearchSpace.from_data(data, {"optimizer": "adam"})
    assert list(space.parameters) == ["beta"]
    assert space.to_data() == {"beta": {"low": 0.0, "high": 0.9}}


def test_a_log_range_of_whole_numbers_draws_its_ends_as_optuna_does() -> None:
    space = SearchSpace.from_data({"n": {"low": 1, "high": 4, "log": True}})
    draws = [space.draw(Random(seed))["n"] for seed in range(4_000)]
    width = math.log(4.5) - math.log(0.5)
    for value in (1, 2, 3, 4):
        expected = (math.log(value + 0.5) - math.log(value - 0.5)) / width
        assert draws.count(value) / len(draws) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(
    ("parameter", "place", "message"),
    [
        ({"low": 2, "high": 1}, "x.low", "`low <= high` must hold, but got low=2, high=1."),
        ({"low": 0.0, "high": 1.0, "log": True}, "x.low", "`low > 0` must hold with `log: true`"),
        ({"low": 1, "high": 8, "log": True, "step": 1}, "x.step", "does not go with `log: true`"),
        ({"low": 0, "high": 5, "step": 2}, "x.step", "must reach `high`, but 4 is followed by 6."),
        ({"low": 0, "high": 5, "step": 0}, "x.step", "`step > 0` must hold, but got 0."),
        ({"low": 0.0, "high": 1.0, "step": 1e-12}, "x.step", "gives more than 1000000000 values."),
        ({"low": 1}, "x", "'high' is missing"),
        ({"low": True, "high": 2}, "x.low", "must be a number, but got true."),
        ({"low": "1", "high": 2}, "x.low", "must be a number, but got '1'."),
        ({"low": 0, "high": 2**60}, "x.high", "must lie between"),
        ({"choices": []}, "x.choices", "must not be empty."),
        ({"choices": [1, "1"]}, "x.choices[1]", "'1' and 1 have one label, 1."),
        ({"choices": [[1, 2], "1-2"]}, "x.choices[1]", "'1-2' and [1, 2] have one label, 1-2."),
        ({"choices": [1, True]}, "x.choices", "Optuna cannot tell 1 from true."),
        ({"choices": [{"a": 1}]}, "x.choices[0]", "must be a number, a word"),
        ({"choices": [[[1]]]}, "x.choices[0]", "must be a number, a word"),
        ({"choices": [1], "low": 1}, "x.low", "'low' does not go with 'choices'."),
        ({"choises": [1]}, "x.choises", "unknown key 'choises'. Did you mean 'choices'?"),
        ({}, "x", "needs `choices`, or `low` and `high`, or `length` and `each`."),
        (["relu"], "x", "Write {choices: [...]}."),
        (14, "x", "put it under `fixed`."),
        ({"low": 0.0, "high": 1.0, "levels": [2.0]}, "x.levels[0]", "must lie in 0.0..1.0"),
        ({"low": 0.0, "high": 1.0, "levels": [0.5, 0.5]}, "x.levels[1]", "0.5 is given twice."),
        ({"low": 0, "high": 2, "step": 1, "levels": [1]}, "x.levels", "`step` or `levels`"),
        ({"length": 2}, "x", "'each' is missing"),
        ({"length": 2, "each": {"choices": [1], "when": {"y": 1}}}, "x.each.when", "not go inside"),
        ({"length": 65, "each": {"choices": [1]}}, "x.length", "must be at most 64, but got 65."),
        ({"length": {"low": 1, "high": 99}, "each": {"choices": [1]}}, "x.length", "from 0 to 64"),
        (
            {"length": "y", "each": {"choices": [1]}},
            "x.length",
            "must be a whole number, but got 'y'",
        ),
        ({"levels": [1, 2]}, "x", "a range needs `low` and `high`; for"),
        ({"length": 2, "low": 1, "each": {"choices": [1]}}, "x.low", "belongs under `each`."),
    ],
)
def test_a_wrong_parameter_is_refused_at_its_place(
    parameter: Any, place: str, message: str
) -> None:
    found = faults({"x": parameter, "other": {"choices": [1, 2]}})
    assert message in found[place]


def test_conditions_name_known_parameters_and_values() -> None:
    found = faults(
        {
            "optimizer": {"choices": ["sgd", "adam"]},
            "momentum": {"low": 0.0, "high": 0.9},
            "a": {"choices": [1], "when": {"optimizr": "sgd"}},
            "b": {"choices": [1], "when": {"optimizer": "sdg"}},
            "c": {"choices": [1], "when": {"momentum": 0.5}},
            "d": {"length": 2, "each": {"choices": [1, 2]}},
            "e": {"choices": [1], "when": {"d": 1}},
            "f": {"choices": [1], "when": {"d_0": 2}},
        },
        activation="relu",
    )
    assert "neither in this space nor under `fixed`. Did you mean 'opt" in found["a.when.optimizr"]
    assert found["b.when.optimizer"].endswith("but got sdg. Did you mean 'sgd'?")
    assert "a condition needs single values" in found["c.when.momentum"]
    assert "is a list; name one of its parts" in found["e.when.d"]
    assert "f.when.d_0" not in found


def test_every_circle_of_conditions_is_named() -> None:
    found = faults(
        {
            "a": {"choices": [1], "when": {"b": 1}},
            "b": {"choices": [1], "when": {"c": 1}},
            "c": {"choices": [1], "when": {"a": 1}},
            "d": {"choices": [1], "when": {"d": 1}},
        }
    )
    assert found["c.when"] == "goes in a circle: a -> b -> c -> a."
    assert found["d.when"] == "goes in a circle: d -> d."


def test_two_parameters_may_not_give_one_flat_name() -> None:
    found = faults({"h": {"length": 1, "each": {"choices": [1]}}, "h_0": {"choices": [2]}})
    assert "gives 'h_0', which exists already." in found.values()


def test_flat_refuses_what_is_outside_the_space() -> None:
    space = SearchSpace.from_data(
        {
            "optimizer": {"choices": ["sgd", "adam"]},
            "momentum": {"low": 0.0, "high": 0.9, "when": {"optimizer": "sgd"}},
            "layers": {"length": {"low": 1, "high": 2}, "each": {"choices": [64]}},
        }
    )
    with pytest.raises(Faulty) as caught:
        space.flat({"optimiser": "sgd", "momentum": 2.0, "layers": [64, 64, 64]})
    texts = {path_text(path): text for path, text in caught.value.findings}
    assert texts == {
        "optimiser": "is not in the search space. Did you mean 'optimizer'?",
        "momentum": "must lie in 0.0..0.9, but got 2.0.",
        "layers": "must be a list of at most 2 values.",
    }
    with pytest.raises(Faulty, match="'momentum' exists only while 'optimizer' is sgd"):
        space.flat({"optimizer": "adam", "momentum": 0.5})


def test_a_whole_number_becomes_a_decimal_in_a_decimal_range() -> None:
    space = SearchSpace.from_data({"lr": {"low": 0.1, "high": 3.0}})
    assert repr(space.flat({"lr": 1})) == "{'lr': 1.0}"


def test_settings_pass_on_what_the_objective_asked_beside_the_space() -> None:
    space = SearchSpace.from_data({"x": {"choices": [[1, 2]]}})
    assert space.settings({"x": "1-2", "own": 3}) == {"x": [1, 2], "own": 3}
