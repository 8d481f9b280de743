"""Objectives that do bad things: each trial ends with its reason, and the next point begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.trial import TrialState

from tests.processes.support import (
    assert_at_rest,
    assert_exact,
    hpo,
    n_states,
    points,
    running,
    trials,
    write_project,
)

HEAD = """
import os, sys
import numpy as np
import optuna
import hpo
from optuna.trial import create_trial

class Grim(Exception):
    def __str__(self):
        raise SystemExit
    __repr__ = __str__

class Endless:
    def __repr__(self):
        return repr(self)

class Grimmer:
    def __float__(self):
        raise KeyboardInterrupt
    def __repr__(self):
        raise Grim

class Mine(float):
    pass

deep = []
for _ in range(100_000):
    deep = [deep]

def refused(trial):
    for key in ("point", "attempt", "factor", "level", "replicate", "seed"):
        try:
            trial.set_user_attr(key, 7)
        except RuntimeError:
            continue
        raise ValueError(key)
    assert trial.user_attrs["attempt"] == 1
    return 1.0

def raises():
    raise ValueError("in a process that the objective has forked")

def keep(trial, **epochs):
    hpo.keep_curves(trial, {"epochs": epochs})

def objective(trial):
    x = trial.suggest_float('x', 0.0, 1.0)
"""
C, P, F = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL
# What the point of that number does, how its trial must end, and a part of the reason.
DEEDS = [
    ("pass", C, None),
    # what it returns
    ("return float('nan')", F, "must return a number that is not NaN, but returned nan"),
    ("return 'text'", F, "must return a number, but returned 'text'"),
    ("return None", F, "must return a number, but returned None"),
    ("return [1.0, 2.0]", F, "must return 1 value(s), but returned [1.0, 2.0]"),
    ("return 10**400", F, "must return a number that a float can hold, but returned 1000"),
    ("return 10**5000", F, "a float can hold, but returned <int whose repr() raises ValueError>"),
    ("return Endless()", F, "but returned <Endless whose repr() raises RecursionError>"),
    ("return Grimmer()", F, "KeyboardInterrupt"),
    ("return '\\ud800\\0'", F, "but returned '\\ud800\\x00'"),
    ("return np.float32(0.5)", C, None),
    ("return deep", F, "must return a number"),
    # what it raises
    ("raise ValueError('no good')", F, "ValueError: no good"),
    ("raise Grim", F, "Grim: <Grim whose str() raises SystemExit>"),
    ("raise ValueError('\\ud800 and \\0')", F, "ValueError: \ufffd and \ufffd"),
    ("raise ValueError('long' * 10**6)", F, "ValueError: longlong"),
    ("raise ValueError(deep)", F, "ValueError: <ValueError whose str() raises RecursionError>"),
    ("raise KeyboardInterrupt", F, "KeyboardInterrupt"),
    ("raise GeneratorExit", F, "GeneratorExit"),
    ("raise BaseException('base')", F, "BaseException: base"),
    ("sys.exit(3)", F, "SystemExit: 3"),
    ("sys.exit('\\ud800')", F, "SystemExit: \ufffd"),
    ("raise MemoryError", F, "out of memory: MemoryError"),
    ("raise RuntimeError('CUDA out of memory. Tried')", F, "out of memory: RuntimeError: CUDA out"),
    ("bytearray(1 << 60)", F, "out of memory: MemoryError"),
    ("trial.suggest_float('x', 5.0, 6.0)", F, "which is not in the objective's"),
    ("raise optuna.TrialPruned", P, None),
    ("trial.report(0.5, 1); raise optuna.TrialPruned('at its last step')", P, None),
    # what it keeps
    ("keep(trial, epoch=[np.int64(1)], train_loss=np.ones(1, np.float32))", C, None),
    ("keep(trial, samples=[1, 2, 3], train_loss=[float('nan'), 10**400])", C, None),
    ("keep(trial, samples=5, train_loss='abc', seconds=None)", C, None),
    ("hpo.keep_curves(trial, {'epochs': 5, 'batches': [1]})", C, None),
    ("keep(trial, epoch={1, 2})", F, "Object of type set is not JSON serializable"),
    ("keep(trial, epoch=deep)", F, "RecursionError"),
    ("keep(trial, epoch=[Grim()])", F, "Object of type Grim is not JSON serializable"),
    ("keep(trial, epoch='\\ud800\\0')", C, None),
    ("hpo.keep_curves(trial, 5)", F, "hpo.keep_curves"),
    ("trial.curves = {'epochs': Grim()}", F, "the trial cannot be finished: "),
    ("hpo.keep_weights(trial, 'nonsense')", F, "hpo.keep_weights"),
    ("hpo.keep_weights(trial, {1: None})", F, "hpo.keep_weights"),
    ("trial.set_user_attr('mine', {1, 2})", F, "Object of type set is not JSON serializable"),
    ("trial.set_user_attr('mine', np.float32(0.5))", C, None),
    ("trial.set_user_attr('mine', '\\ud800')", C, None),
    ("trial.set_user_attr('point', [1, 2])", F, "attribute 'point' itself"),
    ("return refused(trial)", C, None),
    ("trial.set_user_attr('reason', {'\\0': 1}); raise optuna.TrialPruned", P, None),
    ("trial.report(np.float32(0.5), np.int64(1))", C, None),
    ("trial.report(0.5, 2**70)", F, ""),
    ("trial.suggest_categorical('kind', [Mine(1), Mine(2)])", C, None),
    ("trial.suggest_categorical('\\0', [1])", F, "without NUL, but got '\\x00'"),
    ("trial.suggest_categorical('word', ['\\ud800'])", F, "without NUL, but got '\\ud800'"),
    ("trial.set_user_attr('\\0', 1)", F, "without NUL, but got '\\x00'"),
    ("trial.__dict__.clear()", F, "the trial cannot be finished: "),
    # what it does to the worker
    ("sys.stdout.close(); sys.stderr.close()", C, None),
    ("sys.stdout = sys.stderr = None; raise ValueError('mute')", F, "ValueError: mute"),
    ("os.fork()", C, None),
    ("os.fork() or raises()", C, None),
    ("os._exit(7)", F, "its worker ended with exit code 7"),
    ("os.kill(os.getpid(), 9)", F, "its worker was killed by SIGKILL"),
    # what it wants of the study
    ("trial.study.ask()", F, "study.ask"),
    ("trial.study.enqueue_trial({'x': 0.5})", F, "study.enqueue_trial"),
    ("trial.study.add_trial(create_trial(value=1.0))", F, "study.add_trial"),
    ("trial.study.add_trials([create_trial(value=1.0)])", F, "study.add_trials"),
    ("trial.study.tell(trial, 1.0)", F, "study.tell"),
    ("trial.study.optimize(lambda trial: 1.0, n_trials=1)", F, "study.optimize"),
    ("trial.study.set_user_attr('hpo_plan_id', 'x')", F, "'hpo_plan_id'"),
    ("pass", C, None),
]


def _objective() -> str:
    deed = "    if trial.user_attrs['point'] == {}:\n        {}\n"
    return (
        HEAD
        + "".join(deed.format(n, does) for n, (does, *_) in enumerate(DEEDS))
        + "    return x\n"
    )


def test_whatever_an_objective_does_its_trial_ends_with_a_reason_and_the_next_point_begins(
    folder: Path, storage_url: str
) -> None:
    file = write_project(folder, _objective(), n_trials=len(DEEDS), fixed={}, retries=0)
    with running(folder, "run", file, "--storage", storage_url, "--workers", "1") as run:
        assert run.end() == 1, run.errors
    assert "Traceback" not in run.errors
    found = trials(storage_url)
    assert_at_rest(found)
    for trial, row, (does, state, reason) in zip(found, points(storage_url), DEEDS, strict=True):
        assert (trial.state, row["number"]) == (state, trial.user_attrs["point"]), does
        assert row["state"] == ("FAILED" if state == F else "DONE"), does
        assert (reason or "") in (row["reason"] or ""), does
        assert len(row["reason"] or "") < 3000, does
        assert trial.user_attrs.get("reason") == row["reason"] or state == P, does
    ended = {event["trial"] for event in run.of("trial_finished") + run.of("trial_failed")}
    lost = {event["trial"] for event in run.of("trial_lost")}
    assert ended | lost == {trial.number for trial in found}
    assert run.summary["failed"] == sum(state == F for _, state, _ in DEEDS)
    for command in ("show", "trials", "best", "report"):
        looked = hpo(folder, command, "s", "--storage", storage_url)
        assert looked.returncode == 0, looked.stderr


CHECK = "def objective(trial):\n    return 1.0\ndef check(settings):\n"


def test_retry_failed_frees_the_points_that_failed(folder: Path, sqlite_url: str) -> None:
    once = """
from pathlib import Path

def objective(trial):
    mark = Path(__file__).with_name("mended")
    if not mark.exists() and trial.user_attrs["point"] % 2:
        raise ValueError("not yet")
    return trial.suggest_float("x", 0.0, 1.0)
"""
    file = write_project(folder, once, n_trials=4, fixed={})
    url = ("--storage", sqlite_url, "--workers", "1")
    assert hpo(folder, "run", file, *url).returncode == 1
    assert hpo(folder, "run", file, *url).returncode == 1
    (folder / "mended").touch()
    retried = hpo(folder, "run", file, *url, "--retry-failed")
    assert retried.returncode == 0
    assert "2 failed points are free again" in retried.stderr
    assert_exact(sqlite_url, 4)


def test_a_study_whose_every_trial_fails_stops_early_with_the_first_reason(
    folder: Path, sqlite_url: str
) -> None:
    file = write_project(
        folder, "def objective(trial):\n    raise ValueError('always')\n", n_trials=100, fixed={}
    )
    ran = hpo(folder, "run", file, "--storage", sqlite_url, "--workers", "2")
    assert ran.returncode == 1
    assert "trials failed; the first trial" in ran.stdout
    assert "ValueError: always" in ran.stdout
    assert len(trials(sqlite_url)) < 20


def test_max_failures_is_the_number_of_failures_that_ends_a_study(
    folder: Path, sqlite_url: str
) -> None:
    text = """
def objective(trial):
    assert trial.number % 2 == 0, "odd"
    return trial.suggest_float("x", 0.0, 1.0)
"""
    file = write_project(folder, text, n_trials=100, fixed={}, max_failures=3)
    ran = hpo(folder, "run", file, "--storage", sqlite_url, "--workers", "1")
    assert ran.returncode == 1
    assert 3 <= n_states(trials(sqlite_url))[TrialState.FAIL] <= 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise OSError('on import')\n", "OSError: on import"),
        ("def other(trial):\n    return 1.0\n", "has no function 'objective'"),
        ("def objective(trial:\n", "SyntaxError"),
        (
            "def objective(trial):\n    return 1.0\n"
            "def check(settings):\n    raise ValueError('bad settings')\n",
            "bad settings",
        ),
        ("raise KeyboardInterrupt\n", "objective.py:1: KeyboardInterrupt"),
        ("raise GeneratorExit\n", "objective.py:1: GeneratorExit"),
        ("import sys\nsys.exit('\\ud800')\n", "objective.py:2: SystemExit: \ufffd"),
        ("import os\nos._exit(7)\n", "objective.py:objective: its process ended with exit code 7"),
        (f"{CHECK}    raise KeyboardInterrupt\n", "check(settings): "),
        (f"{CHECK}    raise SystemExit(3)\n", "objective.py:4: SystemExit: 3"),
        (f"{CHECK}    return settings['none']\n", "KeyError: 'none'"),
        (f"{CHECK}    raise ValueError('\\ud800')\n", "\ufffd"),
        (
            f"{CHECK}    import os\n    os._exit(7)\n",
            "objective.py:objective: its process ended with exit code 7",
        ),
    ],
)
def test_an_objective_that_cannot_work_is_refused_before_anything_is_created(
    folder: Path, text: str, said: str
) -> None:
    file = write_project(folder, text)
    ran = hpo(folder, "run", file)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (folder / "hpo.db").exists()


@pytest.mark.parametrize(
    ("raised", "n_workers"), [("KeyboardInterrupt", "0"), ("SystemExit(3)", "1")]
)
def test_an_objective_that_cannot_prepare_itself_ends_the_run_with_the_reason(
    folder: Path, sqlite_url: str, raised: str, n_workers: str
) -> None:
    text = f"def objective(trial):\n    return 1.0\ndef prepare(settings):\n    raise {raised}\n"
    file = write_project(folder, text, n_trials=3, search_space=None)
    ran = hpo(folder, "run", file, "--storage", sqlite_url, "--workers", n_workers)
    assert ran.returncode in (1, 2)
    reason = raised.replace("(", ": ").replace(")", "").replace("'", "")
    assert f"prepare(settings): {folder}/objective.py:4: {reason}" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert trials(sqlite_url) == []


def test_what_an_objective_raises_in_this_process_ends_its_trial_only(
    folder: Path, sqlite_url: str
) -> None:
    text = """
def objective(trial):
    if trial.number in (1, 2):
        raise (KeyboardInterrupt, SystemExit)[trial.number - 1]
    return trial.suggest_float("x", 0.0, 1.0)
"""
    file = write_project(folder, text, n_trials=4)
    ran = hpo(folder, "run", file, "--storage", sqlite_url, "--workers", "0")
    assert ran.returncode == 1, ran.stderr
    assert [trial.state for trial in trials(sqlite_url)] == [C, F, F, C]
    assert [row["state"] for row in points(sqlite_url)] == ["DONE", "FAILED", "FAILED", "DONE"]


def test_an_objective_whose_workers_die_at_once_ends_the_run_with_the_reason(
    folder: Path, sqlite_url: str
) -> None:
    dies = "import os\ndef objective(trial):\n    os._exit(7)\n"
    file = write_project(folder, dies, n_trials=50, search_space=None, retries=50)
    ran = hpo(folder, "run", file, "--storage", sqlite_url, "--workers", "2")
    assert ran.returncode == 1
    assert "its worker ended with exit code 7" in ran.stdout
    assert "lost again and again" in ran.stdout
    assert n_states(trials(sqlite_url))[TrialState.RUNNING] == 0


@pytest.mark.parametrize("n_workers", ["0", "1"])
def test_a_thread_that_an_objective_leaves_alive_does_not_keep_the_run(
    folder: Path, sqlite_url: str, n_workers: str
) -> None:
    leaves = """
import threading
import time

def objective(trial):
    threading.Thread(target=time.sleep, args=(600,)).start()
    return 0.0
"""
    file = write_project(folder, leaves, n_trials=2, fixed={}, search_space=None)
    url = ("--storage", sqlite_url, "--workers", n_workers)
    with running(folder, "run", file, *url) as run:
        assert run.end(timeout_s=60.0) == 0
    assert_exact(sqlite_url, 2)


def test_a_study_says_which_of_its_failures_was_the_first(folder: Path, sqlite_url: str) -> None:
    # The first trial's worker is the slowest to tell.
    fails = """
import time

def objective(trial):
    time.sleep(1.0 if trial.number == 0 else 0.3)
    raise ValueError(f"{trial.number} is bad")
"""
    file = write_project(folder, fails, n_trials=50, fixed={}, search_space=None, max_failures=4)
    ran = hpo(folder, "run", file, "--storage", sqlite_url, "--workers", "2")
    assert ran.returncode == 1
    assert "trials failed; the first trial 0: ValueError: 0 is bad" in ran.stdout
