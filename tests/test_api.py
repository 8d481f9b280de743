"""The library: what a script and a notebook can do with studies."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import optuna
import pytest

import hpo
from hpo.errors import FileFaults, UserError
from hpo.events import Event

DOCS = Path(hpo.__file__).parent.parent / "docs"
KEYS = {
    "study": "s",
    "method": "random",
    "direction": "minimize",
    "n_trials": 3,
    "search_space": {"x": {"low": -10.0, "high": 10.0}},
}
SCRIPT = """
import hpo

def objective(trial):
    return trial.suggest_float("x", 0.0, 1.0)

if __name__ == "__main__":
    result = hpo.run(objective, n_trials=4, direction="minimize", storage="sqlite:///s.db")
    print(result.done, result.best == hpo.open_study("objective", "sqlite:///s.db").best.values[0])
"""


def test_a_mapping_makes_the_study_that_a_file_makes(project: Path) -> None:
    (project / "s.yaml").write_text(str(KEYS).replace("'", '"'))
    assert hpo.load(KEYS) == hpo.load("s.yaml")
    assert len(hpo.make_plan(hpo.load(KEYS)).points) == 3
    with pytest.raises(FileFaults, match="Did you mean 'n_trials'"):
        hpo.load({**KEYS, "n_trails": 3})


def test_a_study_is_run_resumed_and_looked_at(project: Path, sqlite_url: str) -> None:
    told: list[Event] = []
    result = hpo.run(KEYS, storage=sqlite_url, workers=1, progress=False, on_event=told.append)
    assert (result.why, result.done, result.exit_code) == ("complete", 3, 0)
    assert next(event.name for event in told if event.name) == "study"
    assert told[-1] == result
    again = hpo.resume("s", storage=sqlite_url, workers=1, progress=False)
    assert (again.was_ended, again.best) == (True, result.best)
    with hpo.open_study("s", sqlite_url) as study:
        rows = study.trials()
        assert [row["state"] for row in rows] == ["COMPLETE"] * 3
        assert study.best is not None
        assert study.best.number == result.best_trial
        assert isinstance(study.optuna, optuna.Study)
        assert len(study.optuna.trials) == 3
        study.report("report.html")
    assert "</html>" in (project / "report.html").read_text()


def test_a_study_that_is_not_there_is_named(sqlite_url: str, project: Path) -> None:
    hpo.run(KEYS, storage=sqlite_url, workers=1, progress=False)
    with pytest.raises(UserError, match="has no study 't'"):
        hpo.open_study("t", sqlite_url)


def test_a_lambda_runs_here_and_that_is_said(
    project: Path, sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = hpo.run(
        lambda trial: trial.suggest_float("x", 0.0, 1.0),
        n_trials=3,
        direction="minimize",
        storage=sqlite_url,
    )
    assert result.done == 3
    printed = capsys.readouterr()
    assert "runs in this process, one trial at a time" in printed.err
    assert "3 of 3 done" in printed.out


def test_keys_beside_a_study_file_are_refused(project: Path) -> None:
    with pytest.raises(UserError, match="n_trials is a key for an objective"):
        hpo.run(KEYS, n_trials=4)


def run_script(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(text)
    return subprocess.run(
        [sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, timeout=200
    )


def test_a_script_runs_its_own_function_in_workers(tmp_path: Path) -> None:
    done = run_script(tmp_path, SCRIPT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "4 True"
    assert "in this process" not in done.stderr


def test_a_script_without_a_guard_is_told_of_it(tmp_path: Path) -> None:
    unguarded = SCRIPT.replace('if __name__ == "__main__":', "if True:")
    done = run_script(tmp_path, unguarded)
    assert done.returncode == 1
    assert "`hpo.run` would run in every worker" in done.stderr


def test_the_notebook_of_the_page_runs(tmp_path: Path) -> None:
    text = (DOCS / "python.md").read_text()
    cell = re.findall(r"```python\n(.*?)```", text, re.S)[-1]
    notebook = nbformat.from_dict(  # type: ignore[no-untyped-call]
        {
            "cells": [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []}],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 4,
        }
    )
    environment = {**os.environ, "IPYTHONDIR": str(tmp_path / "ipython")}
    client = nbclient.NotebookClient(
        notebook, timeout=200, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute(env=environment)
    outputs = notebook.cells[0].outputs
    printed = "".join(output.get("text", "") for output in outputs)
    shown = "".join(output.get("data", {}).get("text/plain", "") for output in outputs)
    assert "20 trials, best" in printed
    assert "20 of 20 done" in shown
    assert (tmp_path / "report.html").exists()
