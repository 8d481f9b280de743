"""The optimizers' updates of some rows of weights, with their penalties, in one pass."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hpo.training.compiled.compiling import Floats, estimating_kernel, kernel
from hpo.training.optimizers import (
    ADADELTA_EPS,
    ADADELTA_RHO,
    ADAM_BETA1,
    ADAM_BETA2,
    ADAM_EPS,
    RMSPROP_ALPHA,
    RMSPROP_EPS,
)

ADADELTA, SGD, ADAM, ADAMW, RMSPROP = range(5)
OPTIMIZER_CODES = {
    "adadelta": ADADELTA,
    "sgd": SGD,
    "adam": ADAM,
    "adamw": ADAMW,
    "rmsprop": RMSPROP,
}

f32 = np.float32
_ONE = f32(1.0)
_RHO, _RHO_REST, _ADADELTA_EPS = f32(ADADELTA_RHO), f32(1 - ADADELTA_RHO), f32(ADADELTA_EPS)
_BETA1, _BETA1_REST = f32(ADAM_BETA1), f32(1 - ADAM_BETA1)
_BETA2, _BETA2_REST, _ADAM_EPS = f32(ADAM_BETA2), f32(1 - ADAM_BETA2), f32(ADAM_EPS)
_ALPHA, _ALPHA_REST, _RMSPROP_EPS = f32(RMSPROP_ALPHA), f32(1 - RMSPROP_ALPHA), f32(RMSPROP_EPS)


class Rule(NamedTuple):
    """What is minimized, and how.

    Attributes:
        loss: One of ``LOSS_CODES``.
        optimizer: One of ``OPTIMIZER_CODES``.
        momentum: Of SGD and RMSprop.
        weight_decay: L2 penalty.
        l1: L1 penalty of the weights without the biases.
        first: State, in the places of the weights, float32: Adadelta's and RMSprop's mean square,
            SGD's momentum, Adam's mean.
        second: The same: Adadelta's mean square of steps, RMSprop's momentum, Adam's mean square.
        gradients: Scratch, float32, ``step.ROWS_AT_ONCE`` + 1 of the widest rows; the last one
            holds the sum of the deltas.
    """

    loss: int
    optimizer: int
    momentum: float
    weight_decay: float
    l1: float
    first: Floats
    second: Floats
    gradients: Floats


@kernel
def update(
    rule: Rule,
    weights: Floats,
    gradients: Floats,
    start: int,
    end: int,
    l1: float,
    rate: float,
    n_steps: int,
) -> None:
    """One step on ``weights[start:end]``, as torch.optim computes it.

    Args:
        rule: Its state is changed in place.
        weights: All of them, flat.
        gradients: Of these weights by the loss alone; the penalties' are added here.
        start: The first weight's place.
        end: The place after the last one.
        l1: L1 penalty of these weights.
        rate: Learning rate.
        n_steps: Steps taken, this one included.
    """
    w, g = weights[start:end], gradients[: end - start]
    first, second = rule.first[start:end], rule.second[start:end]
    decay, decoupled = rule.weight_decay, rule.optimizer == ADAMW
    if l1 > 0.0 or (decay > 0.0 and not decoupled):
        _add_penalties(w, g, f32(0.0 if decoupled else decay), f32(l1))
    if rule.optimizer == ADADELTA:
        _adadelta(w, g, first, second, f32(rate))
    elif rule.optimizer == SGD:
        _sgd(w, g, first, f32(rate), f32(rule.momentum))
    elif rule.optimizer == RMSPROP:
        _rmsprop(w, g, first, second, f32(rate), f32(rule.momentum))
    else:
        kept = f32(1.0 - rate * decay) if decoupled else _ONE
        step = f32(rate / (1.0 - ADAM_BETA1**n_steps))
        root = f32(1.0 / np.sqrt(1.0 - ADAM_BETA2**n_steps))
        _adam(w, g, first, second, kept, step, root)


@kernel
def _add_penalties(w: Floats, g: Floats, weight_decay: np.float32, l1: np.float32) -> None:
    for i in range(w.shape[0]):
        sign = _ONE if w[i] > f32(0.0) else (-_ONE if w[i] < f32(0.0) else f32(0.0))
        g[i] += weight_decay * w[i] + l1 * sign


@estimating_kernel
def _adadelta(w: Floats, g: Floats, squares: Floats, steps: Floats, rate: np.float32) -> None:
    """sqrt(a / b) is computed as a / sqrt(a b), which waits for one long operation less."""
    for i in range(w.shape[0]):
        square = _RHO * squares[i] + _RHO_REST * (g[i] * g[i])
        a, b = steps[i] + _ADADELTA_EPS, square + _ADADELTA_EPS
        step = a / np.sqrt(a * b) * g[i]
        squares[i] = square
        steps[i] = _RHO * steps[i] + _RHO_REST * (step * step)
        w[i] -= rate * step


@kernel
def _sgd(w: Floats, g: Floats, buffer: Floats, rate: np.float32, momentum: np.float32) -> None:
    if momentum == f32(0.0):
        for i in range(w.shape[0]):
            w[i] -= rate * g[i]
    else:
        for i in range(w.shape[0]):
            buffer[i] = momentum * buffer[i] + g[i]
            w[i] -= rate * buffer[i]


@kernel
def _rmsprop(
    w: Floats,
    g: Floats,
    squares: Floats,
    buffer: Floats,
    rate: np.float32,
    momentum: np.float32,
) -> None:
    for i in range(w.shape[0]):
        squares[i] = _ALPHA * squares[i] + _ALPHA_REST * (g[i] * g[i])
        buffer[i] = momentum * buffer[i] + g[i] / (np.sqrt(squares[i]) + _RMSPROP_EPS)
        w[i] -= rate * buffer[i]


@kernel
def _adam(
    w: Floats,
    g: Floats,
    means: Floats,
    squares: Floats,
    kept: np.float32,
    step: np.float32,
    root: np.float32,
) -> None:
    for i in range(w.shape[0]):
        means[i] = _BETA1 * means[i] + _BETA1_REST * g[i]
        squares[i] = _BETA2 * squares[i] + _BETA2_REST * (g[i] * g[i])
        w[i] = kept * w[i] - step * (means[i] / (np.sqrt(squares[i]) * root + _ADAM_EPS))
