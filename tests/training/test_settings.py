"""Settings: defaults, near misses, and every rule."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.errors import SettingsFaults, UserError
from hpo.training.settings import MLPSettings


def refused(values: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        MLPSettings.from_mapping(values)
    assert isinstance(caught.value, SettingsFaults)
    return str(caught.value)


def test_defaults_are_the_articles_baseline_evaluated_on_held_out_images() -> None:
    settings = MLPSettings()
    assert (settings.hidden_layers, settings.activation, settings.loss) == ((128,), "relu", "nll")
    assert (settings.optimizer, settings.learning_rate) == ("adadelta", 1.0)
    assert (settings.batch_size, settings.test_batch_size, settings.epochs) == (64, 1000, 14)
    assert (settings.seed, settings.log_interval, settings.schedule) == (1, 40, "none")
    assert (settings.shuffle, settings.validation_size) == (True, 10_000)


def test_an_unknown_key_is_refused_with_its_near_miss() -> None:
    message = refused({"learning_rat": 1})
    hint = "learning_rat: unknown setting 'learning_rat'. Did you mean 'learning_rate'?"
    assert message.startswith(hint)


def test_an_unknown_choice_is_refused_with_its_near_miss() -> None:
    message = refused({"optimizer": "sdg"})
    assert message.startswith("optimizer: must be one of adadelta, sgd, adam, adamw, rmsprop")
    assert message.endswith("but got 'sdg'. Did you mean 'sgd'?")


def test_every_fault_is_told_at_once() -> None:
    wrong = {"epoch": 3, "batch_size": 0, "loss": "nil", "dropout": [0.1, 1.5], "momentum": 0.5}
    with pytest.raises(SettingsFaults) as caught:
        MLPSettings.from_mapping(wrong)
    paths = {path for path, _ in caught.value.faults}
    assert paths == {("epoch",), ("batch_size",), ("loss",), ("dropout", 1), ("momentum",)}
    lines = str(caught.value).splitlines()
    assert "dropout[1]: must be below 1, but got 1.5." in lines
    assert "momentum: only sgd and rmsprop have momentum, but got 0.5 with adadelta." in lines


def test_faults_come_whole_out_of_another_process() -> None:
    with pytest.raises(SettingsFaults) as caught:
        MLPSettings.from_mapping({"epochs": 0, "seed": "x"})
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.faults, str(again)) == (caught.value.faults, str(caught.value))
    assert len(again.faults) == 2


def test_settings_are_frozen_and_equal_by_value() -> None:
    settings = MLPSettings.from_mapping({"hidden_layers": [8, 4]})
    assert settings == MLPSettings(hidden_layers=(8, 4))
    assert hash(settings) == hash(MLPSettings(hidden_layers=(8, 4)))
    with pytest.raises((TypeError, ValueError), match="frozen"):
        settings.epochs = 3  # type: ignore[misc]


def test_another_seed_changes_nothing_else() -> None:
    settings = MLPSettings(epochs=3, dropout=(0.5,), seed=7)
    assert settings.with_seed(8) == MLPSettings(epochs=3, dropout=(0.5,), seed=8)


@pytest.mark.parametrize(
    "values",
    [
        {"learning_rate": 0},
        {"learning_rate": float("nan")},
        {"learning_rate": "1.0"},
        {"learning_rate": True},
        {"batch_size": 1.5},
        {"epochs": True},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"dropout": [0.1, "x"]},
        {"hidden_layers": 128},
        {"hidden_layers": "128"},
        {"hidden_layers": [0]},
        {"activation": ["relu", "relu"]},
        {"dropout": [0.1, 0.2]},
        {"activation": []},
        {"shuffle": 1},
        {"seed": -1},
        {"split_seed": 2**32},
        {"dataset": "cifar"},
        {"dataset": 3},
        {"engine": "jax"},
        {"momentum": 0.9},
        {"momentum": 0.9, "optimizer": "adam"},
        {"weight_decay": -1},
        {"l1": -1},
        {"schedule": None},
    ],
    ids=str,
)
def test_a_value_that_breaks_its_rule_is_refused_by_name(values: dict[str, Any]) -> None:
    assert refused(values).split(":")[0].split("[")[0] in values


def test_the_constructor_refuses_what_a_mapping_does() -> None:
    with pytest.raises(UserError, match="batch_size: must be at least 1, but got -2."):
        MLPSettings(batch_size=-2)


def test_one_value_for_each_layer_is_kept_and_one_value_is_spread() -> None:
    settings = MLPSettings.from_mapping(
        {"hidden_layers": [8, 4], "activation": ["relu", "tanh"], "dropout": 0.5}
    )
    assert settings.activations == ("relu", "tanh")
    assert settings.dropouts == (0.5, 0.5)


def test_whole_floats_are_integers_and_integers_are_numbers() -> None:
    settings = MLPSettings.from_mapping({"batch_size": 32.0, "learning_rate": 1})
    assert settings.batch_size == 32
    assert isinstance(settings.batch_size, int)
    assert isinstance(settings.learning_rate, float)


settings_values = st.fixed_dictionaries(
    {},
    optional={
        "hidden_layers": st.lists(st.integers(1, 512), max_size=5),
        "learning_rate": st.floats(1e-6, 10),
        "optimizer": st.sampled_from(["adadelta", "adam", "adamw", "sgd"]),
        "dropout": st.floats(0, 0.9),
        "shuffle": st.booleans(),
        "dataset": st.sampled_from(["mnist", "fashion_mnist", "x/y.npz"]),
        "seed": st.integers(0, 2**63 - 1),
    },
)


@given(settings_values)
def test_to_dict_and_from_mapping_are_inverse_through_json(values: dict[str, Any]) -> None:
    settings = MLPSettings.from_mapping(values)
    plain = json.loads(json.dumps(settings.to_dict()))
    assert MLPSettings.from_mapping(plain) == settings
    assert set(plain) == set(MLPSettings.model_fields)


@given(st.integers(1, 30))
def test_schedules_start_at_the_learning_rate_and_never_rise(epochs: int) -> None:
    for schedule in ("none", "step", "cosine"):
        settings = MLPSettings.from_mapping(
            {"schedule": schedule, "epochs": epochs, "learning_rate": 0.5, "schedule_step_size": 2}
        )
        rates = [settings.learning_rate_at(epoch) for epoch in range(1, epochs + 1)]
        assert rates[0] == 0.5
        assert rates == sorted(rates, reverse=True)
        assert rates[-1] > 0


def test_settings_and_data_import_neither_torch_nor_numba() -> None:
    code = (
        "import sys, hpo.training.settings, hpo.training.data\n"
        "print([m for m in ('torch', 'numba', 'optuna') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
