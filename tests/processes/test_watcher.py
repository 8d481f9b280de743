"""Workers may have children, and no process outlives its run, whichever of them is killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes.support import (
    Run,
    assert_exact,
    hpo,
    hurry,
    kill,
    run_leases_out,
    running,
    wait_until,
    write_project,
    write_study,
)

# Trains a step on batches that two processes load; then waits for `hurry` with these, with a
# program that it started and with one that has left for a session of its own.
LOADING = """
import subprocess
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

import hpo

HURRY = Path(__file__).with_name("hurry")

def objective(trial):
    x = hpo.suggest(trial)["x"]
    data = TensorDataset(torch.full((8, 1), x))
    loader = DataLoader(
        data, batch_size=2, num_workers=2, persistent_workers=True, collate_fn=lambda rows: rows
    )  # as a script may write it, where processes are forked
    weight = torch.zeros(1, requires_grad=True)
    sum((weight - row) ** 2 for batch in loader for (row,) in batch).backward()
    trial.report(0.0, 1)
    if not HURRY.exists():
        subprocess.Popen(["sleep", "600"])
        subprocess.Popen(["sleep", "601"], start_new_session=True)
    trial.report(0.0, 2)
    while not HURRY.exists():
        time.sleep(0.05)
    return weight.grad.item()
"""
N_IN_TRIAL = 5  # a worker, its two loaders, and two programs
SLACK_S = 10.0  # two seconds, on a machine that is busy with other things


def assert_no_process_left(run: Run) -> None:
    wait_until(lambda: not run.processes(), SLACK_S)


@pytest.mark.parametrize("n_workers", ["0", "2"])
def test_an_objective_may_load_its_batches_in_processes(
    folder: Path, sqlite_url: str, n_workers: str
) -> None:
    file = write_project(folder, LOADING, n_trials=3, fixed={})
    hurry(folder)
    ran = hpo(folder, "run", file, "--storage", sqlite_url, "--workers", n_workers)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert_exact(sqlite_url, 3)


def test_whichever_process_is_killed_takes_its_children_along_and_no_point_with_it(
    folder: Path, sqlite_url: str
) -> None:
    file = write_project(folder, LOADING, n_trials=6, fixed={}, retries=20)
    url = ("--storage", sqlite_url)
    with running(folder, "run", file, *url, "--workers", "2") as run:
        run.wait_for("epoch", 4)

        worker = next(iter(run.workers().values()))
        before = set(run.processes())
        kill(worker)
        run.wait_for("epoch", 6)
        gone = before - set(run.processes())
        assert len(gone) >= N_IN_TRIAL - 1  # all but the one that left

        before = set(run.processes())
        kill(run.fork_server)
        run.wait_for("epoch", 10)
        assert len(before - set(run.processes())) >= 2 * (N_IN_TRIAL - 1) + 1

        (watcher,) = run.processes("watcher.py")
        kill(watcher)
        wait_until(lambda: run.processes("watcher.py") not in ([], [watcher]))

        assert len(run.processes("sleep 601")) == 5
        kill(run.pid)
        assert_no_process_left(run)
    hurry(folder)
    assert hpo(folder, "resume", "s", *url, "--workers", "2").returncode == 0
    assert_exact(sqlite_url, 6)


def test_a_killed_run_in_one_process_takes_its_children_along(
    folder: Path, sqlite_url: str
) -> None:
    file = write_project(folder, LOADING, n_trials=2, fixed={})
    url = ("--storage", sqlite_url, "--workers", "0")
    with running(folder, "run", file, *url) as run:
        run.wait_for("epoch", 2)
        assert len(run.processes()) >= N_IN_TRIAL
        kill(run.pid)
        assert_no_process_left(run)
    run_leases_out(sqlite_url)
    hurry(folder)
    assert hpo(folder, "resume", "s", *url).returncode == 0
    assert_exact(sqlite_url, 2)


def test_what_an_objective_leaves_running_ends_with_its_worker(
    folder: Path, sqlite_url: str
) -> None:
    leaves = """
import subprocess

def objective(trial):
    subprocess.Popen(["sleep", "600"])
    subprocess.Popen(["sleep", "601"], start_new_session=True)
    return 0.0
"""
    file = write_project(folder, leaves, n_trials=1, fixed={}, search_space=None)
    for n_workers in ("0", "1"):
        with running(folder, "run", file, "--storage", sqlite_url, "--workers", n_workers) as run:
            assert run.end() == 0
        write_study(folder, n_trials=2, fixed={}, search_space=None)
    assert_exact(sqlite_url, 2)


def test_what_an_objective_starts_can_be_terminated(folder: Path, sqlite_url: str) -> None:
    terminates = """
import multiprocessing
import signal
import subprocess
import time

def objective(trial):
    program = subprocess.Popen(["sleep", "600"])
    fork = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    fork.start()
    program.terminate()
    fork.terminate()
    fork.join()
    assert program.wait() == fork.exitcode == -signal.SIGTERM
    return 0.0
"""
    file = write_project(folder, terminates, n_trials=1, fixed={}, search_space=None)
    ran = hpo(folder, "run", file, "--storage", sqlite_url, "--workers", "1", timeout_s=30.0)
    assert ran.returncode == 0, ran.stdout
