"""What an engine is, and which one trains a run: settings and a device go in, one comes out."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hpo.errors import UserError
from hpo.training.data import Dataset, Rows
from hpo.training.mlp import MLP
from hpo.training.settings import MLPSettings


class Evaluation(NamedTuple):
    """What a model does on images it is not trained on.

    Attributes:
        loss: Mean over the images.
        accuracy: Fraction of the images classified rightly.
    """

    loss: float
    accuracy: float


class Engine(Protocol):
    """How a step is computed; every engine gives the same numbers up to rounding."""

    name: str

    def train_epoch(
        self, order: Rows, learning_rate: float, dropout_seed: int
    ) -> npt.NDArray[np.float32]:
        """One step for each ``batch_size`` rows of ``order``; each batch's loss before its step."""

    def evaluate(self, part: str, rows: Rows) -> Evaluation:
        """Loss and accuracy on rows of the part ``train`` or ``test``."""

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of the weights, on the CPU, as `MLP` names them."""


def choose_engine(
    settings: MLPSettings, dataset: Dataset, device: torch.device, model: MLP
) -> tuple[Engine, str]:
    """The engine for a run, and why that one.

    Raises:
        UserError: ``engine: compiled`` was asked for and does not cover the run.
    """
    obstacle = _obstacle_to_compiled(settings, dataset, device)
    if settings.engine == "compiled" and obstacle:
        raise UserError(f"engine: compiled cannot train this: {obstacle}")
    if settings.engine == "torch" or obstacle:
        from hpo.training.torch_engine import TorchEngine

        return TorchEngine(settings, dataset, device, model), obstacle or "asked for"
    from hpo.training.compiled_engine import CompiledEngine

    reason = "a CPU and settings that the kernels cover"
    return CompiledEngine(settings, dataset, model), reason


def _obstacle_to_compiled(settings: MLPSettings, dataset: Dataset, device: torch.device) -> str:
    """Why the compiled engine cannot train this run; empty when it can or need not."""
    if settings.engine == "torch":
        return ""
    if device.type != "cpu":
        return f"the device is {device.type}"
    from hpo.training.compiled_engine import why_not_covered

    return why_not_covered(settings, dataset)
