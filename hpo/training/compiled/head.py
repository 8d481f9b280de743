"""The output layer's end: log-softmax, the loss and its gradient, for one image at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hpo.training.compiled.compiling import kernel
from hpo.training.compiled.elementwise import exp32
from hpo.training.compiled.simd import Floats

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
    """
    log_total = _log_total(scores, n_classes)
    if kind == NLL:
        loss = log_total - np.float64(scores[label])
        for c in range(n_classes):
            p = exp32(f32(scores[c] - log_total))
            scores[c] = weight * (p - (f32(1.0) if c == label else f32(0.0)))
        return loss
    loss, total = 0.0, 0.0
    for c in range(n_classes):
        log_p = scores[c] - log_total
        y = 1.0 if c == label else 0.0
        p = np.exp(log_p)
        miss = log_p - y if kind == MSE else p - y
        loss += miss * miss / n_classes
        total += 2.0 * miss / n_classes * (1.0 if kind == MSE else p)
    for c in range(n_classes):
        log_p = scores[c] - log_total
        y = 1.0 if c == label else 0.0
        p = np.exp(log_p)
        if kind == MSE:
            scores[c] = weight * f32(2.0 * (log_p - y) / n_classes - p * total)
        else:
            scores[c] = weight * f32(p * (2.0 * (p - y) / n_classes - total))
    return loss


@kernel
def _log_total(scores: Floats, n_classes: int) -> float:
    """Log of the sum of the scores' exponentials, in double precision."""
    highest = scores[0]
    for c in range(1, n_classes):
        highest = highest if scores[c] <= highest else scores[c]
    total = 0.0
    for c in range(n_classes):
        total += np.float64(exp32(f32(scores[c] - highest)))
    return np.float64(highest) + np.log(total)


@kernel
def likeliest(scores: npt.NDArray[np.float32], n_classes: int) -> int:
    """The first class with the highest score."""
    best = 0
    for c in range(1, n_classes):
        if scores[c] > scores[best]:
            best = c
    return best
