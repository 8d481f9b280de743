"""What a trial costs beside its objective: this service against Optuna's stock SQLite storage.

Both run one objective that suggests 6 parameters and reports 5 times, with the same sampler, in
blocks that take turns. It prints the median time from one result to the next, for studies that
already hold 10, 100, 2,000 and 10,000 trials.

    python -m benchmarks.trial_cost [--stored 10,100,2000,10000] [--trials 60]
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna

from hpo.databases.storage import Storage, open_storage
from hpo.events import Event, TrialFinished
from hpo.ledger.points import WorkerIdentity
from hpo.ledger.stored_study import require_stored
from hpo.plan import make_plan
from hpo.runs.launch import launch
from hpo.study_files.components import make_sampler
from hpo.study_files.reading import load
from hpo.study_files.study_file import StudyFile
from hpo.workers.job import Job
from hpo.workers.worker import work

N_TEMPLATES = 10  # real trials, of which the stored ones are copies
BLOCK = 20
OBJECTIVE = """
def objective(trial):
    values = [trial.suggest_float(f"x{i}", 0.0, 1.0) for i in range(6)]
    for step in range(1, 6):
        trial.report(sum(values) * step, step)
    return sum(values)
"""
STUDY = """
study: cost
method: {method}
direction: minimize
n_trials: {total}
search_space: {{{space}}}
"""
SPACE = ", ".join(f"x{i}: {{low: 0.0, high: 1.0}}" for i in range(6))

Costs = list[float]


def main() -> None:
    arguments = _arguments()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(f"{'method':8} {'stored':>7} {'ours ms':>9} {'stock ms':>9} {'stock/ours':>11}")
    for method in arguments.methods.split(","):
        costs = {}
        for stored in map(int, arguments.stored.split(",")):
            ours, stock = _compare(method, stored, arguments.trials)
            row = f"{method:8} {stored:7} {1e3 * ours:9.2f} {1e3 * stock:9.2f}"
            print(f"{row} {stock / ours:11.2f}", flush=True)
            costs[stored] = ours
        _print_growth(method, costs)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stored", default="10,100,2000,10000", help="trials there are already")
    parser.add_argument("--trials", type=int, default=60, help="measured, on each side")
    parser.add_argument("--methods", default="random,tpe")
    return parser.parse_args()


def _print_growth(method: str, ours: dict[int, float]) -> None:
    for few, many in ((10, 2000), (100, 10_000)):
        if few in ours and many in ours:
            print(f"{method}: {many} stored cost {ours[many] / ours[few]:.2f} times as {few}")


def _compare(method: str, stored: int, n_trials: int) -> tuple[float, float]:
    """Median seconds of a trial with `stored` others there: ours and stock."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        folder = Path(name)
        total = stored + n_trials + N_TEMPLATES
        (folder / "objective.py").write_text(OBJECTIVE)
        (folder / "search_spaces.yaml").write_text("{}\n")
        text = STUDY.format(method=method, total=total, space=SPACE)
        (folder / "study.yaml").write_text(text)
        file = load(folder / "study.yaml")
        sides = (_ours(file, folder, stored), _stock(file, folder, stored))
        costs: tuple[Costs, Costs] = ([], [])
        for _ in range(max(1, n_trials // BLOCK)):
            for block, found in zip(sides, costs, strict=True):
                found += block()
    return statistics.median(costs[0]), statistics.median(costs[1])


def _ours(file: StudyFile, folder: Path, stored: int) -> Callable[[], Costs]:
    """A function that runs one block of trials and gives their times."""
    url = f"sqlite:///{folder}/ours.db"
    with _opened(url, create=True) as storage:
        launch(storage, make_plan(file), OBJECTIVE)
    _work(url, folder, N_TEMPLATES)
    _copy_trials(folder / "ours.db", stored)
    _copy_points(folder / "ours.db", stored)
    return lambda: _work(url, folder, BLOCK)


def _work(url: str, folder: Path, n_trials: int) -> Costs:
    """Run a worker for some trials; seconds from each result to the next."""
    ends: list[float] = []
    with _opened(url) as storage:
        since = _clock(storage)
        plan_id = require_stored(storage, "cost").plan_id
        worker = WorkerIdentity(f"w{time.time()}", "h", "m")
        job = Job(url, "cost", plan_id, folder, worker, "cpu", {}, since)

        def send(event: Event) -> None:
            if isinstance(event, TrialFinished):
                ends.append(time.perf_counter())
                if len(ends) == n_trials:
                    raise EnoughError

        devnull = os.open(os.devnull, os.O_WRONLY)
        with (
            os.fdopen(devnull, "w") as quiet,
            contextlib.redirect_stdout(quiet),
            contextlib.suppress(EnoughError),
        ):
            work(job, send)
    return [after - before for before, after in itertools.pairwise(ends)]


class EnoughError(Exception):
    """The block is complete."""


def _clock(storage: Storage) -> float:
    return require_stored(storage, "cost").ledger.clock()


@contextlib.contextmanager
def _opened(url: str, *, create: bool = False) -> Iterator[Storage]:
    storage = open_storage(url, create=create)
    try:
        yield storage
    finally:
        storage.close()


def _stock(file: StudyFile, folder: Path, stored: int) -> Callable[[], Costs]:
    study = optuna.create_study(
        storage=f"sqlite:///{folder}/stock.db", study_name="cost", sampler=_stock_sampler(file)
    )
    space: dict[str, Any] = {}
    exec(OBJECTIVE, space)
    study.optimize(space["objective"], n_trials=N_TEMPLATES)
    _copy_trials(folder / "stock.db", stored)
    study = optuna.load_study(
        storage=f"sqlite:///{folder}/stock.db", study_name="cost", sampler=_stock_sampler(file)
    )

    def block() -> Costs:
        ends: list[float] = []
        study.optimize(
            space["objective"], BLOCK, callbacks=[lambda _, __: ends.append(time.perf_counter())]
        )
        return [after - before for before, after in itertools.pairwise(ends)]

    return block


def _stock_sampler(file: StudyFile) -> optuna.samplers.BaseSampler:
    """Optuna's own class with the arguments that we give it."""
    if file.method == "tpe":
        return optuna.samplers.TPESampler(multivariate=True, constant_liar=True, seed=1)
    return make_sampler(file, 1)


def _copy_trials(database: Path, stored: int) -> None:
    """Copy the first trials until `stored` are there."""
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        for offset in range(N_TEMPLATES, stored, N_TEMPLATES):
            connection.execute(
                "INSERT INTO trials (trial_id, number, study_id, state, datetime_start, "
                "datetime_complete) SELECT trial_id + ?, number + ?, study_id, state, "
                "datetime_start, datetime_complete FROM trials WHERE number < ?",
                (offset, offset, N_TEMPLATES),
            )
            for table, columns in _CHILDREN.items():
                names = ", ".join(columns)
                connection.execute(
                    f"INSERT INTO {table} (trial_id, {names}) SELECT trial_id + ?, {names} "
                    f"FROM {table} WHERE trial_id <= ?",
                    (offset, N_TEMPLATES),
                )
        connection.execute(
            "UPDATE trial_user_attributes SET value_json = trial_id - 1 WHERE key = 'point'"
        )


_CHILDREN = {
    "trial_params": ("param_name", "param_value", "distribution_json"),
    "trial_values": ("objective", "value", "value_type"),
    "trial_intermediate_values": ("step", "intermediate_value", "intermediate_value_type"),
    "trial_user_attributes": ("key", "value_json"),
    "trial_system_attributes": ("key", "value_json"),
}


def _copy_points(database: Path, stored: int) -> None:
    """Close the points of the copied trials, and keep their books."""
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "UPDATE hpo_points SET state = 'DONE', attempt = 1, trial_number = number "
            "WHERE number < ?",
            (max(stored, N_TEMPLATES),),
        )
        connection.execute(
            "INSERT OR IGNORE INTO hpo_trials (plan_id, point, attempt, number, fate) "
            "SELECT plan_id, number, attempt, number, state FROM hpo_points WHERE state = 'DONE'"
        )


if __name__ == "__main__":
    main()
