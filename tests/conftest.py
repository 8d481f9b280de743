"""Fixtures for all tests: a clean environment, databases, and small projects."""

from __future__ import annotations

import os
from pathlib import Path

import optuna
import pytest
from hypothesis import HealthCheck, settings

# Tests may not depend on how busy the machine is.
settings.register_profile("any load", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any load")

pytest_plugins = ["tests.postgres"]

QUADRATIC = """
def objective(trial):
    x = trial.suggest_float("x", -10.0, 10.0)
    return (x - 2.0) ** 2
"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of ours that the person running the tests may have set; Optuna's log kept short."""
    for name in list(os.environ):
        if name.startswith("HPO_") and name not in ("HPO_DATA", "HPO_TEST_POSTGRES"):
            monkeypatch.delenv(name)
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a database that does not exist yet."""
    return f"sqlite:///{tmp_path}/hpo.db"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder with a quadratic objective; the current folder of the test."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "search_spaces.yaml").write_text("{}\n")
    (folder / "objective.py").write_text(QUADRATIC)
    monkeypatch.chdir(folder)
    return folder
