"""`hpo run --objective` makes the study that a file would, and names options in its faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpo.cli import _exit_code
from hpo.cli.run_sources import load_studies
from hpo.errors import FileFaults, UserError
from hpo.study_files.reading import load

NOTHING: dict[str, Any] = {"objective": None, "directions": (), "method": None, "pruner": None}


def quick(*changes: str, **options: Any) -> Any:
    given = {key: options.pop(key, None) for key in ("n_trials", "study")}
    wanted = {**NOTHING, "objective": "objective.py:objective", **options}
    ((study, folder),) = load_studies([], wanted, changes, given)
    assert folder == Path.cwd()
    return study


def test_options_make_the_study_that_a_file_with_these_keys_makes(project: Path) -> None:
    (project / "mine.yaml").write_text(
        "objective: objective.py:objective\nmethod: random\ndirection: minimize\nn_trials: 5\n"
        "pruner: {median: {n_startup_trials: 2}}\nseed: 4\n"
    )
    study = quick(
        *("n_trials=5", "seed=4", "study=mine"),
        directions=("minimize",),
        method="random",
        pruner="{median: {n_startup_trials: 2}}",
    )
    assert study == load(project / "mine.yaml")


def test_without_a_name_and_a_method_it_is_the_scripts_name_and_tpe(project: Path) -> None:
    study = quick("n_trials=5", directions=("maximize",))
    assert (study.study, study.method, study.pruner) == ("objective", "tpe", "none")


def test_a_direction_given_twice_makes_two_objectives(project: Path) -> None:
    study = quick("n_trials=5", directions=("minimize", "maximize"))
    assert study.directions == ("minimize", "maximize")


def test_set_reaches_keys_that_have_no_option(project: Path) -> None:
    (project / "search_spaces.yaml").write_text("line: {x: {low: 0.0, high: 1.0}}\n")
    study = quick("n_trials=5", "search_space=line", directions=("minimize",))
    assert list(study.search_space.parameters) == ["x"]


@pytest.mark.parametrize(
    ("options", "changes", "said"),
    [
        (
            {"objective": "script.py:f"},
            ("n_trials=5",),
            "--direction: direction: is missing: is a larger value better",
        ),
        ({"directions": ("minimize",)}, (), "--n-trials: n_trials: is missing"),
        (
            {"directions": ("minimise",)},
            ("n_trials=5",),
            "--direction minimise: direction: must be one of maximize, minimize, "
            "but got 'minimise'. Did you mean 'minimize'?",
        ),
        (
            {"directions": ("minimize",), "method": "bayes"},
            ("n_trials=5",),
            "--method bayes: method: must be one of",
        ),
        (
            {"directions": ("minimize",), "method": "grid", "n_trials": 3},
            (),
            "--n-trials 3: n_trials: does not go with method grid",
        ),
        (
            {"directions": ("minimize",), "n_trials": 3, "study": " x"},
            (),
            "--name  x: study: must be printable, without line breaks and without spaces around",
        ),
        (
            {"directions": ("minimize",), "n_trials": 3, "pruner": "hyperband"},
            (),
            "Write {hyperband: {max_resource: 9}}, on a command line in quotes",
        ),
        (
            {"directions": ("minimize",), "pruner": "{median: {startup: 1}}"},
            ("n_trials=5",),
            "--pruner",
        ),
        (
            {"directions": ("minimize",), "objective": "../objective.py:f"},
            ("n_trials=5",),
            "--objective ../objective.py:f: objective: must stay in the project folder",
        ),
        (
            {"directions": ("minimize", "minimize"), "pruner": "median"},
            ("n_trials=5",),
            "Optuna's pruners work with one direction only",
        ),
    ],
)
def test_a_fault_names_its_option(
    project: Path, options: dict[str, Any], changes: tuple[str, ...], said: str
) -> None:
    with pytest.raises(FileFaults) as caught:
        quick(*changes, **options)
    assert said in str(caught.value)


def test_options_of_a_study_without_a_file_do_not_go_with_a_file(project: Path) -> None:
    with pytest.raises(UserError, match="--method goes with --objective. Change a study file with"):
        load_studies([Path("s.yaml")], {**NOTHING, "method": "random"}, [], {})
    with pytest.raises(UserError, match="but got both: s.yaml"):
        load_studies([Path("s.yaml")], {**NOTHING, "objective": "o.py:f"}, [], {})
    with pytest.raises(UserError, match="needs a study file"):
        load_studies([], NOTHING, [], {})


def test_a_wrong_script_is_one_message_and_makes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(project.rglob("*"))
    wanted = ["run", "--objective", "objctive.py:objective", "--direction", "minimize"]
    assert _exit_code([*wanted, "--n-trials", "3"]) == 2
    assert "There is no file objctive.py" in capsys.readouterr().err
    assert sorted(project.rglob("*")) == before
