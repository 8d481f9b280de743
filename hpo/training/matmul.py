"""Which float32 matrix product torch uses on a CPU: a batch size goes in, a precision comes out.

``medium`` lets torch call oneDNN, which on AMD processors is faster than MKL and just as exact; on
processors with bfloat16 units it rounds to 8 bits, so its product is tried before it is trusted.
The choice depends on the machine and the settings alone, never on a clock: the same run gives the
same numbers whatever else the machine does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

EXACT = 1e-5  # largest error of a float32 product over its largest entry
MIN_BATCH = 64  # below, oneDNN is the slower one


def precision_for(device: torch.device, batch_size: int) -> str:
    """``medium`` where it is faster and exact, else ``highest``."""
    gains = device.type == "cpu" and batch_size >= MIN_BATCH and _is_amd_with_avx512()
    return "medium" if gains and is_exact("medium") else "highest"


@contextmanager
def matmul_precision(name: str) -> Iterator[None]:
    """Torch's precision of float32 products inside; the caller's outside."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@cache
def is_exact(name: str) -> bool:
    """Whether a product of the trainer's shapes under this precision is a float32 product."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(64, 784, generator=generator)
    weights = torch.randn(128, 784, generator=generator)
    with matmul_precision(name):
        got = torch.nn.functional.linear(images, weights)
    exact = images.double() @ weights.double().T
    return float((got - exact).abs().max()) <= EXACT * float(exact.abs().max())


@cache
def _is_amd_with_avx512() -> bool:
    try:
        is_amd = "AuthenticAMD" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return is_amd and "AVX512" in torch.backends.cpu.get_cpu_capability()
