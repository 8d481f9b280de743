"""Objectives as Optuna's users write them run unchanged: in parallel, interrupted, resumed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, TrialState

from tests.processes.support import assert_at_rest, assert_exact, hpo, running, trials

SCRIPTS = Path(__file__).parent / "scripts"


def quadratic(found: Sequence[FrozenTrial]) -> None:
    assert all(t.value == (t.params["x"] - 2) ** 2 for t in found)


def classifiers(found: Sequence[FrozenTrial]) -> None:
    own = {"svc": "svc_c", "forest": "forest_max_depth"}
    assert {t.params["classifier"] for t in found} == set(own)
    assert all(set(t.params) == {"classifier", own[t.params["classifier"]]} for t in found)


def pruning(found: Sequence[FrozenTrial]) -> None:
    pruned = [t for t in found if t.state == TrialState.PRUNED]
    steps = [len(trial.intermediate_values) for trial in pruned]  # the last one prunes too
    assert steps
    assert max(steps) <= 20
    assert min(steps) < 20


def two_goals(found: Sequence[FrozenTrial]) -> None:
    assert all(len(t.values) == 2 for t in found)


def network(found: Sequence[FrozenTrial]) -> None:
    for trial in found:
        units = [name for name in trial.params if name.startswith("n_units_l")]
        assert len(units) == trial.params["n_layers"]


@dataclass(frozen=True)
class Example:
    check: Callable[[Sequence[FrozenTrial]], None]
    n_trials: int
    options: Sequence[str] = field(default=("--direction", "minimize"))

    @property
    def name(self) -> str:
        return self.check.__name__


# So many trials that an interruption after the first comes in their midst, however fast they are.
EXAMPLES = [
    Example(quadratic, 150),
    Example(classifiers, 40, ("--direction", "maximize", "--method", "random")),
    Example(
        pruning, 24, ("--direction", "minimize", "--pruner", "{median: {n_startup_trials: 3}}")
    ),
    Example(two_goals, 150, ("--direction", "minimize", "--direction", "minimize")),
    Example(network, 6, ("--direction", "maximize")),
]


def arguments(script: str, n_trials: int, url: str) -> list[str]:
    what = ["--objective", f"{script}.py:objective", "--n-trials", str(n_trials), "--name", "s"]
    return ["run", *what, "--workers", "2", "--storage", url]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_objective_runs_on_two_workers_is_interrupted_and_resumed(
    example: Example, tmp_path: Path, sqlite_url: str
) -> None:
    shutil.copy(SCRIPTS / f"{example.name}.py", tmp_path)
    command = [*arguments(example.name, example.n_trials, sqlite_url), *example.options]
    with running(tmp_path, *command) as run:
        run.wait_for("trial_finished")
        run.interrupt()
        assert run.end() == 130, run.errors
        assert 1 <= run.summary["done"] < example.n_trials
    resumed = hpo(tmp_path, "resume", "s", "--workers", "2", "--storage", sqlite_url)
    assert resumed.returncode == 0, resumed.stderr
    assert_exact(sqlite_url, example.n_trials)
    found = [t for t in trials(sqlite_url) if t.state != TrialState.FAIL]
    example.check(found)


def test_an_objective_that_ends_its_study_ends_the_run(tmp_path: Path, sqlite_url: str) -> None:
    shutil.copy(SCRIPTS / "stopping.py", tmp_path)
    command = [*arguments("stopping", 200, sqlite_url), "--direction", "minimize"]
    with running(tmp_path, *command) as run:
        assert run.end() == 0, run.errors
        assert run.summary["reason"] == "the objective ended the study"
        assert run.summary["done"] < 200
    found = trials(sqlite_url)
    assert_at_rest(found)
    assert any(t.value is not None and t.value < 25 for t in found)
