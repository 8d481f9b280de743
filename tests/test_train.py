"""`hpo train`: settings from anywhere, a run told epoch by epoch, numbers that can be checked."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hpo.cli import _exit_code
from hpo.errors import DeviceError, UserError
from hpo.train import check_target, choose_device
from hpo.training.mlp import MLP
from hpo.training.settings import MLPSettings

N_TRAIN, N_HELD_OUT, N_TEST = 60, 20, 40
FIXED = ("dataset=tiny.npz", f"validation_size={N_HELD_OUT}", "engine=torch", "batch_size=8")
SMALL = (*FIXED, "epochs=2", "hidden_layers=[5]", "log_interval=3")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with 120 random images of 5 x 5 in three classes."""
    monkeypatch.chdir(tmp_path)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # put back after the test: training sets them
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (120, 5, 5), dtype=np.uint8)
    labels = rng.integers(0, 3, 120)
    x_train, x_test = images[:80], images[80:]
    y_train, y_test = labels[:80], labels[80:]
    np.savez("tiny.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return tmp_path


def setting(*changes: str) -> list[str]:
    return [word for change in changes for word in ("--set", change)]


def train_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert _exit_code(["train", *setting(*SMALL), *arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_json_holds_the_articles_series_with_their_counts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = train_json(capsys)
    assert run["train_counts"] == [0, 24, 48, 60, 84, 108]  # every third of 8 batches of 8
    assert len(run["train_losses"]) == 6
    assert run["evaluation_counts"] == [N_TRAIN, 2 * N_TRAIN]
    assert len(run["evaluation_losses"]) == len(run["evaluation_accuracies"]) == 2
    assert run["run_time_s"] > 0
    assert run["evaluated_on"] == "validation"
    assert run["settings"] == MLPSettings.from_mapping(run["settings"]).to_dict()
    assert run["train_losses"][0] == pytest.approx(np.log(3), abs=0.5)  # three equal classes


def test_every_epoch_is_printed_with_the_device_the_engine_and_their_reasons(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _exit_code(["train", *setting(*SMALL)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "on tiny.npz" in lines[0]
    assert "engine torch (asked for)" in lines[0]
    assert [line[:9] for line in lines[1:3]] == ["epoch 1/2", "epoch 2/2"]
    assert lines[3].startswith("Ended after ")


def test_csv_has_a_row_for_each_epoch_of_each_seed(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = ["train", *setting(*SMALL), "--seed", "4", "--seeds", "2", "--format", "csv"]
    assert _exit_code(wanted) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["seed"], row["epoch"]) for row in rows] == [
        ("4", "1"),
        ("4", "2"),
        ("5", "1"),
        ("5", "2"),
    ]


def test_a_saved_model_gives_the_accuracy_that_test_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = train_json(capsys, "--test", "--save", "model.pt")
    model = MLP(25, 3, hidden_layers=[5], activations=["relu"], dropouts=[0.0])
    model.load_state_dict(torch.load("model.pt"))
    with np.load("tiny.npz") as data:
        train = data["x_train"].reshape(80, 25) / 255
        images = torch.tensor(
            (data["x_test"].reshape(N_TEST, 25) / 255 - train.mean()) / train.std()
        )
        labels = torch.tensor(data["y_test"])
    model.eval()
    with torch.no_grad():
        output = model(images.float())
    assert run["test_accuracy"] == (output.argmax(dim=1) == labels).double().mean().item()
    loss = torch.nn.functional.nll_loss(output, labels).item()
    assert run["test_loss"] == pytest.approx(loss, rel=1e-5)


def test_without_test_the_test_split_is_not_evaluated(capsys: pytest.CaptureFixture[str]) -> None:
    assert "test_loss" not in train_json(capsys)


def test_seeds_give_mean_and_spread_of_runs_that_each_equal_a_single_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    several = train_json(capsys, "--seed", "7", "--seeds", "3")
    accuracies = [run["evaluation_accuracies"][-1] for run in several["runs"]]
    measure = next(m for m in several["spread"] if m["measure"] == "evaluation_accuracy")
    assert measure["mean"] == pytest.approx(statistics.fmean(accuracies))
    assert measure["standard_deviation"] == pytest.approx(statistics.stdev(accuracies))
    assert (measure["lowest"], measure["highest"]) == (min(accuracies), max(accuracies))
    single = train_json(capsys, "--seed", "9")
    assert single["train_losses"] == several["runs"][2]["train_losses"]


def test_a_dry_run_trains_one_batch(capsys: pytest.CaptureFixture[str]) -> None:
    run = train_json(capsys, "--dry-run")
    assert (run["train_counts"], run["evaluation_counts"]) == ([0], [8])


def test_every_argument_of_the_articles_main_function_has_its_counterpart(
    capsys: pytest.CaptureFixture[str],
) -> None:
    changes = (
        *("batch_size=16", "test_batch_size=10", "epochs=1", "learning_rate=0.5"),
        *("log_interval=1", "hidden_layers=[6, 4]", "activation=[relu, tanh]", "loss=mse"),
        *("dropout=[0.1, 0.2]", "l1=1e-5", "weight_decay=0.01", "validation_size=0"),
    )
    others = ("--device", "cpu", "--seed", "3", "--dry-run", "--save", "model.pt")
    run = train_json(capsys, *setting(*changes), *others)
    assert run["settings"]["hidden_layers"] == [6, 4]
    assert run["settings"]["seed"] == 3
    assert run["evaluated_on"] == "test"
    assert (run["device"], Path("model.pt").is_file()) == ("cpu", True)


def test_settings_come_from_a_file_and_changes_go_over_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("best.yaml").write_text("# study, trial 3\nhidden_layers: [4]\nlearning_rate: 2e-1\n")
    run = train_json(capsys, "best.yaml", "--set", "learning_rate=0.3")
    assert run["settings"]["learning_rate"] == 0.3
    assert run["settings"]["hidden_layers"] == [5]  # as SMALL changes it


def test_all_faults_of_a_settings_file_come_at_once_with_their_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("s.yaml").write_text("epochs: 0\nlerning_rate: 1\nloss: nll\nloss: mse\n")
    assert _exit_code(["train", "s.yaml", "--set", "batch_size=big", "--set", "sed=1"]) == 2
    said = capsys.readouterr().err
    for part in (
        "s.yaml:1: epochs: must be at least 1, but got 0.",
        "s.yaml:2: lerning_rate: unknown setting 'lerning_rate'. Did you mean 'learning_rate'?",
        "    2 | lerning_rate: 1",
        "s.yaml:4: loss: this key is given twice.",
        "--set batch_size=big: batch_size: must be a whole number, but got 'big'.",
        "--set sed=1: sed: unknown setting 'sed'. Did you mean 'seed'?",
    ):
        assert part in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.yaml"], "nowhere.yaml: cannot be read: No such file"),
        (["tiny.npz"], "must be UTF-8 text"),
        (["s.yaml", "--study", "s"], "but got both"),
        (["--trial", "3"], "--trial needs --study NAME"),
        (["--study", "s"], "There is no database hpo.db"),
        (["--save", "m.pt", "--seeds", "2"], "--save keeps the weights of one run"),
        (["--save", "no/m.pt"], "There is no folder"),
        (["--set", "epochs"], "--set epochs: must be key=value."),
        (["--set", "hidden_layers=["], "--set hidden_layers=[: ends too early"),
        (["--device", "gpu"], "must be auto, cpu, cuda, cuda:N or mps, but got 'gpu'"),
        (["--set", "dataset=no.npz"], "no.npz cannot be read"),
        (["--set", "dataset=tiny.npz", "--set", "validation_size=80"], "must be below the 80"),
        (["--seeds", "0"], "0 is not in the range x>=1"),
    ],
)
def test_wrong_usage_is_one_message(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _exit_code(["train", *arguments]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert "Traceback" not in printed.err


def test_a_run_that_diverges_says_so_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    changes = setting(*SMALL, "optimizer=sgd", "learning_rate=1e30")
    assert _exit_code(["train", *changes]) == 1
    assert "It diverged in epoch 1" in capsys.readouterr().out


def test_a_target_is_checked_before_the_training(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder"):
        check_target(tmp_path)
    check_target(Path("model.pt"))


def test_a_device_is_chosen_with_its_reason() -> None:
    assert choose_device("cpu") == ("cpu", "as asked")
    device, reason = choose_device("auto")
    assert device in ("cpu", "cuda:0", "mps")
    assert reason
    with pytest.raises(DeviceError, match="Did you mean 'cuda'"):
        choose_device("cudaa")


def test_ctrl_c_ends_with_130_and_one_line_and_saves_nothing(folder: Path) -> None:
    arguments = ["train", *setting(*SMALL, "epochs=1000000"), "--save", "model.pt"]
    process = subprocess.Popen(
        [sys.executable, "-m", "hpo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout
    while not process.stdout.readline().startswith("epoch"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "Interrupted; nothing was saved.\n")
    assert not (folder / "model.pt").exists()
