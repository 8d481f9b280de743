"""Settings of a single run: from a file, a stored trial and `--set`, with every fault at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpo.errors import FileFaults, UserError
from hpo.training.settings import MLPSettings
from hpo.yaml_source import Document, Place, parse_value

if TYPE_CHECKING:
    from hpo.reporting.records import StudyRecord, TrialRecord


def settings_of(document: Document, changes: Sequence[str], seed: int | None) -> MLPSettings:
    """The settings of a document, changed by ``--set`` and ``--seed``.

    Raises:
        FileFaults: Everything that is wrong with the document or the changes, with its places.
    """
    for text in changes:
        _change(document, text)
    if seed is not None:
        document.put(("seed",), seed, Place(f"--seed {seed}", 0))
    try:
        settings = MLPSettings.from_mapping(document.data)
    except UserError as error:
        for line in str(error).splitlines():
            name, _, text = line.partition(": ")
            document.add(((name,), text))
    if document.faults:
        raise FileFaults(sorted(document.faults, key=lambda fault: fault.line))
    return settings


def _change(document: Document, text: str) -> None:
    key, equals, value = text.partition("=")
    place = Place(f"--set {text}", 0)
    if not equals or not key.strip():
        raise UserError(f"{place.file}: must be key=value.")
    try:
        document.put((key.strip(),), parse_value(value), place)
    except ValueError as error:
        raise UserError(f"{place.file}: {error}") from None


def trial_document(record: StudyRecord, trial: TrialRecord) -> Document:
    """The settings a stored trial was trained with.

    Raises:
        UserError: It was not trained by the MLP trainer.
    """
    place = f"study {record.name!r}, trial {trial.number}"
    if not trial.settings:
        raise UserError(
            f"{place}: it keeps no settings of the MLP trainer, so it cannot be trained here. "
            "Only trials of the objective that hpo ships do."
        )
    return Document(place, data=dict(trial.settings))


def find_trial(record: StudyRecord, number: int | None) -> TrialRecord:
    """The trial of that number; None stands for the best one.

    Raises:
        UserError: There is no such trial, or no single best one.
    """
    from hpo.reporting.trials import best_trials

    if number is not None:
        found = next((trial for trial in record.trials if trial.number == number), None)
        if found is None:
            n = len(record.trials)
            has = f"trials 0 to {n - 1}" if n else "no trials"
            raise UserError(f"The study {record.name!r} has {has}, but got --trial {number}.")
        return found
    best = best_trials(record)
    if not best:
        raise UserError(f"The study {record.name!r} has no finished trial yet.")
    if len(best) > 1:
        numbers = ", ".join(str(trial.number) for trial in best)
        raise UserError(
            f"The study {record.name!r} has {len(best)} best trials. "
            f"Choose one with --trial: {numbers}."
        )
    return best[0]


@dataclass(frozen=True)
class Original:
    """A stored trial that is to be trained again.

    Attributes:
        study: Its study's name.
        trial: The trial.
        document: Its settings.
        epochs: The stored metrics of each epoch, by name.
        environment: Versions of the packages it was made with.
        threads: CPU threads its worker had.
    """

    study: str
    trial: TrialRecord
    document: Document
    epochs: Mapping[str, Sequence[Any]]
    environment: Mapping[str, Any]
    threads: int


def original_of(record: StudyRecord, trial: TrialRecord, curves: Mapping[str, Any]) -> Original:
    """What is known of a stored trial.

    Raises:
        UserError: It was not trained by the MLP trainer, or has no curve to compare with.
    """
    document = trial_document(record, trial)
    epochs = curves.get("epochs") or {}
    if not epochs.get("epoch"):
        raise UserError(f"{document.file}: it has no curve to compare with.")
    threads = int(record.file.get("threads") or 1)
    return Original(record.name, trial, document, epochs, record.environment, threads)
