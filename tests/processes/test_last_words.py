"""What a run says at its end: the study as the database has it, and what this run did."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.processes.support import (
    assert_exact,
    hpo,
    hurry,
    running,
    trials,
    write_project,
    write_study,
)

FAILING = "def objective(trial):\n    raise ValueError('never')\n"


def test_two_runs_that_share_a_study_name_the_same_best_and_the_studys_totals(
    folder: Path, storage_url: str
) -> None:
    file = write_project(folder, n_trials=12, fixed={"steps": 10_000, "pause_s": 0.05})
    url = ("--storage", storage_url, "--workers", "1")
    with running(folder, "run", file, *url) as first:
        first.wait_for("trial_started")
        with running(folder, "worker", "s", *url) as second:
            second.wait_for("trial_started")
            hurry(folder)
            assert (first.end(), second.end()) == (0, 0)
    best = max(trials(storage_url), key=lambda t: t.value or 0.0)
    for run in (first, second):
        named = {key: run.summary[key] for key in ("done", "best", "best_trial", "best_params")}
        assert named == {
            "done": 12, "best": best.value, "best_trial": best.number, "best_params": best.params
        }  # fmt: skip
    own = [run.summary["this_run"]["done"] for run in (first, second)]
    assert sum(own) == 12
    assert own == [len(run.of("trial_finished")) for run in (first, second)]


def test_a_run_that_goes_on_says_what_it_did_itself(folder: Path, sqlite_url: str) -> None:
    url = ("--storage", sqlite_url, "--workers", "1")
    file = write_project(folder, n_trials=3)
    first = hpo(folder, "run", file, *url)
    assert "3 of 3 done" in first.stdout
    assert "this run" not in first.stdout
    write_study(folder, n_trials=5)
    assert "; this run: 2 trials, 0 pruned\n" in hpo(folder, "run", file, *url).stdout


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_study_whose_trials_all_failed_does_not_end_as_done(
    folder: Path, sqlite_url: str, workers: str
) -> None:
    url = ("--storage", sqlite_url)
    file = write_project(folder, FAILING, n_trials=3, search_space=None)
    ran = hpo(folder, "run", file, *url, "--workers", workers)
    again = hpo(folder, "run", file, *url)
    for done in (ran, again):
        assert done.returncode == 1
        assert "every point has ended: 3 failed" in done.stdout
        assert f"hpo resume s --retry-failed --storage {sqlite_url}" in done.stdout
        assert f"hpo show s --storage {sqlite_url}" in done.stdout
        assert "hpo best" not in done.stdout


def test_points_that_a_target_left_free_are_not_offered(folder: Path, sqlite_url: str) -> None:
    file = write_project(folder, n_trials=50, target=0.0)
    ran = hpo(folder, "run", file, "--storage", sqlite_url, "--workers", "1")
    assert "the target 0 was reached" in ran.stdout
    assert "hpo resume" not in ran.stdout


def test_the_way_to_go_on_works_from_where_it_is_shown(folder: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a study.db"
    write_project(folder, n_trials=2, fixed={"steps": 10_000, "pause_s": 0.05})
    ran = hpo(tmp_path, "run", folder / "study.yaml", "--storage", url, "--timeout", "1s")
    (line,) = [line for line in ran.stdout.splitlines() if "Go on: " in line]
    hurry(folder)
    resumed = hpo(tmp_path, *shlex.split(line.split("Go on: hpo ")[1]))
    assert resumed.returncode == 0, resumed.stderr
    assert_exact(url, 2)
