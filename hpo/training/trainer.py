"""One training run: settings, images and a device go in, metrics of each epoch come out."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hpo.errors import DeviceError
from hpo.training.data import Dataset, Rows, load_data
from hpo.training.engine import Evaluation, choose_engine
from hpo.training.mlp import initial_model
from hpo.training.settings import MLPSettings


@dataclass(frozen=True)
class EpochMetrics:
    """What one epoch ended with.

    Attributes:
        epoch: 1-based.
        samples: Training images seen since the start.
        train_loss: Mean over the epoch's images, each taken before its batch's step, penalties
            excluded.
        evaluation_loss: Mean over the evaluation images.
        evaluation_accuracy: Fraction of the evaluation images classified rightly.
        seconds: Since the start, evaluation included.
    """

    epoch: int
    samples: int
    train_loss: float
    evaluation_loss: float
    evaluation_accuracy: float
    seconds: float

    @property
    def is_finite(self) -> bool:
        """Whether neither loss is NaN or infinite; a run that is not has diverged."""
        return math.isfinite(self.train_loss) and math.isfinite(self.evaluation_loss)


class BatchCurve(TypedDict):
    """Loss of one batch every ``log_interval``, over the samples seen before that batch."""

    samples: list[int]
    train_loss: list[float]


class EpochCurve(TypedDict):
    """The fields of `EpochMetrics`, one entry an epoch."""

    epoch: list[int]
    samples: list[int]
    train_loss: list[float]
    evaluation_loss: list[float]
    evaluation_accuracy: list[float]
    seconds: list[float]


class Curves(TypedDict):
    """Both series of a run, as plain data."""

    batches: BatchCurve
    epochs: EpochCurve


class Training(Iterator[EpochMetrics]):
    """A run that trains one epoch each time it is asked for the next metrics.

    Attributes:
        settings: What is trained.
        engine: The engine's name, ``torch`` or ``compiled``.
        engine_reason: Why that one, in words for a user.
        n_parameters: Number of trained weights and biases.
        curves: The series so far.
    """

    def __init__(
        self,
        settings: MLPSettings,
        data: Dataset,
        device: torch.device,
        threads: int,
        dry_run: bool,
    ) -> None:
        self.settings, self.threads, self.dry_run = settings, threads, dry_run
        self.curves = _empty_curves()
        self._split = data.split(settings.validation_size, settings.split_seed)
        self._n_test = len(data.test.labels)
        self._orders = torch.Generator().manual_seed(settings.seed)
        self._seconds = 0.0
        with _processor(threads):
            model = initial_model(settings, data.n_inputs, data.n_classes)
            self.n_parameters = sum(tensor.numel() for tensor in model.parameters())
            self._engine, self.engine_reason = choose_engine(settings, data, device, model)
        self.engine = self._engine.name

    def __next__(self) -> EpochMetrics:
        """Train and evaluate one epoch."""
        epoch = len(self.curves["epochs"]["epoch"]) + 1
        if epoch > (1 if self.dry_run else self.settings.epochs):
            raise StopIteration
        start = time.perf_counter()
        with _processor(self.threads):
            order = self._order()
            losses = self._engine.train_epoch(
                order, self.settings.learning_rate_at(epoch), _dropout_seed(self.settings, epoch)
            )
            evaluation = self._engine.evaluate(
                self._split.evaluation_part, self._split.evaluation_rows
            )
        self._seconds += time.perf_counter() - start
        return self._record(epoch, len(order), losses, evaluation)

    def test(self) -> Evaluation:
        """Loss and accuracy on the test split, which a search never looks at."""
        with _processor(self.threads):
            return self._engine.evaluate("test", np.arange(self._n_test))

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of the weights, on the CPU, that `hpo.training.mlp.MLP` loads."""
        return self._engine.state_dict()

    def save(self, path: Path) -> None:
        """Write the weights to a file that ``torch.load`` reads; a reader never sees half of it."""
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".weights-") as aside:
            whole = Path(aside) / path.name
            torch.save(self.state_dict(), whole)
            whole.replace(path)

    def _order(self) -> Rows:
        """This epoch's rows: all training rows once, or one batch of them in a dry run."""
        rows = self._split.train_rows
        if self.settings.shuffle:
            rows = rows[torch.randperm(len(rows), generator=self._orders).numpy()]
        return rows[: self.settings.batch_size] if self.dry_run else rows

    def _record(
        self, epoch: int, n_images: int, losses: npt.NDArray[np.float32], evaluation: Evaluation
    ) -> EpochMetrics:
        batch_size, epochs = self.settings.batch_size, self.curves["epochs"]
        before = epochs["samples"][-1] if epochs["samples"] else 0
        logged = range(0, len(losses), self.settings.log_interval)
        self.curves["batches"]["samples"] += [before + i * batch_size for i in logged]
        self.curves["batches"]["train_loss"] += [float(losses[i]) for i in logged]
        sizes = np.full(len(losses), batch_size)
        sizes[-1] = n_images - batch_size * (len(losses) - 1)
        metrics = EpochMetrics(
            epoch=epoch,
            samples=before + n_images,
            train_loss=float(np.average(losses.astype(np.float64), weights=sizes)),
            evaluation_loss=evaluation.loss,
            evaluation_accuracy=evaluation.accuracy,
            seconds=self._seconds,
        )
        _append(epochs, metrics)
        return metrics


def fit(
    settings: MLPSettings,
    data: Dataset | None = None,
    device: str | torch.device = "cpu",
    *,
    threads: int = 1,
    dry_run: bool = False,
) -> Training:
    """Start a training run; iterate over the result to train.

    Args:
        settings: What to train.
        data: The data set; None loads the one that the settings name.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: Torch's threads on a CPU while this run trains; the caller's number comes back.
        dry_run: Train one batch of one epoch.

    Returns:
        An iterator over the metrics of each epoch, which also holds the curves and the weights.

    Raises:
        DataError: The data set cannot be had.
        DeviceError: This machine does not have the device.
        UserError: The settings do not fit the data, or ``engine`` cannot train them.
    """
    return Training(
        settings,
        load_data(settings.dataset) if data is None else data,
        _working_device(device),
        threads,
        dry_run,
    )


def warm(settings: MLPSettings, device: str | torch.device = "cpu") -> None:
    """Read the data and, on a CPU, load or compile the kernels, which all runs like this share.

    For a process that forks workers. It starts no thread.
    """
    if torch.device(device).type != "cpu":
        load_data(settings.dataset)
        return
    run = fit(settings, device=device, dry_run=True)
    if run.engine == "compiled":
        next(run)


def _working_device(device: str | torch.device) -> torch.device:
    """The device, after it has held one number.

    Raises:
        DeviceError: It cannot.
    """
    try:
        working = torch.device(device)
        torch.zeros(1, device=working)
    except (RuntimeError, AssertionError, NotImplementedError) as fault:
        reason = str(fault).splitlines()[0]
        raise DeviceError(f"The device {str(device)!r} cannot be used here: {reason}") from None
    return working


def _dropout_seed(settings: MLPSettings, epoch: int) -> int:
    """A seed for the masks of one epoch, whatever drew random numbers since the last one."""
    return (settings.seed * 1_000_003 + epoch) % 2**63


@contextmanager
def _processor(n_threads: int) -> Iterator[None]:
    """This many torch threads, and subnormal numbers rounded to 0; the caller's state comes back.

    Adadelta's averages for dead units fade below 1e-38, where arithmetic takes many times as long.
    """
    n_before, flushed_before = torch.get_num_threads(), _flushes_subnormals()
    torch.set_num_threads(n_threads)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(n_before)
        torch.set_flush_denormal(flushed_before)


def _flushes_subnormals() -> bool:
    smallest_normal = torch.finfo(torch.float32).tiny
    return bool(torch.tensor(smallest_normal) / 2 == 0)


def _empty_curves() -> Curves:
    return {
        "batches": {"samples": [], "train_loss": []},
        "epochs": {
            "epoch": [],
            "samples": [],
            "train_loss": [],
            "evaluation_loss": [],
            "evaluation_accuracy": [],
            "seconds": [],
        },
    }


def _append(curve: EpochCurve, metrics: EpochMetrics) -> None:
    curve["epoch"].append(metrics.epoch)
    curve["samples"].append(metrics.samples)
    curve["train_loss"].append(metrics.train_loss)
    curve["evaluation_loss"].append(metrics.evaluation_loss)
    curve["evaluation_accuracy"].append(metrics.evaluation_accuracy)
    curve["seconds"].append(metrics.seconds)
