"""The multilayer perceptron as an ordinary `torch.nn.Module`, and its losses."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from hpo.training.settings import Activation, Loss, MLPSettings

ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
}


class MLP(nn.Module):
    """Linear layers with an activation and dropout after each hidden one.

    Args:
        n_inputs: Values in one image.
        n_classes: Number of classes.
        hidden_layers: Width of each hidden layer.
        activations: The activation of each hidden layer.
        dropouts: The probability of dropping a unit of each hidden layer.
    """

    def __init__(
        self,
        n_inputs: int,
        n_classes: int,
        hidden_layers: Sequence[int],
        activations: Sequence[Activation],
        dropouts: Sequence[float],
    ) -> None:
        super().__init__()
        widths = [n_inputs, *hidden_layers, n_classes]
        self.linears = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))
        self.activations = nn.ModuleList(ACTIVATIONS[name]() for name in activations)
        self.dropouts = nn.ModuleList(nn.Dropout(probability) for probability in dropouts)

    def layers(self) -> list[nn.Linear]:
        """The linear layers, first to last."""
        return [layer for layer in self.linears if isinstance(layer, nn.Linear)]

    def forward(self, x: Tensor) -> Tensor:
        """Log-probabilities, shape (batch, n_classes), of images of shape (batch, ...)."""
        h = x.flatten(1)
        *hidden, output = self.linears
        for linear, activation, dropout in zip(
            hidden, self.activations, self.dropouts, strict=True
        ):
            h = dropout(activation(linear(h)))
        return functional.log_softmax(output(h), dim=1)


def initial_model(settings: MLPSettings, n_inputs: int, n_classes: int) -> MLP:
    """The untrained model on the CPU; its weights depend on ``settings.seed`` alone.

    The weights are the second draw after seeding, as in the article's program, which builds its
    model twice. Torch's global generator is left as it was.

    Args:
        settings: Hidden layers, their activations and dropouts, and the seed.
        n_inputs: Values in one image.
        n_classes: Number of classes.
    """
    arguments = (settings.hidden_layers, settings.activations, settings.dropouts)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        MLP(n_inputs, n_classes, *arguments)
        return MLP(n_inputs, n_classes, *arguments)


def _one_hot(log_probabilities: Tensor, labels: Tensor) -> Tensor:
    zeros = torch.zeros_like(log_probabilities)
    return zeros.scatter_(1, labels.unsqueeze(1), 1.0)


def _mse(log_probabilities: Tensor, labels: Tensor) -> Tensor:
    return functional.mse_loss(log_probabilities, _one_hot(log_probabilities, labels))


def _brier(log_probabilities: Tensor, labels: Tensor) -> Tensor:
    return functional.mse_loss(log_probabilities.exp(), _one_hot(log_probabilities, labels))


LOSSES: dict[Loss, Callable[[Tensor, Tensor], Tensor]] = {
    # (log-probabilities (batch, classes), labels (batch)) -> the batch's mean loss
    "nll": functional.nll_loss,
    "cross_entropy": functional.cross_entropy,
    "mse": _mse,
    "brier": _brier,
}
