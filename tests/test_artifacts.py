from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from optuna.artifacts import (
    ArtifactMeta,
    FileSystemArtifactStore,
    download_artifact,
    get_all_artifact_meta,
)
from optuna.trial import TrialState, create_trial
from safetensors.torch import load_file

from hpo.ledger.points import Outcome
from hpo.workers.artifacts import ArtifactKeeper
from tests.support import study_file

CURVES = {"epochs": {"epoch": [1, 2], "train_loss": [0.5, 0.25]}}


def complete(value: float, curves: Any = None) -> Outcome:
    return Outcome(TrialState.COMPLETE, [value], curves=curves)


def run(
    folder: Path, values: list[float], learnt: Sequence[float] = (), **keys: Any
) -> optuna.Study:
    """A study of a trial for each value; each trial's weight is its number."""
    file = study_file(folder, artifacts="kept", **keys)
    n_learnt = len(learnt)
    keeper = ArtifactKeeper(file, folder, lambda: range(n_learnt, 99))
    study = optuna.create_study(direction="minimize", study_name="s")
    for value in learnt:
        study.add_trial(create_trial(value=value))
    for value in values:
        trial = study.ask()
        keeper.keep(trial, complete(value, CURVES), {"w": torch.tensor([float(trial.number)])})
        study.tell(trial, value)
    return study


def download(folder: Path, meta: ArtifactMeta) -> Path:
    path = folder / meta.filename
    store = FileSystemArtifactStore(str(folder / "kept"))
    download_artifact(artifact_store=store, file_path=str(path), artifact_id=meta.artifact_id)
    return path


def test_every_complete_trial_keeps_its_weights_and_curves(tmp_path: Path) -> None:
    study = run(tmp_path, [2.0, 1.0])
    metas = get_all_artifact_meta(study_or_trial=study.trials[1], storage=study._storage)
    paths = {meta.filename: download(tmp_path, meta) for meta in metas}
    assert load_file(paths["weights.safetensors"])["w"].tolist() == [1.0]
    with paths["curves.csv"].open() as file:
        assert list(csv.reader(file)) == [["epoch", "train_loss"], ["1", "0.5"], ["2", "0.25"]]
    assert len(list((tmp_path / "kept").iterdir())) == 4


def test_keep_best_keeps_only_the_best_trials_files(tmp_path: Path) -> None:
    study = run(tmp_path, [2.0, 1.0, 3.0], keep="best")
    metas = get_all_artifact_meta(study_or_trial=study)
    names = sorted(meta.filename for meta in metas)
    assert names == ["trial-1-curves.csv", "trial-1-weights.safetensors"]
    weights = download(tmp_path, next(m for m in metas if "weights" in m.filename))
    assert load_file(weights)["w"].tolist() == [1.0]
    assert len([p for p in (tmp_path / "kept").iterdir() if p.name != ".lock"]) == 2


def test_a_trial_that_was_added_to_learn_from_is_no_rival(tmp_path: Path) -> None:
    study = run(tmp_path, [2.0, 3.0], learnt=[0.5], keep="best")
    names = {meta.filename for meta in get_all_artifact_meta(study_or_trial=study)}
    assert names == {"trial-1-curves.csv", "trial-1-weights.safetensors"}


def test_of_two_trials_that_end_at_once_the_better_is_kept(tmp_path: Path) -> None:
    keeper = ArtifactKeeper(
        study_file(tmp_path, artifacts="kept", keep="best"), tmp_path, lambda: range(9)
    )
    study = optuna.create_study(direction="minimize", study_name="s")

    def kept_after(trial: optuna.Trial, value: float) -> set[str]:
        keeper.keep(trial, complete(value), {"w": torch.tensor([value])})
        return {meta.filename for meta in get_all_artifact_meta(study_or_trial=study)}

    better, worse, later = study.ask(), study.ask(), study.ask()
    assert kept_after(better, 1.0) == {"trial-0-weights.safetensors"}
    assert kept_after(worse, 2.0) == {"trial-0-weights.safetensors"}
    study.tell(worse, 2.0)
    study.tell(better, state=optuna.trial.TrialState.FAIL)  # its lease was lost
    assert kept_after(later, 1.5) == {"trial-2-weights.safetensors"}


def test_a_folder_that_cannot_be_written_costs_no_trial(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "kept").write_text("a file is in the way")
    study = run(tmp_path, [1.0])
    assert study.best_value == 1.0
    assert "The files of trial 0 are not kept" in caplog.text


def test_columns_of_unequal_length_and_tied_weights_are_kept(tmp_path: Path) -> None:
    keeper = ArtifactKeeper(study_file(tmp_path, artifacts="kept"), tmp_path, lambda: range(9))
    study = optuna.create_study()
    trial, tied = study.ask(), torch.ones(2, 2)
    curves = {"epochs": {"epoch": [1, 2], "train_loss": [0.5]}}
    keeper.keep(trial, complete(1.0, curves), {"encoder": tied, "decoder": tied.T})
    metas = get_all_artifact_meta(study_or_trial=trial, storage=study._storage)
    paths = {meta.filename: download(tmp_path, meta) for meta in metas}
    assert set(load_file(paths["weights.safetensors"])) == {"encoder", "decoder"}
    assert paths["curves.csv"].read_text().split() == ["epoch,train_loss", "1,0.5", "2,"]


@pytest.mark.parametrize(
    ("weights", "curves"), [({"w": "no tensor"}, None), (None, {"epochs": {"epoch": 5}})]
)
def test_files_that_cannot_be_made_cost_no_trial(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, weights: Any, curves: Any
) -> None:
    keeper = ArtifactKeeper(study_file(tmp_path, artifacts="kept"), tmp_path, lambda: range(9))
    keeper.keep(optuna.create_study().ask(), complete(1.0, curves), weights)
    assert "The files of trial 0 are not kept" in caplog.text


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    keeper = ArtifactKeeper(study_file(tmp_path), tmp_path, lambda: range(9))
    trial = optuna.create_study().ask()
    keeper.keep(trial, complete(1.0, CURVES), None)
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]
