"""`hpo delete` while real workers are at work."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from optuna.trial import TrialState
from sqlalchemy import MetaData, func, select

from hpo.databases.storage import open_storage
from tests.processes.support import (
    DEAF,
    assert_at_rest,
    assert_exact,
    hpo,
    n_states,
    running,
    stored,
    trials,
    wait_until,
    write_project,
)

SHORT = "def objective(trial):\n    return trial.suggest_float('x', 0.0, 1.0)\n"


def n_rows(url: str, plan_id: str) -> dict[str, int]:
    """How many rows each table has: of the plan, or at all where Optuna keeps them."""
    storage = open_storage(url)
    found = MetaData()
    found.reflect(storage.engine)
    counts = {}
    with storage.engine.connect() as connection:
        for name, table in found.tables.items():
            query = select(func.count()).select_from(table)
            if "plan_id" in table.c:
                query = query.where(table.c.plan_id == plan_id)
            elif name == "trials":
                query = query.where(table.c.study_id.is_not(None))
            elif not {"trial_id", "study_id"} & set(table.c.keys()):
                continue
            counts[name] = connection.execute(query).scalar_one()
    storage.close()
    return {name: n for name, n in counts.items() if n}


def test_a_study_is_not_deleted_while_short_trials_follow_each_other(
    folder: Path, storage_url: str
) -> None:
    file = write_project(folder, SHORT, n_trials=20_000, fixed={})
    storage = ("--storage", storage_url)
    with running(folder, "run", file, *storage, "--devices", "cpu*2") as run:
        run.wait_for("trial_finished")
        for _ in range(3):
            refused = hpo(folder, "delete", "s", "--yes", *storage)
            assert refused.returncode == 2
            assert "are at work on 's'. Stop them first (hpo stop s)" in refused.stderr
        run.interrupt()
        assert run.end() == 130
        done = run.summary["done"]
    found = trials(storage_url)
    assert_at_rest(found)
    assert n_states(found)[TrialState.COMPLETE] == done > 0
    assert hpo(folder, "delete", "s", "--yes", *storage).returncode == 0


def test_a_study_deleted_by_force_ends_its_run_and_leaves_nothing(
    folder: Path, storage_url: str
) -> None:
    file = write_project(folder, n_trials=500)
    storage = ("--storage", storage_url)
    with running(folder, "run", file, *storage, "--devices", "cpu*2") as run:
        run.wait_for("trial_finished", 3)
        with stored(storage_url) as study:
            plan_id = study.plan_id
        deleted = hpo(folder, "delete", "s", "--yes", "--force", *storage)
        assert deleted.returncode == 0, deleted.stderr
        assert "are asked to stop at their next report" in deleted.stderr
        assert run.end() == 1
    assert "delete" in run.errors
    assert "Traceback" not in run.errors
    assert n_rows(storage_url, plan_id) == {}
    write_project(folder, SHORT, n_trials=10, fixed={})
    again = hpo(folder, "run", file, *storage, "--devices", "cpu*2")
    assert again.returncode == 0, again.stderr
    assert_exact(storage_url, 10)


def test_a_worker_that_slept_through_the_deletion_writes_into_no_other_study(
    folder: Path, storage_url: str
) -> None:
    file = write_project(
        folder, n_trials=50, fixed={"steps": 10**6, "pause_s": 0.05}, stop_grace_s=1
    )
    storage = ("--storage", storage_url)
    with running(folder, "run", file, *storage, "--devices", "cpu") as run:
        run.wait_for("epoch", 2)
        (pid,) = run.workers().values()
        supervisor = run.pid
        os.kill(pid, signal.SIGSTOP)
        os.kill(supervisor, signal.SIGSTOP)
        deleted = hpo(folder, "delete", "s", "--yes", "--force", *storage)
        assert deleted.returncode == 0, deleted.stderr
        assert "have not stopped. What they still write is refused." in deleted.stderr
        write_project(folder, SHORT, n_trials=10, fixed={})
        assert hpo(folder, "run", file, *storage, "--devices", "cpu").returncode == 0
        os.kill(pid, signal.SIGCONT)
        os.kill(supervisor, signal.SIGCONT)
        assert run.end() == 1
    assert_exact(storage_url, 10)
    assert all(not trial.intermediate_values for trial in trials(storage_url))


def test_a_deaf_objective_is_ended_with_its_study(folder: Path, sqlite_url: str) -> None:
    file = write_project(folder, DEAF, n_trials=2, fixed={}, stop_grace_s=1)
    with running(folder, "run", file, "--storage", sqlite_url, "--devices", "cpu") as run:
        run.wait_for("trial_started")
        deleted = hpo(folder, "delete", "s", "--yes", "--force", "--storage", sqlite_url)
        assert deleted.returncode == 0, deleted.stderr
        assert run.end() == 1
    assert "delete" in run.errors


def test_a_killed_worker_and_an_interrupted_run_stand_in_no_deletions_way(
    folder: Path, sqlite_url: str
) -> None:
    file = write_project(folder, n_trials=500)
    with running(folder, "run", file, "--storage", sqlite_url, "--devices", "cpu*2") as run:
        run.wait_for("trial_finished")
        (pid, _) = run.workers().values()
        os.kill(pid, signal.SIGKILL)  # its supervisor says goodbye for it
        run.wait_for("worker_lost")
        with stored(sqlite_url) as study:
            wait_until(lambda: study.ledger.counts().leased > 0)
        run.interrupt()
        assert run.end() == 130
    assert hpo(folder, "delete", "s", "--yes", "--storage", sqlite_url).returncode == 0
