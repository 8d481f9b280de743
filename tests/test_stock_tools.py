"""Stock Optuna on a database of ours: its command stays readable, its studies know their space."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import optuna

import hpo
from hpo.databases.storage import open_storage
from tests.support import launched_study

COLUMNS = 200  # of a wide terminal; a study file alone is a thousand characters


def test_the_optuna_command_prints_a_narrow_table_of_our_studies(
    project: Path, sqlite_url: str
) -> None:
    storage = open_storage(sqlite_url, create=True)
    objective = "# a long text\n" * 100 + "def objective(trial): return 0.0\n"
    (project / "objective.py").write_text(objective)
    study = launched_study(storage, project, name="a-study")
    storage.close()
    program = Path(sys.executable).with_name("optuna")
    done = subprocess.run(
        [program, "--storage", sqlite_url, "studies"], capture_output=True, text=True, check=True
    )
    (line,) = [line for line in done.stdout.splitlines() if "a-study" in line]
    assert len(line) < COLUMNS
    assert study.plan_id in line
    assert "'hpo_method': 'random'" in line


def test_a_stock_study_suggests_what_the_study_file_declares(
    project: Path, storage_url: str
) -> None:
    storage = open_storage(storage_url, create=True)
    launched_study(storage, project, fixed={"epochs": 3})
    storage.close()
    stock = optuna.storages.RDBStorage(storage_url)
    settings = hpo.suggest(optuna.load_study(study_name="s", storage=stock).ask())
    stock.scoped_session.remove()
    stock.engine.dispose()
    assert settings == {"epochs": 3, "x": settings["x"]}
    assert -10.0 <= settings["x"] <= 10.0
