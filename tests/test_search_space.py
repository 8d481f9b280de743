"""Laws of search spaces: what a space gives Optuna, a grid, a draw and the user must agree."""

from __future__ import annotations

import json
from itertools import product
from random import Random
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution

from hpo.spaces.search_space import SearchSpace
from tests.space_strategies import STEPPED, spaces

optuna.logging.set_verbosity(optuna.logging.WARNING)
SEEDS = st.integers(0, 2**31)


def holds(distribution: BaseDistribution, value: Any) -> bool:
    internal = distribution.to_internal_repr(value)
    return distribution._contains(internal)


@given(spaces())
def test_a_space_survives_json(data: dict[str, Any]) -> None:
    space = SearchSpace.from_data(data)
    again = SearchSpace.from_data(json.loads(json.dumps(space.to_data())))
    assert again == space
    assert dict(again.parameters) == dict(space.parameters)
    assert again.distributions() == space.distributions()


@given(spaces(), SEEDS)
def test_a_draw_lies_in_the_distributions_of_exactly_the_active_parameters(
    data: dict[str, Any], seed: int
) -> None:
    space = SearchSpace.from_data(data)
    params = space.draw(Random(seed))
    distributions = space.distributions()
    assert list(params) == space.active(params)
    for name, value in params.items():
        distribution = distributions[name]
        assert holds(distribution, value)
        assert distribution.to_external_repr(distribution.to_internal_repr(value)) == value


@given(spaces(), SEEDS)
def test_settings_and_flat_values_are_each_others_inverse(data: dict[str, Any], seed: int) -> None:
    space = SearchSpace.from_data(data)
    params = space.draw(Random(seed))
    written = space.settings(params)
    assert space.flat(written) == params
    assert space.flat(params) == params
    assert set(written) <= set(data)
    assert space.settings(space.flat(written)) == written


@given(spaces(), SEEDS)
def test_suggesting_from_a_fixed_trial_gives_the_drawn_point(
    data: dict[str, Any], seed: int
) -> None:
    space = SearchSpace.from_data(data)
    params = space.draw(Random(seed))
    assert space.suggest(optuna.trial.FixedTrial(params)) == params


@given(spaces(), SEEDS)
@settings(max_examples=50)
def test_an_optuna_trial_records_the_distributions_of_the_space(
    data: dict[str, Any], seed: int
) -> None:
    space = SearchSpace.from_data(data)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    trial = study.ask()
    params = space.suggest(trial)
    assert trial.params == params
    assert list(params) == space.active(params)
    assert trial.distributions == {n: space.distributions()[n] for n in params}
    assert space.flat(space.settings(params)) == pytest.approx(params)


@pytest.fixture(scope="module")
def storage() -> optuna.storages.BaseStorage:
    return optuna.storages.RDBStorage("sqlite:///:memory:")


@given(data=spaces(), seed=SEEDS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_round_trip_through_the_database_changes_nothing(
    storage: optuna.storages.BaseStorage, data: dict[str, Any], seed: int
) -> None:
    space = SearchSpace.from_data(data)
    params = space.draw(Random(seed))
    distributions = {name: space.distributions()[name] for name in params}
    study = optuna.create_study(storage=storage)
    study.set_user_attr("space", space.to_data())
    study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=0.0))
    loaded = optuna.load_study(study_name=study.study_name, storage=storage)
    assert SearchSpace.from_data(loaded.user_attrs["space"]) == space
    assert loaded.trials[0].params == params
    assert loaded.trials[0].distributions == distributions


def brute_force_grid(space: SearchSpace) -> set[tuple[tuple[str, Any], ...]]:
    """Every combination of all levels, cut down to the parameters that exist in it."""
    names = list(space.parameters)
    points = set()
    for values in product(*(list(space.parameters[name].levels()) for name in names)):
        full = dict(zip(names, values, strict=True))
        points.add(tuple((name, repr(full[name])) for name in space.active(full)))
    return points


@given(spaces(STEPPED))
@settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
def test_a_grid_is_the_product_of_its_levels_without_repeats(data: dict[str, Any]) -> None:
    space = SearchSpace.from_data(data)
    size = 1
    for parameter in space.parameters.values():
        size *= parameter.n_levels
    if size > 5_000:
        return
    points = [tuple((n, repr(v)) for n, v in params.items()) for params in space.grid()]
    assert len(points) == len(set(points))
    assert set(points) == brute_force_grid(space)


@given(spaces(), SEEDS)
def test_completing_a_part_of_a_point_keeps_the_part(data: dict[str, Any], seed: int) -> None:
    space = SearchSpace.from_data(data)
    params = space.draw(Random(seed))
    assert space.complete(params, Random(seed + 1)) == params
    assert space.complete({}, Random(seed)) == params


@given(st.integers(0, 2**31), st.booleans())
def test_the_same_seed_draws_the_same_point(seed: int, log: bool) -> None:
    space = SearchSpace.from_data({"x": {"low": 1.0, "high": 9.0, "log": log}})
    assert space.draw(Random(seed)) == space.draw(Random(seed))
