"""What happens to each number by itself: exponentials, activations, dropout masks."""

from __future__ import annotations

import numpy as np

from hpo.training.compiled.compiling import Floats, kernel

RELU, SIGMOID, TANH, LEAKY_RELU, ELU = range(5)
ACTIVATION_CODES = {
    "relu": RELU,
    "sigmoid": SIGMOID,
    "tanh": TANH,
    "leaky_relu": LEAKY_RELU,
    "elu": ELU,
}

f32 = np.float32
_LEAK = f32(0.01)  # torch's slope
_LOG2_E = f32(1.44269504)
_LN2_HIGH, _LN2_LOW = f32(0.693359375), f32(-2.12194440e-4)
_EXP_LOWEST, _EXP_HIGHEST = f32(-87.3), f32(88.7)


@kernel
def exp32(x: np.float32) -> np.float32:
    """E to the x within 2 units in the last place; NaN stays NaN, overflow is infinite.

    e^x = 2^n e^r with |r| <= ln(2)/2 and Cephes' polynomial; unlike libm's it runs on vectors.
    """
    clipped = _EXP_LOWEST if x < _EXP_LOWEST else x
    clipped = _EXP_HIGHEST if clipped > _EXP_HIGHEST else clipped
    n = np.rint(clipped * _LOG2_E)
    r = (clipped - n * _LN2_HIGH) - n * _LN2_LOW
    tail = f32(1.9875691500e-4) * r + f32(1.3981999507e-3)
    tail = tail * r + f32(8.3334519073e-3)
    tail = tail * r + f32(4.1665795894e-2)
    tail = tail * r + f32(1.6666665459e-1)
    tail = tail * r + f32(5.0000001201e-1)
    power = np.int32((np.int32(n) + np.int32(126)) << np.int32(23)).view(np.float32)
    result = (tail * r * r + r + f32(1.0)) * power * f32(2.0)
    return f32(np.inf) if x > _EXP_HIGHEST else result


@kernel
def tanh32(x: np.float32) -> np.float32:
    """Hyperbolic tangent; near zero a polynomial, since 1 - e^-2x would lose its digits."""
    size = abs(x)
    e = exp32(f32(-2.0) * size)
    far = (f32(1.0) - e) / (f32(1.0) + e)
    z = x * x
    near = f32(-5.70498872745e-3) * z + f32(2.06390887954e-2)
    near = near * z - f32(5.37397155531e-2)
    near = near * z + f32(1.33314422036e-1)
    near = near * z - f32(3.33332819422e-1)
    small = near * z * x + x
    return small if size < f32(0.625) else (-far if x < f32(0.0) else far)


@kernel
def activate(values: Floats, kind: int) -> None:
    """Replace pre-activations by activations. Comparisons are written so that NaN passes.

    Args:
        values: Changed in place.
        kind: One of ``ACTIVATION_CODES``.
    """
    if kind == RELU:
        for i in range(values.shape[0]):
            values[i] = f32(0.0) if values[i] < f32(0.0) else values[i]
    elif kind == SIGMOID:
        for i in range(values.shape[0]):
            values[i] = f32(1.0) / (f32(1.0) + exp32(-values[i]))
    elif kind == TANH:
        for i in range(values.shape[0]):
            values[i] = tanh32(values[i])
    elif kind == LEAKY_RELU:
        for i in range(values.shape[0]):
            values[i] = _LEAK * values[i] if values[i] < f32(0.0) else values[i]
    else:
        for i in range(values.shape[0]):
            x = values[i]
            values[i] = _expm1(x) if x < f32(0.0) else x


@kernel
def _expm1(x: np.float32) -> np.float32:
    """e^x - 1 = tanh(x/2) (e^x + 1), which keeps its digits near zero."""
    return tanh32(f32(0.5) * x) * (exp32(x) + f32(1.0))


@kernel
def multiply_by_slope(gradients: Floats, outputs: Floats, kind: int, kept: float) -> None:
    """Gradient by activations -> by pre-activations; each slope is a function of the activation.

    Args:
        gradients: Changed in place.
        outputs: Activations after dropout, which divides by ``kept``; where it dropped a unit, the
            gradient is 0 already.
        kind: One of ``ACTIVATION_CODES``.
        kept: Probability of keeping a unit.
    """
    n, share = gradients.shape[0], f32(kept)
    if kind == RELU:
        for i in range(n):
            gradients[i] = gradients[i] if outputs[i] > f32(0.0) else f32(0.0)
    elif kind == SIGMOID:
        for i in range(n):
            a = outputs[i] * share
            gradients[i] *= a * (f32(1.0) - a)
    elif kind == TANH:
        for i in range(n):
            a = outputs[i] * share
            gradients[i] *= f32(1.0) - a * a
    elif kind == LEAKY_RELU:
        for i in range(n):
            gradients[i] *= f32(1.0) if outputs[i] > f32(0.0) else _LEAK
    else:
        for i in range(n):
            a = outputs[i] * share
            gradients[i] *= f32(1.0) if a > f32(0.0) else a + f32(1.0)


@kernel
def draw_mask(mask: Floats, probability: float, key: int) -> None:
    """Fill with 0 (with this probability) or 1 / (1 - probability); the same for the same key.

    Number i is a hash of (key, i), two rounds of Wellons' "lowbias32": it runs on vectors.

    Args:
        mask: Filled.
        probability: Of dropping a unit.
        key: Not negative; decides the mask.
    """
    limit = np.uint32(probability * 4294967296.0)
    scale = f32(1.0 / (1.0 - probability))
    low, high = np.uint32(key), np.uint32(key >> 32)
    for i in range(mask.shape[0]):
        bits = _mix(np.uint32(_mix(np.uint32(np.uint32(i) ^ low)) ^ high))
        mask[i] = f32(0.0) if bits < limit else scale


@kernel
def _mix(x: np.uint32) -> np.uint32:
    x = np.uint32(np.uint32(x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D))
    x = np.uint32(np.uint32(x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(x ^ (x >> np.uint32(16)))


@kernel
def multiply(values: Floats, factors: Floats) -> None:
    """``values *= factors``.

    Args:
        values: Changed in place.
        factors: Of the same shape.
    """
    for i in range(values.shape[0]):
        values[i] *= factors[i]
