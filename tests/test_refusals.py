"""What an objective's own `check` refuses is shown at its place in the study file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hpo.errors import Fault
from hpo.plan import make_plan
from hpo.runs.checking import settings_to_check
from hpo.study_files.refusals import faults_of
from hpo.study_files.study_file import StudyFile
from hpo.workers.objective_file import LoadedObjective, check_settings
from tests.support import study_file

Check = Callable[[Mapping[str, Any]], object]


def faults(file: StudyFile, check: Check) -> list[Fault]:
    objective = LoadedObjective(Path("objective.py"), lambda trial: 0.0, check, None)
    return faults_of(file, check_settings(objective, settings_to_check(make_plan(file))), None)


class KeyedError(RuntimeError):
    key = "momentum"


def refuse(error: Exception) -> Check:
    def check(settings: Mapping[str, Any]) -> None:
        raise error

    return check


def test_an_error_that_names_one_setting_is_shown_at_its_place(tmp_path: Path) -> None:
    file = study_file(tmp_path, fixed={"momentum": 0.9, "momentum_end": 1.0})
    (fault,) = faults(file, refuse(ValueError("momentum must be lower")))
    assert (fault.path, fault.line) == ("fixed.momentum", 1)
    assert fault.message == "the objective refuses 0.9: momentum must be lower"


def test_an_error_with_a_key_is_shown_at_that_key(tmp_path: Path) -> None:
    (fault,) = faults(study_file(tmp_path, fixed={"momentum": 2}), refuse(KeyedError("x or y")))
    assert str(fault).startswith(f"{tmp_path}/s.yaml:1: fixed.momentum: the objective refuses 2: ")


def test_an_error_without_a_key_names_the_settings_and_how_many_more_there_are(
    tmp_path: Path,
) -> None:
    space = {"x": {"choices": [1, 2, 3]}, "y": {"choices": [[8], [8, 4]]}}
    file = study_file(tmp_path, method="grid", n_trials=None, search_space=space)

    def check(settings: Mapping[str, Any]) -> None:
        if settings["x"] > 1:
            raise RuntimeError("x and y do not fit")

    (fault,) = faults(file, check)
    assert fault.message == (
        "the objective refuses the settings {x: 2, y: 8}: RuntimeError: x and y do not fit "
        "It refuses 3 more of those that were tried."
    )


def test_a_value_is_blamed_where_it_was_written_and_on_its_line_only(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "method: controlled\ndirection: minimize\nobjective: o.py:f\n"
        "baseline:\n  x: 1\n  y: 1\n"
        "vary:\n  x:\n    - 2\n    - 3\n  both: {a: {x: 3, y: 2}}\n"
    )
    from hpo.study_files.reading import load

    def check(settings: Mapping[str, Any]) -> None:
        if settings["x"] == 3:
            raise ValueError("x must not be 3")

    found = [(fault.path, fault.line) for fault in faults(load(path), check)]
    assert found == [("vary.x[1]", 10), ("vary.both.a.x", 11)]


def test_a_study_from_a_database_is_named_in_place_of_its_file(tmp_path: Path) -> None:
    stored = StudyFile.model_validate(study_file(tmp_path, "stored").model_dump(mode="json"))
    (fault,) = faults(stored, refuse(ValueError("x is wrong")))
    assert str(fault).startswith("study stored: search_space.x: the objective refuses ")


def test_a_study_is_the_same_wherever_it_was_read(tmp_path: Path) -> None:
    file = study_file(tmp_path)
    assert StudyFile.model_validate(file.model_dump(mode="json")) == file
    assert file.model_copy(update={"n_trials": 4}) != file


def test_check_is_asked_about_the_ends_of_a_space_that_a_sampler_searches(tmp_path: Path) -> None:
    space = {
        "n": {"low": 0, "high": 10_000},
        "kind": {"choices": ["a", "b"]},
        "size": {"low": 1, "high": 10_000, "when": {"kind": "b"}},
    }
    file = study_file(tmp_path, method="tpe", search_space=space, start_with=[{"n": 77}])
    asked = settings_to_check(make_plan(file))
    assert {0, 77, 10_000} <= {settings["n"] for settings in asked}
    assert {1, 10_000} & {settings.get("size") for settings in asked}
