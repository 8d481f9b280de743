"""Exact totals, identity and changed objectives over several invocations."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpo.databases.storage import open_storage
from hpo.events import Event
from hpo.ledger.points import WorkerIdentity
from hpo.study_files.reading import load
from hpo.workers.context import DEVICE_VARIABLE
from hpo.workers.job import Job
from hpo.workers.worker import work
from tests.processes.support import (
    STEADY,
    assert_exact,
    hpo,
    results,
    trials,
    write_project,
    write_study,
)
from tests.support import launch_file


def test_a_finished_study_says_so_and_adds_nothing(folder: Path, sqlite_url: str) -> None:
    file = write_project(folder, n_trials=3)
    run = ("run", file, "--storage", sqlite_url, "--workers", "1")
    assert hpo(folder, *run).returncode == 0
    again = hpo(folder, *run)
    assert again.returncode == 0
    assert "is finished" in again.stdout
    assert "Nothing was added" in again.stdout
    assert_exact(sqlite_url, 3)


def test_a_larger_total_appends_and_a_smaller_one_never_takes_away(
    folder: Path, sqlite_url: str
) -> None:
    url = ("--storage", sqlite_url, "--workers", "1")
    file = write_project(folder, n_trials=3)
    assert hpo(folder, "run", file, *url).returncode == 0
    before = results(sqlite_url)
    write_study(folder, n_trials=5)
    more = hpo(folder, "run", file, *url)
    assert more.returncode == 0
    assert "2 points were added" in more.stderr
    assert_exact(sqlite_url, 5)
    assert results(sqlite_url)[:3] == before
    less = hpo(folder, "run", file, *url, "--n-trials", "2")
    assert less.returncode == 2
    assert "has 5 trials and cannot shrink" in less.stderr
    write_study(folder, n_trials=2)
    file_less = hpo(folder, "run", file, *url)
    assert file_less.returncode == 0
    assert "n_trials stays 5" in file_less.stderr
    assert_exact(sqlite_url, 5)


def test_an_edited_study_is_refused_with_the_difference(folder: Path, sqlite_url: str) -> None:
    url = ("--storage", sqlite_url, "--workers", "1")
    file = write_project(folder, n_trials=2)
    assert hpo(folder, "run", file, *url).returncode == 0
    write_study(folder, n_trials=2, seed=9, fixed={"steps": 2, "pause_s": 0.02})
    edited = hpo(folder, "run", file, *url)
    assert edited.returncode == 2
    for line in ("- fixed.steps: 3", "+ fixed.steps: 2", "- seed: 1", "+ seed: 9", "--name NAME"):
        assert line in edited.stderr
    assert hpo(folder, "run", file, *url, "--name", "other").returncode == 0
    assert_exact(sqlite_url, 2, name="other")
    assert_exact(sqlite_url, 2)


def test_what_is_not_identity_may_change(folder: Path, sqlite_url: str) -> None:
    url = ("--storage", sqlite_url, "--workers", "1")
    file = write_project(folder, n_trials=2)
    assert hpo(folder, "run", file, *url).returncode == 0
    write_study(folder, n_trials=3, retries=7, timeout="10min", max_failures=3, target=1e9)
    assert hpo(folder, "run", file, *url).returncode == 0
    assert_exact(sqlite_url, 3)


def test_a_changed_objective_is_refused_unless_accepted_and_then_recorded(
    folder: Path, sqlite_url: str
) -> None:
    url = ("--storage", sqlite_url, "--workers", "1")
    file = write_project(folder, n_trials=2)
    assert hpo(folder, "run", file, *url).returncode == 0
    write_study(folder, n_trials=4)
    (folder / "objective.py").write_text(STEADY + "\n# edited\n")
    for command in (("run", file), ("resume", "s")):
        refused = hpo(folder, *command, *url)
        assert refused.returncode == 2
        assert "--accept-changed-objective" in refused.stderr
    assert hpo(folder, "run", file, *url, "--accept-changed-objective").returncode == 0
    assert_exact(sqlite_url, 4)
    changed = ["objective_changed" in trial.user_attrs for trial in trials(sqlite_url)]
    assert changed == [False, False, True, True]


def test_a_target_that_is_reached_ends_the_study_with_exit_code_zero(
    folder: Path, sqlite_url: str
) -> None:
    file = write_project(folder, n_trials=50, target=0.0)
    ran = hpo(folder, "run", file, "--storage", sqlite_url, "--workers", "1")
    assert ran.returncode == 0
    assert "the target 0 was reached by trial 0" in ran.stdout
    assert len(trials(sqlite_url)) == 1
    again = hpo(folder, "run", file, "--storage", sqlite_url, "--workers", "1")
    assert again.returncode == 0
    assert len(trials(sqlite_url)) == 1


def test_a_study_that_ended_itself_gets_no_trial_more(folder: Path, sqlite_url: str) -> None:
    stopper = "def objective(trial):\n    trial.study.stop()\n    return 0.0\n"
    file = write_project(folder, stopper, n_trials=30, fixed={})
    for n in range(1, 4):
        ran = hpo(folder, "run", file, "--storage", sqlite_url, "--workers", "1")
        assert ran.returncode == 0, ran.stderr
        assert len(trials(sqlite_url)) == n


def test_a_worker_that_comes_after_a_request_to_stop_claims_nothing(
    folder: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DEVICE_VARIABLE, "")  # the worker sets it
    storage = open_storage(sqlite_url, create=True)
    study = launch_file(storage, load(write_project(folder, n_trials=3)), folder).stored
    since = study.ledger.clock()
    study.ledger.request_stop("enough")
    storage.close()
    identity = WorkerIdentity("here/cpu#0/1", "here", "this-kernel")
    events: list[Event] = []
    job = Job(sqlite_url, "s", study.plan_id, folder, identity, "cpu", {}, since)
    work(job, events.append)
    assert [event.name for event in events] == ["worker_up"]
    assert trials(sqlite_url) == []
