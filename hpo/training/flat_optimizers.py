"""Torch's optimizers over one flat buffer: gradients go in, parameters change in place.

One buffer for all parameters means one kernel an operation instead of one for each tensor.
`torch.optim` itself is not used: its first object imports torch._dynamo, which takes as long as
importing torch. The constants are torch.optim's defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from hpo.training.settings import MLPSettings, Optimizer

ADADELTA_RHO, ADADELTA_EPS = 0.9, 1e-6
ADAM_BETA1, ADAM_BETA2, ADAM_EPS = 0.9, 0.999, 1e-8
RMSPROP_ALPHA, RMSPROP_EPS = 0.99, 1e-8


class FlatOptimizer(Protocol):
    """Changes the flat parameters by their flat gradient."""

    def step(self, gradient: Tensor, learning_rate: float) -> None:
        """One update; ``gradient`` has the parameters' shape and may be overwritten."""


class Adadelta:
    """Zeiler's method as torch.optim.Adadelta computes it."""

    def __init__(self, parameters: Tensor, settings: MLPSettings) -> None:
        self.parameters, self.weight_decay = parameters, settings.weight_decay
        self.square_average = torch.zeros_like(parameters)
        self.delta_average = torch.zeros_like(parameters)
        self.delta, self.root = torch.empty_like(parameters), torch.empty_like(parameters)

    def step(self, gradient: Tensor, learning_rate: float) -> None:
        """One update."""
        if self.weight_decay:
            gradient.add_(self.parameters, alpha=self.weight_decay)
        self.square_average.mul_(ADADELTA_RHO).addcmul_(gradient, gradient, value=1 - ADADELTA_RHO)
        torch.add(self.square_average, ADADELTA_EPS, out=self.root)
        torch.add(self.delta_average, ADADELTA_EPS, out=self.delta)
        self.delta.div_(self.root).sqrt_().mul_(gradient)
        self.delta_average.mul_(ADADELTA_RHO).addcmul_(
            self.delta, self.delta, value=1 - ADADELTA_RHO
        )
        self.parameters.add_(self.delta, alpha=-learning_rate)


class RMSprop:
    """Torch.optim.RMSprop, uncentred, with momentum."""

    def __init__(self, parameters: Tensor, settings: MLPSettings) -> None:
        self.parameters, self.settings = parameters, settings
        self.square_average = torch.zeros_like(parameters)
        self.buffer = torch.zeros_like(parameters)
        self.root = torch.empty_like(parameters)

    def step(self, gradient: Tensor, learning_rate: float) -> None:
        """One update."""
        if self.settings.weight_decay:
            gradient.add_(self.parameters, alpha=self.settings.weight_decay)
        self.square_average.mul_(RMSPROP_ALPHA).addcmul_(
            gradient, gradient, value=1 - RMSPROP_ALPHA
        )
        torch.sqrt(self.square_average, out=self.root).add_(RMSPROP_EPS)
        if self.settings.momentum:
            self.buffer.mul_(self.settings.momentum).addcdiv_(gradient, self.root)
            self.parameters.add_(self.buffer, alpha=-learning_rate)
        else:
            self.parameters.addcdiv_(gradient, self.root, value=-learning_rate)


class SGD:
    """Torch's fused SGD kernel: momentum without dampening or Nesterov's step."""

    def __init__(self, parameters: Tensor, settings: MLPSettings) -> None:
        self.parameters, self.settings = parameters, settings
        self.buffers = [torch.zeros_like(parameters)] if settings.momentum else []

    def step(self, gradient: Tensor, learning_rate: float) -> None:
        """One update."""
        torch._fused_sgd_(  # the kernel torch.optim calls
            [self.parameters],
            [gradient],
            self.buffers,
            weight_decay=self.settings.weight_decay,
            momentum=self.settings.momentum,
            lr=learning_rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,  # a first step over zeroed buffers is the same
        )


class Adam:
    """Torch's fused Adam and AdamW kernels; they differ in how weight decay enters."""

    def __init__(self, parameters: Tensor, settings: MLPSettings) -> None:
        self.parameters, self.settings = parameters, settings
        self.average = torch.zeros_like(parameters)
        self.square_average = torch.zeros_like(parameters)
        self.n_steps = torch.zeros((), dtype=torch.float32, device=parameters.device)
        is_adamw = settings.optimizer == "adamw"
        self.kernel = torch._fused_adamw_ if is_adamw else torch._fused_adam_

    def step(self, gradient: Tensor, learning_rate: float) -> None:
        """One update."""
        self.n_steps.add_(1)
        self.kernel(
            [self.parameters],
            [gradient],
            [self.average],
            [self.square_average],
            [],
            [self.n_steps],
            lr=learning_rate,
            beta1=ADAM_BETA1,
            beta2=ADAM_BETA2,
            weight_decay=self.settings.weight_decay,
            eps=ADAM_EPS,
            amsgrad=False,
            maximize=False,
        )


KINDS: dict[Optimizer, Callable[[Tensor, MLPSettings], FlatOptimizer]] = {
    "adadelta": Adadelta,
    "rmsprop": RMSprop,
    "sgd": SGD,
    "adam": Adam,
    "adamw": Adam,
}


def make_optimizer(parameters: Tensor, settings: MLPSettings) -> FlatOptimizer:
    """The settings' optimizer over a flat buffer of parameters."""
    return KINDS[settings.optimizer](parameters, settings)
