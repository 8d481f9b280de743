"""Several processes and runs on one study: made once, shared, exact."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pytest

from hpo.ledger.points import WorkerIdentity
from tests.processes.support import (
    Run,
    assert_exact,
    hpo,
    hurry,
    points,
    results,
    running,
    stored,
    trials,
    write_project,
)

GRID = {
    "method": "grid",
    "n_trials": None,
    "search_space": {"x": {"choices": [0.1, 0.2, 0.3]}, "y": {"choices": ["a", "b", "c"]}},
}
CONTROLLED = {
    "method": "controlled",
    "n_trials": None,
    "search_space": None,
    "fixed": {"steps": 2},
    "baseline": {"x": 0.5, "pause_s": 0.01},
    "vary": {"x": [0.1, 0.9], "pause_s": [0.0]},
    "replicates": 2,
}


def claim_all(url: str, name: str) -> None:
    worker = WorkerIdentity(name, "host", "machine")
    with stored(url) as study:
        while study.ledger.claim(worker, {}, {}) is not None:
            continue


def test_four_processes_claim_two_hundred_points_and_none_twice(
    folder: Path, storage_url: str
) -> None:
    file = write_project(folder, "def objective(trial):\n    trial.study.stop()\n    return 0.0\n")
    hpo(folder, "run", file, "--storage", storage_url, "--n-trials", "201", "--workers", "1")
    assert Counter(row["state"] for row in points(storage_url)) == {"DONE": 1, "FREE": 200}
    context = multiprocessing.get_context("spawn")
    claimers = [context.Process(target=claim_all, args=(storage_url, f"w{n}")) for n in range(4)]
    for claimer in claimers:
        claimer.start()
    for claimer in claimers:
        claimer.join()
    assert [claimer.exitcode for claimer in claimers] == [0] * 4
    assert {row["attempt"] for row in points(storage_url)} == {1}
    found = trials(storage_url)
    assert [t.number for t in found] == list(range(201))
    assert sorted(t.user_attrs["point"] for t in found) == list(range(201))


def test_four_runs_that_start_a_new_study_at_once_make_it_once_and_share_it(
    folder: Path, storage_url: str
) -> None:
    file = write_project(folder, n_trials=40)
    runs: list[Run] = []
    try:
        arguments = ("run", file, "--storage", storage_url, "--workers", "1")
        runs.extend(Run(folder, *arguments) for _ in range(4))
        assert [run.end() for run in runs] == [0] * 4, [run.errors for run in runs]
    finally:
        for run in runs:
            run.kill_all()
    assert [run.of("study")[0]["is_new"] for run in runs].count(True) <= 1
    assert sum(len(run.of("trial_finished")) for run in runs) == 40
    assert_exact(storage_url, 40)
    with stored(storage_url) as study:
        assert len(study.storage.optuna.get_all_studies()) == 1


def test_a_worker_that_joins_shares_the_points(folder: Path, storage_url: str) -> None:
    file = write_project(folder, n_trials=20, fixed={"steps": 10_000, "pause_s": 0.05})
    url = ("--storage", storage_url)
    with running(folder, "run", file, *url, "--workers", "1") as first:
        first.wait_for("trial_started")
        with running(folder, "worker", "s", *url, "--workers", "1") as second:
            second.wait_for("trial_started")
            hurry(folder)
            assert second.end() == 0
        assert first.end() == 0
    assert len(second.of("trial_finished")) > 0
    assert len(first.of("trial_finished")) + len(second.of("trial_finished")) == 20
    assert_exact(storage_url, 20)


@pytest.mark.parametrize("keys", [{}, GRID, CONTROLLED], ids=["random", "grid", "controlled"])
def test_one_worker_and_eight_bring_identical_points_and_values(
    folder: Path, tmp_path: Path, keys: dict[str, Any]
) -> None:
    file = write_project(folder, **keys)
    found = []
    for n_workers in (1, 2, 8):
        url = f"sqlite:///{tmp_path}/{n_workers}.db"
        ran = hpo(folder, "run", file, "--storage", url, "--workers", str(n_workers))
        assert ran.returncode == 0, ran.stderr
        found.append(results(url))
    assert len(found[0]) in (20, 9, 8)
    assert found[0] == found[1] == found[2]


def test_tpe_repeats_exactly_with_one_worker(folder: Path, tmp_path: Path) -> None:
    file = write_project(folder, method="tpe", sampler={"n_startup_trials": 5}, n_trials=12)
    found = []
    for name in ("one", "two"):
        url = f"sqlite:///{tmp_path}/{name}.db"
        assert hpo(folder, "run", file, "--storage", url, "--workers", "1").returncode == 0
        found.append(results(url))
    assert found[0] == found[1]


def test_the_run_in_this_process_brings_what_workers_bring(folder: Path, tmp_path: Path) -> None:
    file = write_project(folder, n_trials=5)
    found = []
    for n_workers in ("0", "1"):
        url = f"sqlite:///{tmp_path}/{n_workers}.db"
        assert hpo(folder, "run", file, "--storage", url, "--workers", n_workers).returncode == 0
        found.append(results(url))
    assert found[0] == found[1]


def test_a_second_host_is_refused_on_sqlite_and_welcome_on_postgresql(
    folder: Path, storage_url: str
) -> None:
    file = write_project(folder, n_trials=2)
    url = ("--storage", storage_url)
    stopper = "def objective(trial):\n    trial.study.stop()\n    return 0.0\n"
    (folder / "objective.py").write_text(stopper)
    assert hpo(folder, "run", file, *url, "--workers", "1").returncode == 0
    with stored(storage_url) as study:
        stranger = WorkerIdentity("elsewhere/cpu#0/1", "elsewhere", "another-kernel")
        claim = study.ledger.claim(stranger, {}, {})
        assert claim is not None
        if storage_url.startswith("sqlite"):
            for command in (("run", file), ("resume", "s"), ("worker", "s")):
                ran = hpo(folder, *command, *url)
                assert ran.returncode == 2
                assert "Workers on elsewhere use" in ran.stderr
                assert "Use PostgreSQL" in ran.stderr
        else:
            with running(folder, "resume", "s", *url, "--workers", "1") as run:
                run.wait_for("study")
                study.ledger.release(claim, "done here")
                assert run.end() == 0
            assert_exact(storage_url, 2)


def test_the_stock_command_of_optuna_reads_what_a_run_left(folder: Path, storage_url: str) -> None:
    file = write_project(folder, n_trials=3)
    assert hpo(folder, "run", file, "--storage", storage_url).returncode == 0
    command = [str(Path(sys.executable).with_name("optuna")), "trials", "--storage", storage_url]
    read = subprocess.run(
        [*command, "--study-name", "s", "-f", "json"], capture_output=True, text=True, check=True
    )
    assert read.stdout.count("COMPLETE") == 3
    stock = optuna.storages.RDBStorage(storage_url)
    study = optuna.load_study(study_name="s", storage=stock)
    assert [t.state for t in study.trials] == [optuna.trial.TrialState.COMPLETE] * 3
    stock.engine.dispose()


def test_an_objective_written_for_plain_optuna_runs_unchanged(
    folder: Path, sqlite_url: str
) -> None:
    objective = """
import optuna

def objective(trial):
    kind = trial.suggest_categorical("kind", ["line", "bowl"])
    x = trial.suggest_float("x", -1, 1)
    extra = trial.suggest_int("extra", 1, 5) if kind == "bowl" else 0
    for step in range(3):
        trial.report(x * step, step)
        if trial.should_prune():
            raise optuna.TrialPruned()
    return x * x + extra
"""
    file = write_project(
        folder,
        objective,
        method="tpe",
        search_space=None,
        fixed={},
        direction="minimize",
        pruner="median",
    )
    ran = hpo(folder, "run", file, "--storage", sqlite_url, "--workers", "2")
    assert ran.returncode == 0, ran.stderr
    assert_exact(sqlite_url, 20)
    assert {"kind", "x"} <= set(trials(sqlite_url)[0].params)
