from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from hpo.errors import ObjectiveError
from hpo.workers.objective_file import check_settings, imports_of, load, locate


def test_an_objective_is_imported_with_its_neighbours(project: Path) -> None:
    (project / "neighbour_of_objective.py").write_text("ANSWER = 42\n")
    (project / "mine.py").write_text(
        "import neighbour_of_objective\ndef run(trial): return neighbour_of_objective.ANSWER\n"
    )
    assert load("mine.py:run", project).function(None) == 42


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("objective.py", "must be 'path.py:function'"),
        ("objective:objective", "must be 'path.py:function'"),
        ("../objective.py:objective", "must lie in the project folder"),
        ("objectve.py:objective", "Did you mean 'objective.py'?"),
        ("objective.py:objectiv", "has no function 'objectiv'. Did you mean 'objective'?"),
        ("raises.py:f", "raises.py:2: ZeroDivisionError: division by zero"),
        ("syntax.py:f", "syntax.py:1: SyntaxError"),
        ("leaves.py:f", "leaves.py:1: SystemExit: bye"),
        ("interrupts.py:f", "interrupts.py:1: KeyboardInterrupt"),
    ],
)
def test_an_objective_that_cannot_be_used_is_refused_with_its_place(
    project: Path, reference: str, said: str
) -> None:
    (project / "raises.py").write_text("x = 1\ny = x / 0\n")
    (project / "syntax.py").write_text("def f(:\n")
    (project / "leaves.py").write_text("raise SystemExit('bye')\n")
    (project / "interrupts.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(ObjectiveError) as error:
        load(reference, project)
    assert said in str(error.value)


SHAPES = """
import functools, optuna

async def later(trial): return 0.0
async def stream(trial): yield 0.0
def steps(trial): yield 0.0
def two(trial, rate): return 0.0
def keyword(trial, *, rate): return 0.0
def none(): return 0.0
def plain(trial, rate=0.1, **others): return 1.0
any_number = lambda *trials: 2.0
partly = functools.partial(two, rate=1)

class Kind:
    def __init__(self, rate): self.rate = rate
    def __call__(self, trial): return self.rate

class Later:
    async def __call__(self, trial): return 0.0

called = Kind(3.0)
later_called = Later()
partly_later = functools.partial(later)
quick = max
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("later", "later is async"),
        ("stream", "stream is async"),
        ("later_called", "later_called is async"),
        ("partly_later", "partly_later is async"),
        ("steps", "steps is a generator: it must `return`"),
        ("two", "two takes (trial, rate), but an objective is called with a trial alone"),
        ("keyword", "keyword takes (trial, rate), but"),
        ("none", "none takes (nothing), but"),
        ("Kind", "Kind is a class. Make one of it, `objective = Kind(...)`"),
    ],
)
def test_a_function_that_cannot_be_an_objective_is_refused_when_it_is_imported(
    project: Path, name: str, said: str
) -> None:
    (project / "shapes.py").write_text(SHAPES)
    with pytest.raises(ObjectiveError) as error:
        load(f"shapes.py:{name}", project)
    assert said in str(error.value)


@pytest.mark.parametrize("name", ["plain", "any_number", "partly", "called", "quick"])
def test_whatever_takes_a_trial_alone_can_be_an_objective(project: Path, name: str) -> None:
    (project / "shapes.py").write_text(SHAPES)
    assert callable(load(f"shapes.py:{name}", project).function)


def test_a_script_that_runs_its_own_study_at_import_is_told_where_to_put_it(project: Path) -> None:
    script = (
        "import optuna\n"
        "def f(trial): return trial.suggest_float('x', 0, 1)\n"
        "{guard}optuna.create_study().optimize(f, n_trials=1)\n"
    )
    (project / "script.py").write_text(script.format(guard=""))
    optimize = optuna.study.Study.optimize
    with pytest.raises(ObjectiveError) as error:
        load("script.py:f", project)
    assert str(error.value).startswith(f"{project}/script.py:3: `study.optimize` would run")
    assert 'Put it under `if __name__ == "__main__":`' in str(error.value)
    assert optuna.study.Study.optimize is optimize
    (project / "script.py").write_text(script.format(guard="if __name__ == '__main__': "))
    assert callable(load("script.py:f", project).function)


def test_a_link_out_of_the_project_is_refused(project: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("def f(trial): return 0\n")
    (project / "inside.py").symlink_to(tmp_path / "outside.py")
    with pytest.raises(ObjectiveError, match="must lie in the project folder"):
        locate("inside.py:f", project)


def test_an_objectives_module_says_what_it_refuses_prepares_and_measures(project: Path) -> None:
    (project / "whole.py").write_text(
        "METRICS = ('loss', 'seconds')\n"
        "def f(trial): return 0\n"
        "def check(settings): raise ValueError(settings['x'])\n"
        "def prepare(settings): pass\n"
    )
    objective = load("whole.py:f", project)
    assert objective.metrics == ("loss", "seconds")
    assert objective.prepare is not None
    refused = check_settings(objective, [{"x": 1}, {"x": 2}])
    assert [refusal.message for refusal in refused] == ["1", "2"]
    assert check_settings(load("objective.py:objective", project), [{"x": 1}]) == []


def test_imports_are_found_without_running_the_file() -> None:
    text = "import torch.nn\nfrom hpo.training.trainer import fit\ndef f():\n    import sklearn\n"
    assert imports_of(text) == {"torch.nn", "hpo.training.trainer", "sklearn"}
    assert imports_of("def (") == set()
