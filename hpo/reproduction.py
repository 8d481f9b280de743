"""Is a repeated training run the same? A stored trial and its repetition in, verdicts out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from hpo.errors import UserError
from hpo.train import trial_document

if TYPE_CHECKING:
    from hpo.reporting.records import StudyRecord, TrialRecord
    from hpo.yaml_files.source import Document

# Engines and processors round differently, and training amplifies it without bound. Measured on
# MNIST, the two engines agree to 1e-7 in the first epoch and are 6 % and 0.2 points apart in the
# sixth; two seeds are apart by 0.4 to 8 % in the first epoch already. So the first epoch tells.
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

    Raises:
        UserError: It was not trained by the MLP trainer, or has no curve to compare with.
    """
    document = trial_document(record, trial)
    epochs = curves.get("epochs") or {}
    if not epochs.get("epoch"):
        raise UserError(f"{document.file}: it has no curve to compare with.")
    threads = int(record.file.get("threads") or 1)
    return Original(record.name, trial, document, epochs, record.environment, threads)


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
    """The verdict over a whole run; one that ended early is different."""
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
