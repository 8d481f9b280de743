from __future__ import annotations

from pathlib import Path

import pytest

from hpo.cli import _exit_code

SCRIPT = """
import optuna

def objective(trial):
    return 0.0

def with_default(trial, n=3): ...
async def later(trial): ...
def two(trial, n): ...
def none(): ...
def _hidden(trial): ...
class Thing:
    def method(self): ...
"""


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_script_is_answered_with_the_option_that_runs_its_function(
    project: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "o.py").write_text("def mine(trial): ...\n")
    assert _exit_code([command, "o.py"]) == 2
    assert "with --objective o.py:mine." in capsys.readouterr().err


def test_a_script_of_several_functions_is_answered_with_those_that_can_be_objectives(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "o.py").write_text(SCRIPT)
    assert _exit_code(["run", "o.py"]) == 2
    said = capsys.readouterr().err
    assert "with --objective o.py:FUNCTION." in said
    assert "Functions of one argument in it: objective, with_default." in said
    (project / "broken.py").write_text("def f(:\n")
    assert _exit_code(["run", "broken.py"]) == 2
    assert "--objective broken.py:FUNCTION." in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_folder_is_answered_with_its_study_files(
    project: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "studies" / "deep").mkdir(parents=True)
    (project / "studies" / "a.yaml").write_text("method: tpe\n")
    (project / "studies" / "deep" / "b.yml").write_text("study: b\nmethod : grid\n")
    (project / "studies" / "spaces.yaml").write_text("mlp: {}\n")
    assert _exit_code([command, "studies"]) == 2
    said = capsys.readouterr().err
    assert "studies is a folder, no study file." in said
    assert "Study files in it: studies/a.yaml, studies/deep/b.yml." in said
    assert not (project / "hpo.db").exists()
