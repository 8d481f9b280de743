"""The fastest product of two float32 matrices on one thread; prints GFLOP/s."""

from __future__ import annotations

import time

import torch

SIZE, N_TRIES = 512, 60


def peak() -> float:
    torch.set_num_threads(1)
    matrix = torch.randn(SIZE, SIZE)
    shortest = float("inf")
    for _ in range(N_TRIES):
        start = time.perf_counter()
        torch.mm(matrix, matrix)
        shortest = min(shortest, time.perf_counter() - start)
    return 2 * SIZE**3 / shortest / 1e9


if __name__ == "__main__":
    print(peak())
