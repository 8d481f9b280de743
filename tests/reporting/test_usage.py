"""Commands and snippets that reports show for an objective of one's own: each is run here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hpo.cli import _exit_code
from hpo.databases.storage import open_storage
from hpo.ledger.stored_study import require_stored
from hpo.reporting.analysis import analyze
from hpo.reporting.notes import trial_note
from hpo.reporting.records import StudyRecord
from hpo.reporting.report import report_html
from hpo.reporting.texts import commands
from hpo.reporting.trials import best_settings, best_trials
from hpo.reporting.usage import usage
from hpo.stored_record import read_stored
from hpo.workers.context import DEVICE_VARIABLE

from .made_searches import make_search

PLAIN = """
from shared import square

def objective(trial):
    x = trial.suggest_float("x", -1.0, 1.0)
    kind = trial.suggest_categorical("kind", ["near", "far", None])
    return square(x) + (kind == "far")
"""
ASKING = """
import hpo
from shared import square

def objective(trial):
    settings = hpo.suggest(trial)
    return square(settings["x"]) + sum(settings["layers"]) * settings["scale"] + settings["seed"]
"""
PLAIN_STUDY: dict[str, Any] = {"method": "tpe"}
ASKING_STUDY: dict[str, Any] = {
    "method": "random",
    "fixed": {"scale": 1e-3},
    "search_space": {"x": {"low": -1.0, "high": 1.0}, "layers": {"choices": [[1], [2, 3]]}},
}


def run_study(
    project: Path, objective: str, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> StudyRecord:
    """Four trials of an objective in a folder of its own beside a module that it imports."""
    monkeypatch.setenv(DEVICE_VARIABLE, "")  # the worker sets it
    monkeypatch.setattr(sys, "path", [*sys.path])
    (project / "my code").mkdir()
    (project / "my code" / "own-objective.py").write_text(objective)
    (project / "my code" / "shared.py").write_text("def square(x):\n    return x * x\n")
    study = {
        "n_trials": 4,
        "direction": "minimize",
        "objective": "my code/own-objective.py:objective",
    }
    (project / "s.yaml").write_text(json.dumps({**study, **keys}))
    assert _exit_code(["run", "s.yaml", "--workers", "1"]) == 0
    storage = open_storage("sqlite:///hpo.db", read_only=True)
    try:
        return read_stored(require_stored(storage, "s"))
    finally:
        storage.close()


@pytest.mark.parametrize(
    ("objective", "keys"), [(PLAIN, PLAIN_STUDY), (ASKING, ASKING_STUDY)], ids=["plain", "asking"]
)
def test_what_a_report_says_of_an_own_objective_works(
    project: Path, objective: str, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = run_study(project, objective, keys, monkeypatch)
    (best,) = best_trials(record)
    snippet = usage(record, best).text
    called = subprocess.run(
        [sys.executable, "-c", snippet], cwd=project, capture_output=True, text=True, check=True
    )
    assert float(called.stdout) == best.values[0]
    shown = [command for command, _ in commands(analyze(record))]
    assert not any("hpo train" in command or "hpo reproduce" in command for command in shown)
    (command,) = [command for command in shown if command.startswith("hpo best")]
    subprocess.run(
        command.replace("hpo", f"{sys.executable} -m hpo", 1), shell=True, cwd=project, check=True
    )
    assert "x:" in (project / "best.yaml").read_text()
    for text in (trial_note(record, best.number), report_html([record])):
        assert "hpo train" not in text
        assert "own-objective" in text


def test_lists_stand_in_the_best_settings_as_the_user_wrote_them(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = run_study(project, ASKING, ASKING_STUDY, monkeypatch)
    settings = best_settings(record, best_trials(record)[0])
    assert settings["layers"] in ([1], [2, 3])
    assert settings["scale"] == 1e-3


def test_a_trial_of_the_trainer_is_trained_again() -> None:
    record = make_search()
    command = usage(record, best_trials(record)[0]).text
    assert command == "hpo train --study mnist-tpe --trial 3 --save model.pt"
    assert "hpo reproduce mnist-tpe" in [shown for shown, _ in commands(analyze(record))]
