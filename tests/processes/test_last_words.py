"""What a run says at its end: the study as the database has it, and what this run did."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from pathlib import Path

import pytest

from tests.processes.support import (
    DEAF,
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


KILLED_ONCE = """
import os, signal, time
import hpo
from pathlib import Path

def objective(trial):
    x = hpo.suggest(trial)["x"]
    died = Path(__file__).with_name("died")
    if not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return x
"""


def test_attempts_that_were_given_back_or_lost_are_no_failures(
    folder: Path, sqlite_url: str
) -> None:
    url = ("--storage", sqlite_url)
    file = write_project(folder, n_trials=4, fixed={"steps": 10_000, "pause_s": 0.05})
    with running(folder, "run", file, *url, "--workers", "2") as run:
        run.wait_for("epoch", 3)
        run.interrupt()
        assert run.end() == 130
    assert run.summary["this_run"]["released"] == 2
    (folder / "objective.py").write_text(KILLED_ONCE)
    accept = "--accept-changed-objective"
    assert hpo(folder, "resume", "s", *url, "--workers", "1", accept).returncode == 0
    shown = json.loads(hpo(folder, "show", "s", *url, "--format", "json").stdout)
    assert shown["endings"] == {"complete": 4, "released": 2, "lost": 1}
    assert shown["failures"] == []
    assert [row["ending"] for row in shown["interruptions"]] == ["released", "released", "lost"]
    assert all(row["evaluated_again"] for row in shown["interruptions"])
    assert (
        "4 complete, 2 given back, 1 lost with their worker"
        in hpo(folder, "show", "s", *url).stdout
    )
    (row,) = json.loads(hpo(folder, "list", *url, "--format", "json").stdout)
    assert (row["done"], row["failed"]) == (4, 0)
    rows = json.loads(hpo(folder, "trials", "s", *url, "--format", "json").stdout)
    assert Counter(row["ending"] for row in rows) == {"complete": 4, "released": 2, "lost": 1}
    assert hpo(folder, "report", "s", *url, "-o", "r.html").returncode == 0
    page = (folder / "r.html").read_text()
    assert 'class="warning"' not in page
    assert ">Failures<" not in page
    assert ">Given back and lost<" in page


def test_a_point_that_lost_all_its_workers_has_failed(folder: Path, sqlite_url: str) -> None:
    url = ("--storage", sqlite_url)
    deadly = "import os\ndef objective(trial):\n    os._exit(9)\n"
    file = write_project(folder, deadly, n_trials=1, retries=1, search_space=None)
    ran = hpo(folder, "run", file, *url, "--workers", "1")
    assert ran.returncode == 1
    assert "point 0 is tried again" in ran.stdout
    assert "point 0 is FAILED" in ran.stdout
    shown = json.loads(hpo(folder, "show", "s", *url, "--format", "json").stdout)
    assert shown["endings"] == {"failed": 1, "lost": 1}
    assert [row["trial"] for row in shown["failures"]] == [1]


def test_a_point_that_goes_back_because_the_run_stops_is_not_said_to_be_tried_again(
    folder: Path, sqlite_url: str
) -> None:
    file = write_project(folder, DEAF, n_trials=1, search_space=None, stop_grace_s=1)
    url = ("--storage", sqlite_url)
    ran = hpo(folder, "run", file, *url, "--workers", "1", "--timeout", "1s")
    assert "point 0 is given back" in ran.stdout
    assert "this run: 0 trials, 0 pruned, 1 given back" in ran.stdout
    assert "tried again" not in ran.stdout


def test_warm_started_trials_are_neither_points_nor_the_best(folder: Path, sqlite_url: str) -> None:
    url = ("--storage", sqlite_url)
    file = write_project(folder, n_trials=5, method="tpe")
    assert hpo(folder, "run", file, *url, "--name", "old", "--workers", "1").returncode == 0
    constant = "import hpo\ndef objective(trial):\n    return hpo.suggest(trial)['x'] - 1e6\n"
    write_project(folder, constant, n_trials=3, method="tpe")
    warm = ("--name", "new", "--warm-start", "old", "--workers", "1")
    ran = hpo(folder, "run", file, *url, *warm, "--json")
    summary = json.loads(ran.stdout.splitlines()[-1])
    own = [t for t in trials(sqlite_url, "new") if (t.value or 0) < -1e5]
    assert len(own) == 3
    assert summary["done"] == 3
    assert summary["best_trial"] == max(own, key=lambda t: t.value or 0).number
    shown = json.loads(hpo(folder, "show", "new", *url, "--format", "json").stdout)
    assert shown["trials"] == {"COMPLETE": 3}
    assert shown["warm_starts"] == 5
    assert shown["best"][0]["trial"] == summary["best_trial"]
    assert "3 complete, 5 warm starts" in hpo(folder, "show", "new", *url).stdout
    assert f"trial {summary['best_trial']}:" in hpo(folder, "best", "new", *url).stdout
    rows = json.loads(hpo(folder, "trials", "new", *url, "--format", "json").stdout)
    assert Counter(row["ending"] for row in rows) == {"complete": 3, "warm start": 5}
    report = json.loads(hpo(folder, "report", "new", *url, "--format", "json").stdout)
    (study,) = report["studies"]
    assert study["best_so_far"]["trials"] == [1, 2, 3]
    assert study["incomplete"] == []
