"""Eight workers on one SQLite file with a dashboard open on it: ours against stock Optuna.

Each worker runs trials of 50 steps with `report` and `should_prune` (median pruner), 10,000 round
trips in all, while a client asks the dashboard for the study every second. Ours must never see
"database is locked". It prints medians and 99th percentiles side by side.

    python -m benchmarks.storage_contention [--trips 10000]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.postgres import free_port

N_WORKERS = 8
N_STEPS = 50
LOCKED = "database is locked"
OBJECTIVE = f"""
import os, time

def objective(trial):
    x = trial.suggest_float("x", 0.0, 1.0)
    for step in range(1, {N_STEPS} + 1):
        started = time.perf_counter()
        trial.report(0.5, step)
        trial.should_prune()
        with open(f"trips-{{os.getpid()}}", "a") as file:
            print(time.perf_counter() - started, file=file)
    return x
"""
STUDY = {
    "study": "s",
    "method": "random",
    "direction": "minimize",
    "search_space": {"x": {"low": 0.0, "high": 1.0}},
    "pruner": {"median": {"n_startup_trials": 5}},
}
STOCK = """
import sys, optuna
from objective import objective
optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.load_study(
    study_name="s", storage=sys.argv[1],
    sampler=optuna.samplers.RandomSampler(), pruner=optuna.pruners.MedianPruner(),
)
study.optimize(objective, n_trials=int(sys.argv[2]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trips", type=int, default=10_000, help="round trips on each side")
    n_trials = max(N_WORKERS, parser.parse_args().trips // N_STEPS)
    print(f"{'':6} {'trips':>6} {'median ms':>10} {'p99 ms':>8} {'seconds':>8}  errors")
    ours = _measure("ours", n_trials)
    stock = _measure("stock", n_trials)
    print(f"stock/ours: median {stock[0] / ours[0]:.1f}, p99 {stock[1] / ours[1]:.1f}")


def _measure(side: str, n_trials: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "objective.py").write_text(OBJECTIVE)
        (folder / "search_spaces.yaml").write_text("{}\n")
        (folder / "study.yaml").write_text(json.dumps(STUDY | {"n_trials": n_trials}))
        started = time.monotonic()
        errors = _run_ours(folder) if side == "ours" else _run_stock(folder, n_trials)
        elapsed_s = time.monotonic() - started
        trips = [float(s) for file in folder.glob("trips-*") for s in file.read_text().split()]
        errors += "".join(log.read_text() for log in folder.rglob("*.log"))
    n_locked = errors.count(LOCKED)
    if side == "ours":
        assert n_locked == 0, errors
        assert len(trips) >= n_trials * N_STEPS, len(trips)
    median, p99 = statistics.median(trips), statistics.quantiles(trips, n=100)[98]
    row = f"{side:6} {len(trips):6} {1e3 * median:10.2f} {1e3 * p99:8.1f} {elapsed_s:8.1f}"
    print(f"{row}  {LOCKED}: {n_locked}", flush=True)
    return median, p99


def _run_ours(folder: Path) -> str:
    url = f"sqlite:///{folder}/ours.db"
    hpo = [sys.executable, "-m", "hpo"]
    first = [*hpo, "run", "study.yaml", "--storage", url, "--timeout", "1s", "--workers", "1"]
    subprocess.run(first, cwd=folder, check=True, capture_output=True)
    command = [*hpo, "run", "study.yaml", "--storage", url, "--devices", f"cpu*{N_WORKERS}"]
    with _dashboard([*hpo, "dashboard", "--storage", url, "--port", "0"], folder):
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def _run_stock(folder: Path, n_trials: int) -> str:
    import optuna

    url = f"sqlite:///{folder}/stock.db"
    optuna.create_study(study_name="s", storage=url)
    program = str(Path(sys.executable).with_name("optuna-dashboard"))
    worker = [sys.executable, "-c", STOCK, url, str(n_trials // N_WORKERS)]
    with _dashboard([program, url, "--port", str(free_port())], folder):
        workers = [
            subprocess.Popen(worker, cwd=folder, stderr=subprocess.PIPE, text=True)
            for _ in range(N_WORKERS)
        ]
        return "".join(process.communicate()[1] for process in workers)


@contextlib.contextmanager
def _dashboard(command: Sequence[str], folder: Path) -> Iterator[None]:
    """A dashboard whose study page a client asks for every second."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout
    address = None
    while address is None:
        line = process.stdout.readline()
        assert line, "the dashboard did not start"
        address = re.search(r"http://[\w.]+:\d+", line)
    ended = threading.Event()
    client = threading.Thread(target=_ask, args=(address[0], ended))
    client.start()
    try:
        yield
    finally:
        ended.set()
        client.join()
        process.send_signal(signal.SIGTERM)
        process.communicate()


def _ask(address: str, ended: threading.Event) -> None:
    n_answers = 0
    while not ended.wait(1.0):
        page = f"{address}/api/studies/1?after=0"
        with contextlib.suppress(OSError), urllib.request.urlopen(page, timeout=60) as answer:
            answer.read()
            n_answers += 1
    print(f"       the dashboard answered {n_answers} times", flush=True)


if __name__ == "__main__":
    main()
