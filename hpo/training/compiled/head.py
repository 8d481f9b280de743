"""The output layer's end: log-softmax, the loss and its gradient, for one image at a time."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from hpo.training.compiled.compiling import Floats, kernel
from hpo.training.compiled.elementwise import exp32

NLL, MSE, BRIER = range(3)
# Cross-entropy over log-softmax output is the negative log-likelihood.
LOSS_CODES = {"nll": NLL, "cross_entropy": NLL, "mse": MSE, "brier": BRIER}

f32 = np.float32


@kernel
def loss_and_gradient(
    scores: Floats, n_classes: int, label: int, kind: int, weight: np.float32
) -> float:
    """One image's loss; its scores (n_classes or more) are replaced by ``weight`` * their gradient.

    With p = softmax(scores), y the one-hot label and C classes:
    nll   L = -log p_label            dL/ds = p - y
    mse   L = sum (log p - y)^2 / C   dL/ds = u - p sum(u),      u = 2 (log p - y) / C
    brier L = sum (p - y)^2 / C       dL/ds = p (u - sum(u p)),  u = 2 (p - y) / C

    Args:
        scores: Changed in place; those behind ``n_classes`` stay.
        n_classes: How many of them count.
        label: The image's class.
        kind: One of ``LOSS_CODES``.
        weight: Of this image in the batch's mean.
    """
    if kind == NLL:
        return _nll(scores, n_classes, label, weight)
    highest, total = _highest(scores, n_classes), 0.0
    for c in range(n_classes):
        total += float(exp32(f32(scores[c] - highest)))
    log_total = float(highest) + math.log(total)
    loss, common = 0.0, 0.0
    for c in range(n_classes):
        log_p = float(scores[c]) - log_total
        p = math.exp(log_p)
        miss = (log_p if kind == MSE else p) - (1.0 if c == label else 0.0)
        loss += miss * miss / n_classes
        common += 2.0 * miss / n_classes * (1.0 if kind == MSE else p)
    for c in range(n_classes):
        log_p = float(scores[c]) - log_total
        p = math.exp(log_p)
        u = 2.0 * ((log_p if kind == MSE else p) - (1.0 if c == label else 0.0)) / n_classes
        scores[c] = weight * f32(u - p * common if kind == MSE else p * (u - common))
    return loss


@kernel
def _nll(scores: Floats, n_classes: int, label: int, weight: np.float32) -> float:
    """The case that most runs are: one exponential for each class."""
    highest, total = _highest(scores, n_classes), 0.0
    shifted = float(scores[label] - highest)
    for c in range(n_classes):
        scores[c] = exp32(f32(scores[c] - highest))
        total += float(scores[c])
    share = weight * f32(1.0 / total)
    for c in range(n_classes):
        scores[c] *= share
    scores[label] -= weight
    return math.log(total) - shifted


@kernel
def _highest(scores: Floats, n_classes: int) -> np.float32:
    highest: np.float32 = scores[0]
    for c in range(1, n_classes):
        highest = highest if scores[c] <= highest else scores[c]
    return highest


@kernel
def likeliest(scores: npt.NDArray[np.float32], n_classes: int) -> int:
    """The first class with the highest score.

    Args:
        scores: Of one image, ``n_classes`` or more.
        n_classes: How many of them count.
    """
    best = 0
    for c in range(1, n_classes):
        if scores[c] > scores[best]:
            best = c
    return best
