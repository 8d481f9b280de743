"""`hpo reproduce` trains a stored trial again and says how alike the two are."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update

from hpo.cli import _exit_code
from hpo.databases.storage import open_storage
from hpo.databases.tables import CURVES
from hpo.init_project import write_project
from hpo.reproduction import Verdict, judge, largest_differences, pairs

EPOCHS: dict[str, list[Any]] = {
    "epoch": [1, 2],
    "train_loss": [0.5, 0.25],
    "evaluation_loss": [0.6, 0.3],
    "evaluation_accuracy": [0.8, 0.9],
}


def changed(name: str, index: int, by: float) -> dict[str, list[Any]]:
    values = {key: list(series) for key, series in EPOCHS.items()}
    values[name][index] += by
    return values


@pytest.mark.parametrize(
    ("name", "index", "by", "verdict"),
    [
        ("train_loss", 0, 0.0, Verdict.IDENTICAL),
        ("train_loss", 0, 1e-9, Verdict.ROUNDING),
        ("train_loss", 0, 1e-3, Verdict.DIFFERENT),  # before rounding could have grown
        ("evaluation_loss", 1, 1e-3, Verdict.ROUNDING),
        ("evaluation_loss", 1, 0.1, Verdict.DIFFERENT),
        ("evaluation_accuracy", 1, 0.005, Verdict.ROUNDING),
        ("evaluation_accuracy", 1, 0.05, Verdict.DIFFERENT),
        ("train_loss", 1, math.nan, Verdict.DIFFERENT),
    ],
)
def test_the_first_epoch_must_agree_closely_and_later_ones_as_rounding_grows(
    name: str, index: int, by: float, verdict: Verdict
) -> None:
    assert judge(pairs(EPOCHS, changed(name, index, by)), 2) is verdict


def test_two_runs_that_diverged_alike_are_identical() -> None:
    nan = changed("train_loss", 1, math.nan)
    stored = {**nan, "train_loss": [0.5, None]}  # as a database may keep it
    assert judge(pairs(stored, nan), 2) is Verdict.IDENTICAL


def test_a_run_that_ended_early_is_different() -> None:
    shorter = {name: values[:1] for name, values in EPOCHS.items()}
    assert judge(pairs(EPOCHS, shorter), 2) is Verdict.DIFFERENT
    assert judge(pairs(EPOCHS, {name: [] for name in EPOCHS}), 2) is Verdict.DIFFERENT


def test_the_largest_differences_are_absolute_and_over_all_epochs() -> None:
    largest = largest_differences(pairs(EPOCHS, changed("evaluation_loss", 1, -0.1)))
    assert largest["evaluation_loss"] == pytest.approx(0.1)
    assert largest["train_loss"] == 0.0


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a study of two short trainings."""
    folder = tmp_path_factory.mktemp("trained")
    write_project("mlp", folder)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (120, 5, 5), dtype=np.uint8), rng.integers(0, 3, 120)
    np.savez(folder / "tiny.npz", x_train=x[:80], y_train=y[:80], x_test=x[80:], y_test=y[80:])
    settings = ("dataset=tiny.npz", "epochs=2", "engine=torch", "validation_size=20")
    changes = [word for one in settings for word in ("--set", one)]
    run = ["run", "studies/quickstart.yaml", "--name", "s", "--n-trials", "2", "--workers", "1"]
    subprocess.run([sys.executable, "-m", "hpo", *run, *changes], cwd=folder, check=True)
    return folder


@pytest.fixture
def here(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that project, the current folder."""
    folder = tmp_path / "copy"
    shutil.copytree(trained, folder)
    monkeypatch.chdir(folder)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    return folder


def change_curves(change: Callable[[dict[str, Any]], None]) -> None:
    """Change the stored curves of trial 0."""
    storage = open_storage("sqlite:///hpo.db")
    try:
        with storage.write() as connection:
            of_trial = CURVES.c.trial_number == 0
            text = connection.execute(select(CURVES.c.curves).where(of_trial)).scalar_one()
            curves = json.loads(text)
            change(curves)
            changed_text = json.dumps(curves)
            connection.execute(update(CURVES).where(of_trial).values(curves=changed_text))
    finally:
        storage.close()


def test_a_trial_trained_again_here_is_identical(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _exit_code(["reproduce", "s", "--trial", "0"]) == 0
    said = capsys.readouterr().out
    assert "trial 0 of s" in said
    assert "identical: all 2 epochs, to the last bit" in said


def test_rounding_passes_and_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def round_off(curves: dict[str, Any]) -> None:
        curves["epochs"]["train_loss"][0] *= 1 + 1e-7

    change_curves(round_off)
    assert _exit_code(["reproduce", "s", "--trial", "0"]) == 0
    assert "equal within rounding: the largest differences" in capsys.readouterr().out


def test_a_different_curve_ends_with_1_and_json_has_both(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def spoil(curves: dict[str, Any]) -> None:
        curves["epochs"]["train_loss"][0] = 5.0

    change_curves(spoil)
    assert _exit_code(["reproduce", "s", "--trial", "0", "--format", "json"]) == 1
    printed = capsys.readouterr()
    rows = json.loads(printed.out)
    assert [row["verdict"] for row in rows] == ["different", "identical"]
    assert rows[0]["train_loss"] == 5.0 != rows[0]["train_loss_again"]
    assert "different: the largest differences" in printed.err


def test_a_trial_without_a_curve_cannot_be_compared(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change_curves(dict.clear)
    assert _exit_code(["reproduce", "s", "--trial", "0"]) == 2
    assert "study 's', trial 0: it has no curve to compare with." in capsys.readouterr().err


def test_the_best_trial_is_trained_again_from_the_study_or_from_its_file(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _exit_code(["best", "s", "-o", "best.yaml"]) == 0
    capsys.readouterr()
    series = []
    for source in (["--study", "s"], ["best.yaml"]):
        assert _exit_code(["train", *source, "--format", "json"]) == 0
        series.append(json.loads(capsys.readouterr().out))
    assert series[0]["evaluation_losses"] == series[1]["evaluation_losses"]
    assert series[0]["settings"] == series[1]["settings"]


def test_a_trial_that_is_not_there_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _exit_code(["train", "--study", "s", "--trial", "7"]) == 2
    assert "has trials 0 to 1, but got --trial 7" in capsys.readouterr().err
    assert _exit_code(["reproduce", "t"]) == 2
    assert "has no study 't'. It holds: s." in capsys.readouterr().err


def test_a_trial_of_another_objective_cannot_be_trained_here(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["run", "--objective", "objective.py:objective", "--direction", "minimize", "--name", "q"]
    command = [sys.executable, "-m", "hpo", *run, "--n-trials", "1"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    for command in (["train", "--study", "q"], ["reproduce", "q"]):
        assert _exit_code(command) == 2
        assert "keeps no settings of the MLP trainer" in capsys.readouterr().err
