"""How many times as fast as a DataLoader program hpo trains: prints one table of ratios.

Each run is a process of its own with one thread. Its CPU time is compared, which other programs on
the machine do not inflate, and the two programs take turns. An epoch trains on 60,000 images and
evaluates 10,000; the first epoch of a process does not count. A case whose data set is not
available is skipped, with the reason.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
ARTICLE: dict[str, Any] = {"validation_size": 0, "epochs": 2}
N_TRAIN = 60_000


class Case(NamedTuple):
    """One line of the table.

    Attributes:
        title: What is trained.
        settings: Changes to the article's baseline.
        engine: Which engine of hpo.
        target: The ratio that must be reached.
    """

    title: str
    settings: dict[str, Any]
    engine: str
    target: float


CASES = [
    Case("MNIST, batch 64", {}, "compiled", 18),
    Case("MNIST, batch 64", {}, "torch", 7),
    Case("MNIST, batch 16", {"batch_size": 16}, "compiled", 12),
    Case("MNIST, batch 256", {"batch_size": 256}, "compiled", 15),
    Case("Fashion-MNIST, batch 64", {"dataset": "fashion_mnist"}, "compiled", 8),
    Case("MNIST, 3 hidden layers", {"hidden_layers": [128, 64, 64]}, "compiled", 7),
    Case("MNIST, 5 hidden layers", {"hidden_layers": [256, 128, 128, 64, 64]}, "compiled", 7),
]


class CannotRunError(Exception):
    """Something that a benchmark needs is not available; the message is the reason."""


def run(script: str, *arguments: str) -> str:
    """What a script of this folder prints, in a process of its own, on one thread.

    Raises:
        CannotRunError: The script failed.
    """
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = os.environ | one | {"PYTHONPATH": str(HERE.parent)}
    command = [sys.executable, str(HERE / script), *arguments]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise CannotRunError(said[-1] if said else f"{script} ended with {done.returncode}")
    return done.stdout


def epoch_seconds(script: str, settings: dict[str, Any]) -> float:
    """Seconds of the fastest epoch after the first."""
    return float(min(json.loads(run(script, json.dumps(ARTICLE | settings)))[1:]))


def compare(case: Case, n_rounds: int) -> tuple[float, float, list[float]]:
    """Median seconds of an epoch of both programs, and each round's ratio."""
    times = []
    for _ in range(n_rounds):
        plain = epoch_seconds("trainer_dataloader.py", case.settings)
        ours = epoch_seconds("trainer_hpo.py", case.settings | {"engine": case.engine, "epochs": 4})
        times.append((plain, ours))
    plains, ours_all = zip(*times, strict=True)
    ratios = [plain / ours for plain, ours in times]
    return statistics.median(plains), statistics.median(ours_all), ratios


def dense_gflop(settings: dict[str, Any]) -> float:
    """Arithmetic of an epoch's products if no pixel were skipped, evaluation included."""
    widths = [784, *settings.get("hidden_layers", [128]), 10]
    sizes = [a * b for a, b in itertools.pairwise(widths)]
    learnt = 2 * sum(sizes) + sum(sizes[1:])  # forward, weight gradients, input gradients
    return 2e-9 * float(N_TRAIN * learnt + 10_000 * sum(sizes))


def row(case: Case, n_rounds: int, peak: float) -> str:
    """A case's line of the table."""
    plain, ours, ratios = compare(case, n_rounds)
    rounds = ", ".join(f"{ratio:.1f}" for ratio in ratios)
    share = dense_gflop(case.settings) / ours / peak
    return (
        f"| {case.title} | {case.engine} | {plain:.2f} | {ours:.3f} "
        f"| **{statistics.median(ratios):.1f}** ({rounds}) | {case.target:.0f} | {share:.0%} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each program in each case")
    parser.add_argument("--only", default="", help="only cases whose title and engine have this")
    arguments = parser.parse_args()
    peak = max(float(run("trainer_peak.py")) for _ in range(3))
    started = time.strftime("%Y-%m-%d")
    print(f"{started}; one core's float32 GEMM peak: {peak:.0f} GFLOP/s\n")
    print(
        "| case | engine | DataLoader s | hpo s | times as fast (each round) | target | of peak |"
    )
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        if arguments.only not in f"{case.title} {case.engine}":
            continue
        try:
            print(row(case, arguments.rounds, peak), flush=True)
        except CannotRunError as reason:
            print(f"| {case.title} | {case.engine} | skipped: {reason} | | | | |", flush=True)
    print("\n'of peak': dense arithmetic a second over the GEMM peak; skipped zeros count as done.")


if __name__ == "__main__":
    main()
