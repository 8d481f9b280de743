"""`hpo init` writes projects that run at once, and never over anything."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpo.cli import _exit_code
from hpo.errors import UserError
from hpo.init_project import KINDS, template_files, write_project
from hpo.study_files.reading import load, project_folder

TINY = ["epochs=1", "engine=torch", "validation_size=20", "dataset=tiny.npz"]


def hpo(folder: Path, *arguments: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "hpo", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def write_images(path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (120, 5, 5), dtype=np.uint8)
    labels = rng.integers(0, 3, 120)
    x_train, x_test = images[:80], images[80:]
    y_train, y_test = labels[:80], labels[80:]
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_that_init_names_next_runs(kind: str, tmp_path: Path) -> None:
    made = hpo(tmp_path, "init", "mine", "--template", kind)
    assert made.returncode == 0, made.stderr
    following = re.search(r"Next: cd mine && hpo (run studies/\S+\.yaml)\n", made.stdout)
    assert following, made.stdout
    settings: list[str] = []
    if kind == "mlp":
        write_images(tmp_path / "mine" / "tiny.npz")
        settings = [word for setting in TINY for word in ("--set", setting)]
    ran = hpo(tmp_path / "mine", *following[1].split(), "--n-trials", "2", *settings)
    assert ran.returncode == 0, ran.stderr
    assert "2 of 2 done" in ran.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_every_study_of_a_template_is_valid_and_every_command_of_its_readme_names_one(
    kind: str, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "project"
    files = write_project(kind, folder)
    assert {"README.md", "objective.py", "search_spaces.yaml", ".gitignore"} <= set(files)
    assert all((folder / name).is_file() for name in files)
    studies = {path: load(path) for path in folder.rglob("studies/**/*.yaml")}
    assert folder / KINDS[kind].study in studies
    assert all(project_folder(path) == folder for path in studies)
    readme = (folder / "README.md").read_text()
    names = {study.study for study in studies.values()}
    assert set(re.findall(r"^hpo run (\S+)", readme, re.M)) <= set(files)
    assert set(re.findall(r"^hpo (?:best|report) (\S+)", readme, re.M)) <= names


def test_the_mlp_template_is_the_shipped_project() -> None:
    files = template_files("mlp")
    assert files["objective.py"].read_text().startswith('"""The Optuna objective around the MLP')
    assert {"studies/quickstart.yaml", "studies/article/article.yaml"} <= set(files)


def test_init_works_in_an_empty_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _exit_code(["init", ".", "--template", "plain"]) == 0
    assert "Next: hpo run studies/tpe.yaml" in capsys.readouterr().out
    assert (tmp_path / "objective.py").is_file()


def test_init_changes_nothing_where_something_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("mine")
    assert _exit_code(["init", str(tmp_path)]) == 2
    assert "is not empty (it holds kept.txt)" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
    with pytest.raises(UserError, match="is a file"):
        write_project("plain", kept)
    with pytest.raises(UserError, match="cannot be written"):
        write_project("plain", kept / "below")


def test_a_template_whose_package_is_missing_says_so_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hpo.init_project.find_spec", lambda name: None)
    assert _exit_code(["init", str(tmp_path / "p"), "--template", "sklearn"]) == 0
    assert "Next: pip install scikit-learn && cd " in capsys.readouterr().out


def test_an_unknown_template_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(["init", "p", "--template", "pytorch"]) == 2
    assert "'mlp', 'plain', 'sklearn'" in capsys.readouterr().err
