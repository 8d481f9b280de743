"""Single runs: a settings file, a stored trial or nothing goes in, a trained run comes out.

torch is imported when training starts, in this very process.
"""

from __future__ import annotations

import os
import re
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.errors import DeviceError, FileFaults, SettingsFaults, UserError
from hpo.near_miss import near_miss
from hpo.training.settings import MLPSettings
from hpo.workers.devices import thread_environment
from hpo.yaml_files.source import Document, Place, parse_value

if TYPE_CHECKING:
    from hpo.training.engine import Evaluation
    from hpo.training.trainer import EpochMetrics, Training, TrainingCurves

AUTO = "auto"
_DEVICE = re.compile(r"cpu|mps|cuda(:\d+)?")
_DEVICES = (AUTO, "cpu", "cuda", "mps")


@dataclass(frozen=True)
class TrainedRun:
    """One training run that has ended.

    Attributes:
        settings: What was trained.
        device: Where.
        engine: By which engine.
        n_parameters: Number of trained weights and biases.
        curves: Losses every `log_interval` batches, and metrics of each epoch.
        run_time_s: From the first batch to the end, evaluations included.
        is_diverged: Whether a loss was no longer finite, which ended the run.
        test: Loss and accuracy on the test split, if they were asked for.
    """

    settings: MLPSettings
    device: str
    engine: str
    n_parameters: int
    curves: TrainingCurves
    run_time_s: float
    is_diverged: bool
    test: Evaluation | None = None

    def series(self) -> dict[str, Any]:
        """Everything measured, as plain data; counts are training images seen so far."""
        batches, epochs = self.curves["batches"], self.curves["epochs"]
        return {
            "settings": self.settings.to_dict(),
            "device": self.device,
            "engine": self.engine,
            "n_parameters": self.n_parameters,
            "evaluated_on": evaluated_on(self.settings),
            "train_counts": batches["samples"],
            "train_losses": batches["train_loss"],
            "evaluation_counts": epochs["samples"],
            "evaluation_losses": epochs["evaluation_loss"],
            "evaluation_accuracies": epochs["evaluation_accuracy"],
            "run_time_s": self.run_time_s,
            "is_diverged": self.is_diverged,
            **({} if self.test is None else _tested(self.test)),
        }

    @property
    def epochs(self) -> Mapping[str, Sequence[Any]]:
        """The metrics of each epoch, by name."""
        return self.curves["epochs"]

    def epoch_rows(self) -> list[dict[str, Any]]:
        """One row an epoch, with the run's seed."""
        columns = zip(*self.epochs.values(), strict=True)
        seed = {"seed": self.settings.seed}
        return [{**seed, **dict(zip(self.epochs, values, strict=True))} for values in columns]

    def outcome(self) -> dict[str, Any]:
        """What the run ended with, in one row."""
        names = ("train_loss", "evaluation_loss", "evaluation_accuracy")
        measured = {name: self.epochs[name][-1] for name in names}
        tested = {} if self.test is None else _tested(self.test)
        return {
            "seed": self.settings.seed,
            **measured,
            **tested,
            "run_time_s": self.run_time_s,
            "is_diverged": self.is_diverged,
        }


def _tested(test: Evaluation) -> dict[str, float]:
    return {"test_loss": test.loss, "test_accuracy": test.accuracy}


def evaluated_on(settings: MLPSettings) -> str:
    """Which images each epoch is evaluated on: `test` or `validation`."""
    return "validation" if settings.validation_size else "test"


def settings_of(document: Document, changes: Sequence[str], seed: int | None) -> MLPSettings:
    """The settings of a document, changed by ``--set`` and ``--seed``.

    Args:
        document: Its data are changed, too.
        changes: Texts of the form ``key=value``.
        seed: None keeps the document's.

    Raises:
        FileFaults: Everything that is wrong with the document or the changes, with its places.
    """
    for text in changes:
        _change(document, text)
    if seed is not None:
        document.put(("seed",), seed, Place(f"--seed {seed}", 0))
    try:
        settings = MLPSettings.from_mapping(document.data)
    except SettingsFaults as error:
        document.add(*error.faults)
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


def choose_device(text: str) -> tuple[str, str]:
    """The device to train on, and why that one.

    Raises:
        DeviceError: The text names no kind of device.
    """
    if text != AUTO:
        if not _DEVICE.fullmatch(text):
            hint = near_miss(text, _DEVICES)
            raise DeviceError(
                f"A device must be auto, cpu, cuda, cuda:N or mps, but got {text!r}.{hint}"
            )
        return text, "as asked"
    import torch

    if torch.cuda.is_available():
        return "cuda:0", "the first CUDA device"
    if torch.backends.mps.is_available():
        return "mps", "no CUDA device, MPS"
    return "cpu", "no CUDA device"


class Session:
    """A run in the making: iterate over it to train.

    Attributes:
        training: The trainer's own run.
        device: Where it trains.
    """

    def __init__(self, training: Training, device: str) -> None:
        self.training, self.device = training, device
        self._started = time.monotonic()
        self._is_diverged = False

    def __iter__(self) -> Iterator[EpochMetrics]:
        """Train; ends early when a loss is no longer finite."""
        for epoch in self.training:
            yield epoch
            if not epoch.is_finite:
                self._is_diverged = True
                return

    def end(self, *, test: bool = False) -> TrainedRun:
        """The run as it stands.

        Args:
            test: Whether to evaluate on the test split, too.
        """
        run_time_s = round(time.monotonic() - self._started, 4)
        training = self.training
        return TrainedRun(
            training.settings,
            self.device,
            training.engine,
            training.n_parameters,
            training.curves,
            run_time_s,
            self._is_diverged,
            training.test() if test else None,
        )


def start(
    settings: MLPSettings, device: str, *, threads: int = 1, dry_run: bool = False
) -> Session:
    """Make a model, ready to train.

    Args:
        settings: What to train.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: Of torch, on a CPU.
        dry_run: Train one batch of one epoch.

    Raises:
        DataError: The data set cannot be had.
        DeviceError: This machine does not have the device.
        UserError: The settings do not fit the data.
    """
    os.environ.update(thread_environment(threads))  # as in a worker, for the same numbers
    from hpo.training.trainer import fit

    training = fit(settings, device=device, threads=threads, dry_run=dry_run)
    return Session(training, device)


def check_target(path: Path) -> None:
    """Make sure, before hours of training, that a file can be written at its end.

    Raises:
        UserError: It cannot.
    """
    folder = path.absolute().parent
    if path.is_dir():
        raise UserError(f"--save needs the name of a file, but {path} is a folder.")
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder} to save {path.name} in.")
    if not os.access(folder, os.W_OK):
        raise UserError(f"{path} cannot be saved: the folder {folder} cannot be written.")


def spread(runs: Sequence[TrainedRun]) -> list[dict[str, Any]]:
    """Mean and spread over the seeds of all runs that did not diverge, a row a measure."""
    rows = [run.outcome() for run in runs if not run.is_diverged]
    names = [name for name in (rows[0] if rows else ()) if name not in ("seed", "is_diverged")]
    return [_measure(name, [row[name] for row in rows]) for name in names]


def _measure(name: str, values: Sequence[float]) -> dict[str, Any]:
    return {
        "measure": name,
        "runs": len(values),
        "mean": statistics.fmean(values),
        "standard_deviation": statistics.stdev(values) if len(values) > 1 else None,
        "lowest": min(values),
        "highest": max(values),
    }
