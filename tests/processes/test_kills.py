"""Workers and supervisors die at any moment: nothing is lost, nothing is counted twice."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest
from optuna.trial import TrialState

from tests.processes.support import (
    DEAF,
    assert_at_rest,
    assert_exact,
    hpo,
    hurry,
    kill,
    n_states,
    parent_of,
    points,
    results,
    run_leases_out,
    running,
    trials,
    wait_until,
    write_project,
)

LONG = {"steps": 10_000, "pause_s": 0.05}  # until `hurry`


def kill_one_of(workers: dict[str, int], chance: random.Random) -> bool:
    return bool(workers) and kill(chance.choice(list(workers.values())))


def test_two_hundred_points_survive_twenty_kills_of_eight_workers(
    folder: Path, storage_url: str
) -> None:
    fixed = {"steps": 5, "pause_s": 0.02}
    file = write_project(folder, n_trials=200, retries=20, fixed=fixed)
    chance = random.Random(4)
    with running(folder, "run", file, "--storage", storage_url, "--devices", "cpu*8") as run:
        for n_finished in sorted(chance.sample(range(180), 20)):
            run.wait_for("trial_finished", n_finished)
            time.sleep(chance.uniform(0.0, 0.1))
            wait_until(lambda: kill_one_of(run.workers(), chance))
        assert run.end() == 0, run.errors
        assert run.summary["done"] == 200
    assert_exact(storage_url, 200)
    n_failed = n_states(trials(storage_url))[TrialState.FAIL]
    assert 1 <= n_failed <= 20
    killed = [t for t in trials(storage_url) if t.state == TrialState.FAIL]
    assert {t.user_attrs["reason"] for t in killed} == {"its worker was killed by SIGKILL"}
    assert sum(row["lost"] for row in points(storage_url)) == n_failed


def test_a_killed_run_has_the_results_of_a_quiet_one(folder: Path, tmp_path: Path) -> None:
    quiet, killed = f"sqlite:///{tmp_path}/quiet.db", f"sqlite:///{tmp_path}/killed.db"
    file = write_project(folder, n_trials=24, retries=20)
    assert hpo(folder, "run", file, "--storage", quiet, "--workers", "1").returncode == 0
    with running(folder, "run", file, "--storage", killed, "--devices", "cpu*8") as run:
        for _ in range(5):
            wait_until(lambda: bool(run.workers()))
            kill(next(iter(run.workers().values())))
            time.sleep(0.1)
        assert run.end() == 0
    assert results(quiet) == results(killed)


def test_a_point_that_loses_its_worker_too_often_is_failed_and_named(
    folder: Path, storage_url: str
) -> None:
    dies = "import os, signal\ndef objective(trial):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    file = write_project(folder, dies, n_trials=1, retries=2, search_space=None)
    ran = hpo(folder, "run", file, "--storage", storage_url, "--devices", "cpu*2")
    assert ran.returncode == 1
    (row,) = points(storage_url)
    assert (row["state"], row["attempt"], row["lost"]) == ("FAILED", 3, 3)
    assert row["reason"] == "its worker was killed by SIGKILL"
    assert "Point 0 FAILED" in ran.stdout
    assert n_states(trials(storage_url)) == {TrialState.FAIL: 3}
    again = hpo(folder, "run", file, "--storage", storage_url)
    assert again.returncode == 1
    assert len(trials(storage_url)) == 3


def test_a_killed_supervisor_leaves_workers_that_end_and_run_or_resume_goes_on(
    folder: Path, storage_url: str
) -> None:
    file = write_project(folder, n_trials=12, fixed=LONG)
    url = ("--storage", storage_url)
    for command in (("run", file), ("resume", "s")):
        with running(folder, *command, *url, "--devices", "cpu*2") as run:
            run.wait_for("epoch", 3)
            kill(run.pid)
            wait_until(lambda: not run.processes(), 20.0)
        assert_at_rest(trials(storage_url))
    assert all(row["lost"] == 0 for row in points(storage_url))
    hurry(folder)
    assert hpo(folder, "resume", "s", *url, "--devices", "cpu*2").returncode == 0
    assert_exact(storage_url, 12)


def test_what_a_lost_machine_held_is_taken_up_when_its_leases_run_out(
    folder: Path, storage_url: str
) -> None:
    file = write_project(folder, n_trials=4, fixed=LONG)
    arguments = ("run", file, "--storage", storage_url, "--devices", "cpu*2")
    with running(folder, *arguments) as run:
        run.wait_for("trial_started", 2)
        run.kill_all()
    assert n_states(trials(storage_url))[TrialState.RUNNING] == 2
    assert run_leases_out(storage_url) == 2
    hurry(folder)
    assert hpo(folder, *arguments).returncode == 0
    assert_exact(storage_url, 4)
    assert sum(row["lost"] for row in points(storage_url)) == 2


def test_a_worker_paused_past_its_lease_drops_its_result_and_goes_on(
    folder: Path, storage_url: str
) -> None:
    # It is stopped between two reports, not while it holds SQLite's write lock.
    file = write_project(folder, n_trials=6, fixed={"steps": 10_000, "pause_s": 0.5})
    arguments = ("run", file, "--storage", storage_url, "--workers", "1")
    with running(folder, *arguments) as sleepy, running(folder, *arguments) as other:
        sleepy.wait_for("epoch", 2)
        ((name, pid),) = sleepy.workers().items()
        kill(pid, signal.SIGSTOP)
        assert run_leases_out(storage_url, name) == 1
        other.wait_for("trial_lost")
        kill(pid, signal.SIGCONT)
        sleepy.wait_for("trial_dropped")
        hurry(folder)
        assert other.end() == 0
        assert sleepy.end() == 0
        assert len(sleepy.of("trial_dropped")) == 1
        assert sleepy.of("trial_dropped")[0]["worker"] == name
    assert_exact(storage_url, 6)


def test_a_worker_whose_supervisor_dies_ends_though_its_objective_is_deaf(
    folder: Path, storage_url: str
) -> None:
    file = write_project(folder, DEAF, n_trials=2, search_space=None, stop_grace_s=2)
    with running(folder, "run", file, "--storage", storage_url, "--workers", "2") as run:
        run.wait_for("trial_started", 2)
        kill(run.pid)
        wait_until(lambda: not run.processes(), 20.0)
    assert_at_rest(trials(storage_url))
    assert {row["state"] for row in points(storage_url)} == {"FREE"}


@pytest.mark.parametrize("n_epochs", [0, 3], ids=["at the start", "in the middle"])
def test_a_fork_server_that_dies_again_and_again_ends_the_run_with_the_reason(
    folder: Path, sqlite_url: str, n_epochs: int
) -> None:
    file = write_project(folder, n_trials=4, fixed=LONG)
    with running(folder, "run", file, "--storage", sqlite_url, "--workers", "2") as run:
        if n_epochs:
            run.wait_for("epoch", n_epochs)
        while run.process.poll() is None:
            for pid in run.processes("forkserver"):
                if parent_of(pid) == run.pid:
                    kill(pid)
        assert run.end() == 1
        said = run.errors.splitlines()[-1]
        assert said.startswith("error: ")
        assert "fork server" in said
        assert "was killed by SIGKILL" in said
        assert "Traceback" not in run.errors
    if n_epochs:
        assert_at_rest(trials(sqlite_url))
        assert {(row["state"], row["lost"]) for row in points(sqlite_url)} == {("FREE", 0)}


def test_a_killed_fork_server_costs_no_point(folder: Path, sqlite_url: str) -> None:
    file = write_project(folder, n_trials=20, fixed={"steps": 5, "pause_s": 0.05}, retries=20)
    with running(folder, "run", file, "--storage", sqlite_url, "--workers", "2") as run:
        run.wait_for("trial_finished", 4)
        workers = set(run.workers().values())
        for pid in set(run.processes()) - workers - {run.pid}:
            kill(pid)
        assert run.end() == 0, run.errors
    assert_exact(sqlite_url, 20)
