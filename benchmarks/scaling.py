"""One worker against two on the same MNIST plan: how much faster two are.

Both run the shipped objective on random points of small MLPs, in turns. It prints the seconds from
the start of the first trial to the end of the last one, without start-up, and their ratio.

    python -m benchmarks.scaling [--trials 24] [--epochs 2] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
STUDY: dict[str, Any] = {
    "study": "scaling",
    "method": "random",
    "direction": "maximize",
    "search_space": {"learning_rate": {"low": 0.3, "high": 1.0}, "dropout": {"choices": [0.0]}},
}
FIXED = {"dataset": "mnist", "hidden_layers": [128], "batch_size": 64, "optimizer": "adadelta"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ROOT / "objective.py", folder)
        (folder / "search_spaces.yaml").write_text("{}\n")
        fixed = FIXED | {"epochs": arguments.epochs}
        study = STUDY | {"n_trials": arguments.trials, "fixed": fixed}
        (folder / "study.yaml").write_text(json.dumps(study))
        for turn in range(arguments.rounds):
            for n_workers, found in seconds.items():
                found.append(_run(folder, n_workers, turn))
                print(f"round {turn}: {n_workers} workers {found[-1]:.2f} s", flush=True)
    one, two = (statistics.median(found) for found in seconds.values())
    print(f"1 worker {one:.2f} s, 2 workers {two:.2f} s: {one / two:.2f} times as fast")


def _run(folder: Path, n_workers: int, turn: int) -> float:
    """Seconds from the start of the first trial to the end of the last."""
    url = f"sqlite:///{folder}/{n_workers}-{turn}.db"
    command = [sys.executable, "-m", "hpo", "run", "study.yaml", "--storage", url, "--json"]
    ran = subprocess.run(
        [*command, "--devices", f"cpu*{n_workers}"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    starts = [event["time"] for event in events if event["event"] == "trial_started"]
    ends = [event["time"] for event in events if event["event"] == "trial_finished"]
    return float(max(ends) - min(starts))


if __name__ == "__main__":
    main()
