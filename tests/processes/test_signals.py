"""Ctrl-C, SIGTERM and `hpo stop`: points go back, no process stays, the next run goes on."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.postgres import Server
from tests.processes.support import (
    DEADLINE_S,
    DEAF,
    HPO,
    Run,
    assert_at_rest,
    assert_exact,
    hpo,
    hurry,
    is_stopped,
    kill,
    points,
    run_leases_out,
    running,
    trials,
    wait_until,
    write_project,
)

LONG = {"steps": 10_000, "pause_s": 0.05}  # until `hurry`


def assert_stopped_with_all_points(run: Run, url: str, total: int) -> None:
    """Nothing runs, nothing is leased, and no attempt was used up."""
    assert run.end() == 130, run.errors
    assert run.processes() == []
    assert_at_rest(trials(url))
    rows = points(url)
    assert {row["state"] for row in rows} <= {"FREE", "DONE"}
    assert len(rows) == total
    assert all(row["lost"] == 0 for row in rows)


def test_ctrl_c_once_gives_the_points_back_and_resume_finishes_them(
    folder: Path, storage_url: str
) -> None:
    file = write_project(folder, n_trials=6, fixed=LONG)
    with running(folder, "run", file, "--storage", storage_url, "--devices", "cpu*2") as run:
        run.wait_for("epoch", 3)
        run.interrupt()
        assert_stopped_with_all_points(run, storage_url, 6)
        assert len(run.of("trial_released")) == 2
    reasons = [t.user_attrs.get("reason") for t in trials(storage_url)]
    assert reasons == ["released: the study was stopped"] * 2
    hurry(folder)
    assert hpo(folder, "resume", "s", "--storage", storage_url).returncode == 0
    assert_exact(storage_url, 6)


def test_ctrl_c_twice_ends_a_deaf_objective_at_once(folder: Path, sqlite_url: str) -> None:
    file = write_project(folder, DEAF, n_trials=2, search_space=None, stop_grace_s=600)
    with running(folder, "run", file, "--storage", sqlite_url, "--workers", "2") as run:
        run.wait_for("trial_started", 2)
        run.interrupt()
        run.wait_for("stopping")
        run.interrupt()
        assert_stopped_with_all_points(run, sqlite_url, 2)


def test_ctrl_c_twice_waits_for_no_database(
    folder: Path, postgres_server: Server, postgres_url: str
) -> None:
    file = write_project(folder, n_trials=4, fixed=LONG)
    with running(folder, "run", file, "--storage", postgres_url, "--devices", "cpu*2") as run:
        run.wait_for("epoch", 3)
        with postgres_server.outage(postgres_url):
            time.sleep(2.0)  # by now the supervisor is waiting for it
            run.interrupt()
            time.sleep(0.5)
            run.interrupt()
            assert run.end() == 2
        assert "Traceback" not in run.errors
        assert run.errors.splitlines()[-1].startswith("error: postgresql+psycopg://"), run.errors
    run_leases_out(postgres_url)
    hurry(folder)
    assert hpo(folder, "resume", "s", "--storage", postgres_url).returncode == 0
    assert_exact(postgres_url, 4)


def test_a_deaf_objective_is_waited_for_named_and_ended_after_its_grace(
    folder: Path, sqlite_url: str
) -> None:
    file = write_project(folder, DEAF, n_trials=2, search_space=None, stop_grace_s=2)
    with running(folder, "run", file, "--storage", sqlite_url, "--workers", "2") as run:
        run.wait_for("trial_started", 2)
        run.interrupt()
        assert_stopped_with_all_points(run, sqlite_url, 2)
    (waiting,) = run.of("waiting")
    assert sorted(waiting["trials"].values()) == ["cpu#0", "cpu#1"]
    assert waiting["interrupts_left"] == 1
    assert len(run.of("trial_released")) == 2
    assert run.of("trial_lost") == run.of("worker_lost") == []
    assert {t.user_attrs["reason"] for t in trials(sqlite_url)} == {"released: interrupted"}


def test_hpo_stop_says_whom_it_waits_for_and_that_the_point_is_released(
    folder: Path, sqlite_url: str
) -> None:
    file = write_project(folder, DEAF, n_trials=1, search_space=None, stop_grace_s=2)
    url = ("--storage", sqlite_url)
    command = [*HPO, "run", str(file), *url, "--workers", "1"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as run:
        try:
            wait_until(lambda: "next report" in hpo(folder, "stop", "s", *url).stdout)
            said, _ = run.communicate(timeout=DEADLINE_S)
        finally:
            run.kill()
    assert run.returncode == 130
    assert "waiting up to 2 s for trial 0 on cpu#0; Ctrl-C twice ends it now" in said
    assert "1 given back" in said
    assert "again" not in said.partition("waiting")[0]
    assert "lost" not in said


# Waits for a process of its own as a DataLoader does: when that dies, the trial fails.
MOTHER = """
import multiprocessing
import time

def objective(trial):
    child = multiprocessing.Process(target=time.sleep, args=(600,))
    child.start()
    trial.report(0.0, 1)
    while child.is_alive():
        time.sleep(0.01)
    raise RuntimeError("the child was killed")
"""


@pytest.mark.parametrize("to", ["its supervisor", "its group", "each process"])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_takes_the_machine_away_gives_the_points_back(
    folder: Path, sqlite_url: str, to: str, signum: signal.Signals
) -> None:
    file = write_project(folder, MOTHER, n_trials=6, search_space=None)
    with running(folder, "run", file, "--storage", sqlite_url, "--workers", "2") as run:
        run.wait_for("epoch", 2)
        if to == "its supervisor":
            kill(run.pid, signum)
        elif to == "its group":
            os.killpg(run.pid, signum)
        else:
            for pid in sorted(run.processes()):
                kill(pid, signum)
        assert_stopped_with_all_points(run, sqlite_url, 6)
    (folder / "objective.py").write_text("def objective(trial):\n    return 0.0\n")
    resume = ("resume", "s", "--storage", sqlite_url, "--accept-changed-objective")
    assert hpo(folder, *resume).returncode == 0
    assert_exact(sqlite_url, 6)


def test_nohup_outlives_the_terminal(folder: Path, sqlite_url: str) -> None:
    file = write_project(folder, n_trials=2, fixed=LONG)
    url = ("--storage", sqlite_url, "--workers", "1")
    with running(folder, "run", file, *url, ignores="HUP") as run:
        run.wait_for("epoch")
        for pid in run.processes():
            kill(pid, signal.SIGHUP)
        run.wait_for("epoch", 10)
        hurry(folder)
        assert run.end() == 0


def test_a_terminal_that_is_closed_ends_the_run_as_ctrl_c_does(
    folder: Path, sqlite_url: str
) -> None:
    file = write_project(folder, n_trials=4, fixed=LONG)
    url = ("--storage", sqlite_url, "--workers", "2")
    ours, theirs = pty.openpty()
    with running(folder, "run", file, *url, terminal=os.ttyname(theirs)) as run:
        os.close(theirs)
        run.wait_for("epoch", 3)
        os.close(ours)
        assert_stopped_with_all_points(run, sqlite_url, 4)


def test_ctrl_z_pauses_the_workers_too(folder: Path, sqlite_url: str) -> None:
    file = write_project(folder, n_trials=2, fixed=LONG)
    with running(folder, "run", file, "--storage", sqlite_url, "--workers", "2") as run:
        run.wait_for("epoch", 3)
        workers = list(run.workers().values())
        kill(run.pid, signal.SIGTSTP)
        wait_until(lambda: all(map(is_stopped, [run.pid, *workers])))
        kill(run.pid, signal.SIGCONT)
        hurry(folder)
        assert run.end() == 0
    assert_exact(sqlite_url, 2)


def test_hpo_stop_ends_every_run_of_the_study(folder: Path, storage_url: str) -> None:
    file = write_project(folder, n_trials=8, fixed=LONG)
    arguments = ("run", file, "--storage", storage_url, "--workers", "1")
    with running(folder, *arguments) as one, running(folder, *arguments) as other:
        one.wait_for("epoch")
        other.wait_for("epoch")
        stopped = hpo(folder, "stop", "s", "--storage", storage_url)
        assert stopped.returncode == 0
        assert "stop at their next report" in stopped.stdout
        assert_stopped_with_all_points(one, storage_url, 8)
        assert_stopped_with_all_points(other, storage_url, 8)
        assert one.summary["why"] == "stopped"
    hurry(folder)
    assert hpo(folder, "run", file, "--storage", storage_url).returncode == 0
    assert_exact(storage_url, 8)


def test_hpo_stop_says_when_nobody_is_at_work(folder: Path, sqlite_url: str) -> None:
    file = write_project(folder, n_trials=1)
    assert hpo(folder, "run", file, "--storage", sqlite_url).returncode == 0
    stopped = hpo(folder, "stop", "s", "--storage", sqlite_url)
    assert (stopped.returncode, stopped.stdout) == (0, "No worker is at work on s.\n")


@pytest.mark.parametrize("n_signals", [1, 2])
def test_ctrl_c_in_this_process_gives_the_point_back(
    folder: Path, sqlite_url: str, n_signals: int
) -> None:
    objective = DEAF.replace("BaseException", "ValueError") if n_signals == 2 else None
    keys = {"search_space": None} if objective else {"fixed": LONG}
    file = write_project(folder, *([objective] if objective else []), n_trials=2, **keys)
    with running(folder, "run", file, "--storage", sqlite_url, "--workers", "0") as run:
        run.wait_for("trial_started")
        for _ in range(n_signals):
            kill(run.pid, signal.SIGINT)
            time.sleep(1.0)  # signals that come at once are one
        assert_stopped_with_all_points(run, sqlite_url, 2)


def test_ctrl_c_twice_in_this_process_ends_an_objective_that_prepares_itself(
    folder: Path, sqlite_url: str
) -> None:
    slow = """
import time
from pathlib import Path

def prepare(settings):
    Path(__file__).with_name("preparing").touch()
    time.sleep(600)

def objective(trial):
    return 1.0
"""
    file = write_project(folder, slow, n_trials=2, search_space=None)
    with running(folder, "run", file, "--storage", sqlite_url, "--workers", "0") as run:
        wait_until((folder / "preparing").exists)
        for _ in range(2):
            kill(run.pid, signal.SIGINT)
            time.sleep(0.5)  # signals that come at once are one
        assert run.end() == 130
        assert "Traceback" not in run.errors


def test_the_message_after_an_interruption_says_how_to_go_on(folder: Path, sqlite_url: str) -> None:
    file = write_project(folder, n_trials=200, fixed=LONG)
    ran = hpo(folder, "run", file, "--storage", sqlite_url, "--timeout", "1s")
    assert ran.returncode == 0
    assert f"Go on: hpo resume s --storage {sqlite_url}" in ran.stdout
    assert "the timeout of 1 s was reached" in ran.stdout


@pytest.mark.parametrize("ignores", ["", "INT"], ids=["in front", "in the background"])
def test_ctrl_c_before_the_first_trial_leaves_nothing_behind(
    folder: Path, sqlite_url: str, ignores: str
) -> None:
    slow_import = "import time\ntime.sleep(3)\ndef objective(trial):\n    return 1.0\n"
    file = write_project(folder, slow_import, n_trials=2, search_space=None)
    with running(folder, "run", file, "--storage", sqlite_url, ignores=ignores) as run:
        wait_until(lambda: bool(run.processes("forkserver")))
        run.interrupt()
        assert run.end() == 130
        assert run.processes() == []
        assert "Traceback" not in run.errors
