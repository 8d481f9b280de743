"""What starting costs: `hpo --help` beside `python -c pass`, and a worker of a warm fork server.

python -m benchmarks.startup
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hpo.databases.storage import open_storage
from hpo.events import WorkerUp
from hpo.plan import make_plan
from hpo.runs.launch import launch
from hpo.study_files.reading import load
from hpo.workers import fork_server
from hpo.workers.children import call_in_child
from hpo.workers.devices import Slot
from hpo.workers.job import Job
from hpo.workers.objective_file import read_objective
from hpo.workers.processes import identify, start_worker

ROOT = Path(__file__).parent.parent
N_RUNS = 15
N_WORKERS = 8


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def help_ratio() -> tuple[float, float]:
    """Median seconds of `hpo --help` and of an empty Python program, in turns."""
    program = str(Path(sys.executable).parent / "hpo")
    pairs = [
        (seconds([program, "--help"]), seconds([sys.executable, "-c", "pass"]))
        for _ in range(N_RUNS)
    ]
    ours, empty = zip(*pairs, strict=True)
    return statistics.median(ours), statistics.median(empty)


def worker_starts(folder: Path) -> list[float]:
    """Seconds from asking the warm server for a worker until that worker claims points."""
    file = load(ROOT / "studies" / "random.yaml", ["n_trials=1", "epochs=1"])
    objective = read_objective(file.objective, ROOT)
    fork_server.start(file, objective)
    call_in_child(len, [])  # the server answers once it is warm
    storage = open_storage(f"sqlite:///{folder}/hpo.db", create=True)
    stored = launch(storage, make_plan(file), objective.text).stored
    stored.ledger.request_stop("only started")
    slot = Slot("cpu", 0, "cpu")
    found = []
    for _ in range(N_WORKERS):
        job = Job(
            url=storage.url,
            study=stored.name,
            plan_id=stored.plan_id,
            project=ROOT,
            worker=identify(slot),
            device="cpu",
            environment={},
            since=0.0,
            log=folder / "log",
        )
        started = time.perf_counter()
        worker = start_worker(slot, job)
        event = worker.pipe.recv()
        found.append(time.perf_counter() - started)
        assert isinstance(event, WorkerUp), event
        worker.kill()
        worker.process.join()
    storage.close()
    return found


def main() -> None:
    ours, empty = help_ratio()
    print(
        f"hpo --help {ours * 1e3:.0f} ms, python -c pass {empty * 1e3:.0f} ms: {ours / empty:.1f}"
    )
    with tempfile.TemporaryDirectory() as folder:
        starts = worker_starts(Path(folder))
    print(
        f"a worker of a warm fork server is ready after {statistics.median(starts) * 1e3:.0f} ms "
        f"(median of {len(starts)}; the slowest after {max(starts) * 1e3:.0f} ms)"
    )


if __name__ == "__main__":
    main()
