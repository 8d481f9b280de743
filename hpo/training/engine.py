"""What an engine is: rows of a data set go in; losses, evaluations and weights come out."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from hpo.training.data import Rows


class Evaluation(NamedTuple):
    """What a model does on images it is not trained on.

    Attributes:
        loss: Mean over the images.
        accuracy: Fraction of the images classified correctly.
    """

    loss: float
    accuracy: float


class Engine(Protocol):
    """How a step is computed; every engine gives the same numbers up to rounding."""

    name: str

    def train_epoch(
        self, order: Rows, learning_rate: float, dropout_seed: int
    ) -> npt.NDArray[np.float32]:
        """One step for each ``batch_size`` rows of the training split.

        Args:
            order: Rows of the training split, in the order in which they are seen.
            learning_rate: Of every step.
            dropout_seed: Decides the masks.

        Returns:
            Each batch's loss before its step, float32, shape (batches,).
        """

    def evaluate(self, split: str, rows: Rows) -> Evaluation:
        """Loss and accuracy.

        Args:
            split: ``train`` or ``test``.
            rows: Rows of that split.
        """

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of the weights, on the CPU, as `MLP` names them."""
