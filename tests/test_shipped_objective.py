"""The objective that a new MLP project has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from hpo.init_project import write_project
from hpo.workers.objective_file import load
from tests.support import study_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a tiny data set."""
    write_project("mlp", tmp_path / "mlp")
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (120, 5, 5), dtype=np.uint8), rng.integers(0, 3, 120)
    path = tmp_path / "mlp" / "tiny.npz"
    np.savez(path, x_train=x[:80], y_train=y[:80], x_test=x[80:], y_test=y[80:])
    return tmp_path / "mlp"


def train(folder: Path, epochs: int) -> Any:
    """Train with a pruner that gives every trial up after its second epoch."""
    pruner = optuna.pruners.ThresholdPruner(upper=0.0, n_warmup_steps=2)
    trial: Any = optuna.create_study(direction="maximize", pruner=pruner).ask()
    fixed = {"dataset": str(folder / "tiny.npz"), "epochs": epochs, "engine": "torch"}
    space = {"learning_rate": {"low": 0.1, "high": 1.0}}
    fixed |= {"validation_size": 20}
    trial.study_file = study_file(folder, search_space=space, fixed=fixed)
    return load("objective.py:objective", folder).function(trial)


def test_a_trial_that_the_pruner_gives_up_is_pruned(folder: Path) -> None:
    with pytest.raises(optuna.TrialPruned):
        train(folder, epochs=3)


def test_a_trial_that_has_trained_all_its_epochs_is_complete(folder: Path) -> None:
    assert 0.0 <= train(folder, epochs=2) <= 1.0
