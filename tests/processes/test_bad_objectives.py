"""Objectives that fail: the trial is FAIL with its reason, the study goes on, exit code 1."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.trial import TrialState

from tests.processes.support import assert_exact, hpo, n_states, points, trials, write_project

# What the point of that number does, and the reason that its trial must have.
BAD = [
    ("pass", None),
    ("raise ValueError('no good')", "ValueError: no good"),
    ("return float('nan')", "must return a number that is not NaN, but returned nan"),
    ("return 'text'", "must return a number, but returned 'text'"),
    ("return None", "must return a number, but returned None"),
    ("return [1.0, 2.0]", "must return 1 value(s), but returned [1.0, 2.0]"),
    ("raise MemoryError", "out of memory: MemoryError"),
    ("raise RuntimeError('CUDA out of memory. Tried')", "out of memory: RuntimeError: CUDA out"),
    ("bytearray(1 << 60)", "out of memory: MemoryError"),
    ("sys.exit(3)", "SystemExit: 3"),
    ("trial.suggest_float('x', 5.0, 6.0)", "which is not in the objective's"),
    ("os._exit(7)", "its worker ended with exit code 7"),
    ("os.kill(os.getpid(), 9)", "its worker was killed by SIGKILL"),
    ("pass", None),
]


def test_each_bad_trial_fails_with_its_reason_and_the_others_are_done(
    folder: Path, sqlite_url: str
) -> None:
    head = "import os, sys\n\ndef objective(trial):\n    x = trial.suggest_float('x', 0.0, 1.0)\n"
    point = "    if trial.user_attrs['point'] == {}:\n        {}\n"
    text = head + "".join(point.format(n, bad) for n, (bad, _) in enumerate(BAD)) + "    return x\n"
    file = write_project(folder, text, n_trials=len(BAD), fixed={}, retries=0)
    ran = hpo(folder, "run", file, "--storage", sqlite_url, "--workers", "1")
    assert ran.returncode == 1, ran.stderr
    for row, (bad, reason) in zip(points(sqlite_url), BAD, strict=True):
        assert row["state"] == ("FAILED" if reason else "DONE"), bad
        assert (reason or "") in (row["reason"] or ""), bad
        assert f"Point {row['number']} FAILED" in ran.stdout or not reason or row["number"] > 10
    reasons = [trial.user_attrs.get("reason") for trial in trials(sqlite_url)]
    assert reasons == [row["reason"] for row in points(sqlite_url)]
    assert n_states(trials(sqlite_url)) == {TrialState.COMPLETE: 2, TrialState.FAIL: 12}
    shown = hpo(folder, "show", "s", "--storage", sqlite_url, "--format", "json").stdout
    assert "ValueError: no good" in shown
    assert "its worker was killed by SIGKILL" in shown


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
            "refuses the settings: bad settings",
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
