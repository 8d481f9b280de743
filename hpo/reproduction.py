"""Training a stored trial again: a record goes in, its settings and the verdict come out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from hpo.errors import UserError
from hpo.yaml_files.document import Document

if TYPE_CHECKING:
    from hpo.reporting.records import StudyRecord, TrialRecord

# Engines and processors round differently, and training amplifies it without bound. Measured with
# the baseline on MNIST, the two engines agree to 1e-7 in the first epoch and are 6 % and 0.2 points
# apart in the sixth; two seeds are apart by 0.4 to 8 % in the first epoch already. So the first
# epoch tells. With five hidden layers, rounding grows to some percent within the first one.
FIRST_EPOCH = {"train_loss": 1e-4, "evaluation_loss": 1e-4, "evaluation_accuracy": 0.001}
LATER = {"train_loss": 0.2, "evaluation_loss": 0.2, "evaluation_accuracy": 0.01}
COMPARED = tuple(FIRST_EPOCH)  # losses by relative difference, accuracy by absolute


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

    Args:
        record: Its study.
        trial: The trial.
        curves: Its stored curves; empty when it has none.

    Raises:
        UserError: It was not trained by the MLP trainer, or has no curve to compare with.
    """
    document = trial_document(record, trial)
    epochs = curves.get("epochs") or {}
    if not epochs.get("epoch"):
        raise UserError(f"{document.file}: it has no curve to compare with.")
    threads = int(record.file.get("threads") or 1)
    return Original(record.name, trial, document, epochs, record.environment, threads)


def trial_document(record: StudyRecord, trial: TrialRecord) -> Document:
    """The settings a stored trial was trained with.

    Args:
        record: The study, for messages.
        trial: One of its trials.

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
    """One trial of a study.

    Args:
        record: The study.
        number: The trial's; None stands for the best one.

    Raises:
        UserError: There is no such trial, or no single best one.
    """
    from hpo.reporting.trials import best_trials

    if number is not None:
        found = next((trial for trial in record.all_trials if trial.number == number), None)
        if found is None:
            n = len(record.all_trials)
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


class Verdict(IntEnum):
    """How alike two epochs are; the larger, the less."""

    IDENTICAL = 0
    ROUNDING = 1
    DIFFERENT = 2

    @property
    def words(self) -> str:
        """For people."""
        return ("identical", "equal within rounding", "different")[self]


@dataclass(frozen=True)
class EpochPair:
    """One epoch of both runs.

    Attributes:
        epoch: 1-based.
        stored: The stored metrics by name.
        again: The repeated run's.
    """

    epoch: int
    stored: Mapping[str, float]
    again: Mapping[str, float]

    @property
    def verdict(self) -> Verdict:
        """The worst over the metrics."""
        limits = FIRST_EPOCH if self.epoch == 1 else LATER
        return max(
            _verdict(self.stored[name], self.again[name], limits[name] * _scale(name, self.stored))
            for name in COMPARED
        )

    def row(self) -> dict[str, Any]:
        """Both runs' metrics and the verdict."""
        metrics = {
            f"{name}{suffix}": values[name]
            for name in COMPARED
            for suffix, values in (("", self.stored), ("_again", self.again))
        }
        return {"epoch": self.epoch, **metrics, "verdict": self.verdict.words}

    def difference_row(self) -> dict[str, Any]:
        """The absolute difference of each metric and the verdict."""
        differences = {name: abs(self.stored[name] - self.again[name]) for name in COMPARED}
        return {"epoch": self.epoch, **differences, "verdict": self.verdict.words}


def pairs(
    stored: Mapping[str, Sequence[Any]], again: Mapping[str, Sequence[Any]]
) -> list[EpochPair]:
    """Pair the epochs of two runs.

    Args:
        stored: The `epochs` part of the stored curves.
        again: The same of the repeated run; may be shorter.
    """
    return [
        EpochPair(
            int(epoch),
            {name: _number(stored[name][i]) for name in COMPARED},
            {name: _number(again[name][i]) for name in COMPARED},
        )
        for i, epoch in enumerate(again["epoch"][: len(stored["epoch"])])
    ]


def judge(compared: Sequence[EpochPair], n_stored: int) -> Verdict:
    """The verdict over a whole run; one that ended early is different.

    Args:
        compared: The epochs that both runs have.
        n_stored: How many the stored one has.
    """
    if len(compared) < n_stored:
        return Verdict.DIFFERENT
    return max(pair.verdict for pair in compared)


def largest_differences(compared: Sequence[EpochPair]) -> dict[str, float]:
    """The largest absolute difference of each metric; NaN where only one run has a number."""
    return {
        name: max((pair.difference_row()[name] for pair in compared), default=0.0)
        for name in COMPARED
    }


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _scale(name: str, stored: Mapping[str, float]) -> float:
    return 1.0 if name == "evaluation_accuracy" else abs(stored[name])


def _verdict(stored: float, again: float, limit: float) -> Verdict:
    if stored == again or (math.isnan(stored) and math.isnan(again)):
        return Verdict.IDENTICAL
    return Verdict.ROUNDING if abs(stored - again) <= limit else Verdict.DIFFERENT
