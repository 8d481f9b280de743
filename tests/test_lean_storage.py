"""Fewer statements, the same rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage, get_storage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.databases.lean_storage import LeanStorage
from hpo.databases.storage import open_storage

DISTRIBUTIONS = {
    "x": FloatDistribution(1e-3, 1.0, log=True),
    "n": IntDistribution(1, 9, step=2),
    "c": CategoricalDistribution(["a", None, True, 2.5]),
}
OVERRIDDEN = (
    "_create_new_trial",
    "_get_prepared_new_trial",
    "_get_trials",
    "_set_trial_param",
)
TEMPLATE = create_trial(
    state=TrialState.RUNNING,
    params={"x": 0.1, "n": 3, "c": True},
    distributions=DISTRIBUTIONS,
    user_attrs={"point": 4, "text": "ü", "nested": {"a": [1, None]}},
    system_attrs={"fixed_params": {"y": 1}},
)


@pytest.fixture
def both(storage_url: str) -> Iterator[tuple[BaseStorage, BaseStorage, int]]:
    """The short way and Optuna's own on one database, and a study there."""
    storage = open_storage(storage_url, create=True)
    study = storage.optuna.create_new_study([StudyDirection.MINIMIZE], "s")
    stock = RDBStorage(storage.url, skip_table_creation=True)
    yield storage.optuna, get_storage(stock), study
    stock.engine.dispose()
    storage.close()


def told(trial: FrozenTrial) -> dict[str, Any]:
    """All of a trial but what differs from one to the next."""
    own = ("_trial_id", "_number", "_datetime_start", "datetime_start", "datetime_complete")
    return {key: value for key, value in vars(trial).items() if key not in own}


def test_a_trial_is_created_as_optuna_creates_it(
    both: tuple[BaseStorage, BaseStorage, int],
) -> None:
    lean, stock, study = both
    numbers = [storage.create_new_trial(study, TEMPLATE) for storage in (lean, stock)]
    ours, theirs = (stock.get_trial(number) for number in numbers)
    assert (ours.number, theirs.number) == (0, 1)
    assert told(ours) == told(theirs)
    assert list(ours.params.items()) == [("x", 0.1), ("n", 3), ("c", True)]
    assert told(lean.get_trial(numbers[0])) == told(ours)


def test_a_created_trial_is_read_anew_from_the_second_time_on(
    both: tuple[BaseStorage, BaseStorage, int],
) -> None:
    lean, stock, study = both
    trial = lean.create_new_trial(study, TEMPLATE)
    lean.get_trial(trial).params["x"] = "changed by whoever asked"
    stock.set_trial_user_attr(trial, "later", 1)
    assert lean.get_trial(trial).user_attrs["later"] == 1
    assert lean.get_trial(trial).params["x"] == 0.1


def test_trials_are_read_as_optuna_reads_them(
    both: tuple[BaseStorage, BaseStorage, int],
) -> None:
    lean, stock, study = both
    assert lean.get_all_trials(study) == stock.get_all_trials(study) == []
    trials = [stock.create_new_trial(study, TEMPLATE if n % 2 else None) for n in range(6)]
    for trial in trials[:4]:
        stock.set_trial_intermediate_value(trial, 2, math.inf)
        stock.set_trial_intermediate_value(trial, 1, 0.5)
        stock.set_trial_user_attr(trial, "later", [1])
    for trial, state in zip(trials, (TrialState.FAIL, TrialState.PRUNED), strict=False):
        stock.set_trial_state_values(trial, state, None)
    stock.set_trial_state_values(trials[2], TrialState.COMPLETE, [-math.inf])
    assert lean.get_all_trials(study) == stock.get_all_trials(study)
    assert [lean.get_trial(trial) for trial in trials] == stock.get_all_trials(study)
    stock.set_trial_state_values(trials[5], TrialState.COMPLETE, [1.0])  # older ones still run
    assert lean.get_all_trials(study) == stock.get_all_trials(study)
    for states in ((TrialState.COMPLETE,), (TrialState.RUNNING, TrialState.FAIL), ()):
        ours, theirs = (storage.get_all_trials(study, states=states) for storage in (lean, stock))
        assert ours == theirs
    with pytest.raises(KeyError):
        lean.get_all_trials(study + 1)
    with pytest.raises(KeyError):
        lean.get_trial(trials[-1] + 1)


def test_a_trial_without_anything_can_be_created(
    both: tuple[BaseStorage, BaseStorage, int],
) -> None:
    lean, _, study = both
    trial = lean.get_trial(lean.create_new_trial(study))
    assert (trial.state, trial.params, trial.user_attrs) == (TrialState.RUNNING, {}, {})


@pytest.mark.parametrize("value", [0.25, 1e300, math.inf, -math.inf, math.nan])
def test_a_report_is_kept_as_optuna_keeps_it(
    both: tuple[BaseStorage, BaseStorage, int], value: float
) -> None:
    lean, stock, study = both
    trial = lean.create_new_trial(study, TEMPLATE)
    lean.set_trial_intermediate_value(trial, 1, value)
    kept = stock.get_trial(trial).intermediate_values
    assert kept == {1: pytest.approx(value, nan_ok=True)}
    lean.set_trial_intermediate_value(trial, 1, 0.5)  # Optuna's own way: the later one stays
    assert stock.get_trial(trial).intermediate_values == {1: 0.5}


def test_a_parameter_is_kept_and_must_agree_with_earlier_trials(
    both: tuple[BaseStorage, BaseStorage, int],
) -> None:
    lean, stock, study = both
    for value in (0.25, 0.5):
        trial = lean.create_new_trial(study)
        lean.set_trial_param(trial, "x", value, DISTRIBUTIONS["x"])
        assert stock.get_trial(trial).params == {"x": value}
    with pytest.raises(ValueError, match="Cannot set different distribution kind"):
        lean.set_trial_param(lean.create_new_trial(study), "x", 1, IntDistribution(0, 2))


@pytest.mark.parametrize("kind", ["user", "system"])
def test_an_attribute_is_kept_and_the_later_value_stays(
    both: tuple[BaseStorage, BaseStorage, int], kind: str
) -> None:
    lean, stock, study = both
    trial = lean.create_new_trial(study, TEMPLATE)
    for value in ([1, {"a": None}], "later"):
        getattr(lean, f"set_trial_{kind}_attr")(trial, "key", value)
        assert getattr(stock.get_trial(trial), f"{kind}_attrs")["key"] == value


def test_nothing_is_written_to_a_trial_that_has_ended(
    both: tuple[BaseStorage, BaseStorage, int],
) -> None:
    lean, stock, study = both
    lean.set_trial_param(lean.create_new_trial(study), "x", 0.5, DISTRIBUTIONS["x"])
    trial = lean.create_new_trial(study)
    stock.set_trial_state_values(trial, TrialState.FAIL)
    with pytest.raises(UpdateFinishedTrialError):
        lean.set_trial_intermediate_value(trial, 1, 0.5)
    with pytest.raises(UpdateFinishedTrialError):
        lean.set_trial_param(trial, "x", 0.5, DISTRIBUTIONS["x"])
    with pytest.raises(UpdateFinishedTrialError):
        lean.set_trial_user_attr(trial, "key", 1)
    ended = stock.get_trial(trial)
    assert (ended.params, ended.intermediate_values, ended.user_attrs) == ({}, {}, {})


def test_the_private_methods_that_are_overridden_are_optunas_still() -> None:
    for name in OVERRIDDEN:
        assert name in vars(RDBStorage)
        assert name in vars(LeanStorage)
    assert optuna.__version__.startswith("5.")
