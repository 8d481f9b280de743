from __future__ import annotations

from pathlib import Path

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
        ("leaves.py:f", "leaves.py:1: SystemExit"),
    ],
)
def test_an_objective_that_cannot_be_used_is_refused_with_its_place(
    project: Path, reference: str, said: str
) -> None:
    (project / "raises.py").write_text("x = 1\ny = x / 0\n")
    (project / "syntax.py").write_text("def f(:\n")
    (project / "leaves.py").write_text("raise SystemExit('bye')\n")
    with pytest.raises(ObjectiveError) as error:
        load(reference, project)
    assert said in str(error.value)


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
