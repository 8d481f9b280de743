"""The optimizers' updates of some rows of weights, with their penalties, in one pass."""

from __future__ import annotations

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


@kernel
def update(
    kind: int,
    weights: Floats,
    gradients: Floats,
    first: Floats,
    second: Floats,
    rate: float,
    momentum: float,
    weight_decay: float,
    l1: float,
    n_steps: int,
) -> None:
    """One step of an optimizer as torch.optim computes it; all arrays have one shape.

    Args:
        kind: One of ``OPTIMIZER_CODES``.
        weights: Changed in place.
        gradients: Of the loss alone; the penalties' are added here.
        first: State: Adadelta's and RMSprop's mean square, SGD's momentum, Adam's mean.
        second: State: Adadelta's mean square of steps, RMSprop's momentum, Adam's mean square.
        rate: Learning rate.
        momentum: Of SGD and RMSprop.
        weight_decay: L2 penalty.
        l1: L1 penalty.
        n_steps: Steps taken, this one included.
    """
    decoupled = kind == ADAMW
    if l1 > 0.0 or (weight_decay > 0.0 and not decoupled):
        _add_penalties(weights, gradients, f32(0.0 if decoupled else weight_decay), f32(l1))
    if kind == ADADELTA:
        _adadelta(weights, gradients, first, second, f32(rate))
    elif kind == SGD:
        _sgd(weights, gradients, first, f32(rate), f32(momentum))
    elif kind == RMSPROP:
        _rmsprop(weights, gradients, first, second, f32(rate), f32(momentum))
    else:
        kept = f32(1.0 - rate * weight_decay) if decoupled else _ONE
        step = f32(rate / (1.0 - ADAM_BETA1**n_steps))
        root = f32(1.0 / np.sqrt(1.0 - ADAM_BETA2**n_steps))
        _adam(weights, gradients, first, second, kept, step, root)


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
