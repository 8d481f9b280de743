"""One training run: settings, images and a device go in, metrics of each epoch come out."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hpo.errors import DeviceError, UserError
from hpo.files import replacing
from hpo.training.data import Dataset, Rows, load_data
from hpo.training.engine import Engine, Evaluation
from hpo.training.mlp import MLP, initial_model
from hpo.training.settings import MLPSettings
from hpo.training.torch_engine import TorchEngine


@dataclass(frozen=True)
class EpochMetrics:
    """What one epoch ended with.

    Attributes:
        epoch: 1-based.
        samples: Training images seen since the start.
        train_loss: Mean over the epoch's images, each taken before its batch's step, penalties
            excluded.
        evaluation_loss: Mean over the evaluation images.
        evaluation_accuracy: Fraction of the evaluation images classified correctly.
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


class TrainingCurves(TypedDict):
    """Both series of a run, as plain data.

    Attributes:
        batches: Loss (``train_loss``) of one batch every ``log_interval``, over the training images
            seen before that batch (``samples``).
        epochs: The fields of `EpochMetrics`, one entry an epoch.
    """

    batches: dict[str, list[float]]
    epochs: dict[str, list[float]]


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
        self.curves: TrainingCurves = {
            "batches": {"samples": [], "train_loss": []},
            "epochs": {field.name: [] for field in fields(EpochMetrics)},
        }
        self._holdout = data.hold_out(settings.validation_size, settings.split_seed)
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
                self._holdout.evaluation_split, self._holdout.evaluation_rows
            )
        self._seconds += time.perf_counter() - start
        return self._record(len(order), losses, evaluation)

    def test(self) -> Evaluation:
        """Loss and accuracy on the test split, which a search never looks at."""
        with _processor(self.threads):
            return self._engine.evaluate("test", np.arange(self._n_test))

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of the weights, on the CPU, that `hpo.training.mlp.MLP` loads."""
        return self._engine.state_dict()

    def save(self, path: Path) -> None:
        """Write the weights to a file that ``torch.load`` reads; a reader never sees half of it."""
        with replacing(path) as aside:
            torch.save(self.state_dict(), aside)

    def _order(self) -> Rows:
        """This epoch's rows: all training rows once, or one batch of them in a dry run."""
        rows = self._holdout.train_rows
        if self.settings.shuffle:
            rows = rows[torch.randperm(len(rows), generator=self._orders).numpy()]
        return rows[: self.settings.batch_size] if self.dry_run else rows

    def _record(
        self, n_images: int, losses: npt.NDArray[np.float32], evaluation: Evaluation
    ) -> EpochMetrics:
        batch_size, epochs = self.settings.batch_size, self.curves["epochs"]
        before = int(epochs["samples"][-1]) if epochs["samples"] else 0
        logged = range(0, len(losses), self.settings.log_interval)
        self.curves["batches"]["samples"] += [before + i * batch_size for i in logged]
        self.curves["batches"]["train_loss"] += [float(losses[i]) for i in logged]
        sizes = np.full(len(losses), batch_size)
        sizes[-1] = n_images - batch_size * (len(losses) - 1)
        metrics = EpochMetrics(
            epoch=len(epochs["epoch"]) + 1,
            samples=before + n_images,
            train_loss=float(np.average(losses.astype(np.float64), weights=sizes)),
            evaluation_loss=evaluation.loss,
            evaluation_accuracy=evaluation.accuracy,
            seconds=self._seconds,
        )
        for name, series in epochs.items():
            series.append(getattr(metrics, name))
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


def choose_engine(
    settings: MLPSettings, dataset: Dataset, device: torch.device, model: MLP
) -> tuple[Engine, str]:
    """The engine for a run, and why that one.

    Args:
        settings: What to train; its ``engine`` may ask for one.
        dataset: What it trains on.
        device: Where.
        model: The untrained model on the CPU; torch's engine trains this very object.

    Raises:
        UserError: ``engine: compiled`` was asked for and does not cover the run.
    """
    obstacle = "asked for" if settings.engine == "torch" else ""
    if not obstacle and device.type != "cpu":
        obstacle = f"the device is {device.type}"
    if not obstacle:
        from hpo.training.compiled_engine import CompiledEngine, why_not_covered

        obstacle = why_not_covered(settings, dataset)
        if not obstacle:
            reason = "a CPU and settings that the kernels cover"
            return CompiledEngine(settings, dataset, model), reason
    if settings.engine == "compiled":
        raise UserError(f"engine: compiled cannot train this: {obstacle}")
    return TorchEngine(settings, dataset, device, model), obstacle


def preload(settings: MLPSettings, device: str | torch.device = "cpu") -> None:
    """Read the data and, on a CPU, load or compile the kernels, which all runs like this share.

    For a process that forks workers. It starts no thread.

    Args:
        settings: Of one such run.
        device: Where the runs will be.

    Raises:
        DataError: The data set cannot be had.
        UserError: The settings do not fit the data, or ``engine`` cannot train them.
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
