"""Objectives that write, behind hpo's back, over the attributes that tell what their trials are."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.trial import TrialState

from tests.processes.support import assert_exact, hpo, n_states, running, trials, write_project

# Spoils all it can reach, and is killed in the midst of its 2nd, 5th and 8th trial.
SPOILER = """
import itertools, os, signal
from pathlib import Path

COUNT = Path(__file__).with_name("count")

def counted():
    for n in itertools.count():
        try:
            os.close(os.open(f"{{COUNT}}{{n}}", os.O_CREAT | os.O_EXCL))
            return n
        except FileExistsError:
            continue

def objective(trial):
    x = trial.suggest_float("x", 0.0, 1.0)
    storage, study = trial.study._storage, trial.study._study_id
    for key in ("point", "attempt", "seed", "worker", "reason", "warm_start"):
        storage.set_trial_user_attr(trial._trial_id, key, {value})
    for key in ("hpo_plan_id", "hpo_method", "hpo_version", "hpo_study"):
        storage.set_study_user_attr(study, key, {value})
    if counted() in (2, 5, 8):
        os.kill(os.getpid(), signal.SIGKILL)
    return x
"""


@pytest.mark.parametrize("value", ["[1, 2]", "0"])
def test_a_study_is_exact_whatever_its_objective_writes_over_attributes(
    folder: Path, storage_url: str, value: str
) -> None:
    file = write_project(folder, SPOILER.format(value=value), n_trials=12, fixed={})
    storage = ("--storage", storage_url)
    with running(folder, "run", file, *storage, "--devices", "cpu*2") as run:
        assert run.end() == 0, run.errors
        assert (run.summary["done"], run.summary["total"]) == (12, 12)
    assert_exact(storage_url, 12)
    found = trials(storage_url)
    assert n_states(found) == {TrialState.COMPLETE: 12, TrialState.FAIL: 3}
    assert all(trial.user_attrs["point"] == found[0].user_attrs["point"] for trial in found)
    again = hpo(folder, "run", file, "--n-trials", "14", *storage, "--devices", "cpu")
    assert again.returncode == 0, again.stderr
    assert_exact(storage_url, 14)
    for command in (["show", "s"], ["report", "s"]):
        told = hpo(folder, *command, *storage)
        assert (told.returncode, told.stderr.count("Traceback")) == (0, 0), told.stderr
