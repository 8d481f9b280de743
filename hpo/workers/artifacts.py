"""Files of a finished trial, weights and curves, kept through optuna.artifacts."""

from __future__ import annotations

import csv
import fcntl
import json
import logging
import mimetypes
import tempfile
import uuid
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.artifacts import ArtifactMeta, FileSystemArtifactStore, upload_artifact
from optuna.trial import TrialState

from hpo.ranking import dominates, losses

if TYPE_CHECKING:
    from hpo.ledger.points import Outcome
    from hpo.study_files.study_file import StudyFile

WEIGHTS, CURVES = "weights.safetensors", "curves.csv"
_KEPT = "hpo:kept"  # a system attribute: whose files are kept, and their values
_NAMESPACE = uuid.UUID("5170266a-0000-5000-8000-000000000000")
_logger = logging.getLogger(__name__)


class ArtifactKeeper:
    """Keeps the files of a study's trials in a folder.

    With `keep: all` they belong to their trials. With `keep: best` they belong to the study,
    because what belongs to a finished trial cannot change: a better trial's files take their place.

    Args:
        file: The study file; `artifacts` names the folder, `keep` says whose files are kept.
        project: The folder that `artifacts` is relative to.
        numbers: Asked for the numbers of the trials that evaluate points; only they are rivals.
    """

    def __init__(
        self, file: StudyFile, project: Path, numbers: Callable[[], Container[int]]
    ) -> None:
        self._numbers = numbers
        self._keep_best = file.keep == "best"
        self._folder = None if file.artifacts is None else project / file.artifacts

    def keep(
        self,
        trial: optuna.Trial,
        outcome: Outcome,
        weights: Mapping[str, Any] | None,
    ) -> None:
        """Upload what a trial that is about to be told COMPLETE leaves; a failure is only logged.

        Args:
            trial: Still RUNNING.
            outcome: What it will be told; any other state leaves nothing.
            weights: Tensors by name, on the CPU.
        """
        values = outcome.values
        if self._folder is None or values is None or outcome.state != TrialState.COMPLETE:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            store = FileSystemArtifactStore(str(self._folder))
            with tempfile.TemporaryDirectory() as folder:
                files = _write(Path(folder), weights, outcome.curves)
                if self._keep_best:
                    with _turn(self._folder):
                        self._replace_worse(store, trial, values, files)
                    return
                for path in files:
                    upload_artifact(artifact_store=store, file_path=str(path), study_or_trial=trial)
        except Exception as error:
            _logger.warning("The files of trial %d are not kept: %s", trial.number, error)

    def _replace_worse(
        self,
        store: FileSystemArtifactStore,
        trial: optuna.Trial,
        values: Sequence[float],
        files: Sequence[Path],
    ) -> None:
        study = trial.study
        if not _is_best(values, _rivals(study, self._numbers()), study.directions):
            return
        for path in files:
            _replace(store, trial, path)
        kept = json.dumps({"trial": trial._trial_id, "values": list(values)})  # noqa: SLF001
        study._storage.set_study_system_attr(study._study_id, _KEPT, kept)  # noqa: SLF001


def _write(
    folder: Path, weights: Mapping[str, Any] | None, curves: Mapping[str, Any] | None
) -> Sequence[Path]:
    written = []
    if weights is not None:
        from safetensors.torch import save_file

        # Cloned, because a file has no room for tensors that share their memory.
        cloned = {name: tensor.contiguous().clone() for name, tensor in weights.items()}
        save_file(cloned, folder / WEIGHTS)
        written.append(folder / WEIGHTS)
    epochs = None if curves is None else curves.get("epochs")
    if epochs:
        with (folder / CURVES).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(epochs)
            writer.writerows(zip_longest(*epochs.values(), fillvalue=""))
        written.append(folder / CURVES)
    return written


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """One worker at a time decides whose files stay: two may end in the same moment."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_best(
    values: Sequence[float],
    rivals: Iterable[Sequence[float]],
    directions: Sequence[optuna.study.StudyDirection],
) -> bool:
    """Whether values beat all rivals; with several objectives, whether none dominates them."""
    names = [direction.name.lower() for direction in directions]
    mine = losses(values, names)
    others = (losses(other, names) for other in rivals)
    return not any(other == mine or dominates(other, mine) for other in others)


def _rivals(study: optuna.Study, numbers: Container[int]) -> Iterator[Sequence[float]]:
    """The values of complete trials, and of the kept files' trial.

    That one may not be told yet; if it failed in the end, it does not count.
    """
    storage, study_id = study._storage, study._study_id  # noqa: SLF001 (as optuna.artifacts)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        if trial.number in numbers:
            yield trial.values
    kept = storage.get_study_system_attrs(study_id).get(_KEPT)
    if kept is not None:
        found = json.loads(kept)
        if storage.get_trial(found["trial"]).state == TrialState.RUNNING:
            yield found["values"]


def _replace(store: FileSystemArtifactStore, trial: optuna.Trial, path: Path) -> None:
    """Put a file in the place of the former best trial's, under the same id."""
    study = trial.study
    artifact_id = str(uuid.uuid5(_NAMESPACE, f"{study.study_name}/{path.name}"))
    meta = ArtifactMeta(
        artifact_id=artifact_id,
        filename=f"trial-{trial.number}-{path.name}",
        mimetype=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        encoding=None,
    )
    with path.open("rb") as file:
        store.write(artifact_id, file)
    study._storage.set_study_system_attr(  # noqa: SLF001 (optuna.artifacts writes it so, too)
        study._study_id,  # noqa: SLF001
        f"artifacts:{artifact_id}",
        json.dumps(asdict(meta)),
    )
