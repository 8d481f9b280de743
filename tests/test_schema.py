"""The published JSON Schema, the documentation and the models say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from hpo.spaces.keys import ParameterKeys
from hpo.study_files.claims import KINDS, ClaimKeys
from hpo.study_files.components import METHODS, pruner_names
from hpo.study_files.keys import StudyKeys
from hpo.study_files.schema import spaces_schema, study_schema
from hpo.study_files.study_file import load
from hpo.yaml_files.source import read
from tests.space_strategies import spaces

ROOT = Path(__file__).parent.parent
DOCS = (ROOT / "docs" / "study-files.md").read_text()
SHIPPED = sorted(ROOT.glob("studies/**/*.yaml"))


def check(schema: dict[str, Any], data: Any) -> None:
    jsonschema.Draft202012Validator(schema).validate(data)


def test_both_schemas_are_valid_json_schemas() -> None:
    jsonschema.Draft202012Validator.check_schema(study_schema())
    jsonschema.Draft202012Validator.check_schema(spaces_schema())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_study_follows_the_schema(path: Path) -> None:
    check(study_schema(), read(path).data)


def test_the_shipped_spaces_follow_the_schema() -> None:
    check(spaces_schema(), read(ROOT / "search_spaces.yaml").data)


@given(spaces())
@settings(max_examples=30)
def test_every_valid_space_follows_the_schema(space: dict[str, Any]) -> None:
    check(study_schema(), {"method": "tpe", "n_trials": 3, "search_space": space})


@pytest.mark.parametrize(
    "data",
    [
        {"n_trials": 3},
        {"method": "bayes"},
        {"method": "tpe", "n_trials": 0},
        {"method": "tpe", "n_trials": "3"},
        {"method": "tpe", "n_trails": 3},
        {"method": "tpe", "search_space": {"x": {"choises": [1]}}},
        {"method": "tpe", "search_space": {"x": {"choices": []}}},
        {"method": "controlled", "claims": [{"wurst": {}}]},
        {"method": "tpe", "study": None},
    ],
)
def test_the_schema_refuses_what_the_models_refuse(data: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check(study_schema(), data)


def test_every_key_has_a_description_in_the_schema() -> None:
    for model in (StudyKeys, ParameterKeys, ClaimKeys):
        for name, field in model.model_fields.items():
            assert field.description, name


def table_keys(heading: str) -> set[str]:
    section = DOCS.split(f"## {heading}\n")[1].split("\n## ")[0]
    first_cells = (line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    return {key for cell in first_cells for key in re.findall(r"`(\w+)", cell)}


def test_the_documentation_lists_every_key_and_no_other() -> None:
    assert table_keys("Keys") == set(StudyKeys.model_fields)
    assert table_keys("Search spaces") == set(ParameterKeys.model_fields)
    assert table_keys("Controlled-variable studies") == set(KINDS)


def test_the_documentation_names_every_method_and_pruner() -> None:
    assert all(f"`{name}`" in DOCS for name in (*METHODS, *pruner_names()))
    assert {"within", "says", *KINDS} == set(ClaimKeys.model_fields)


def test_the_examples_of_the_documentation_are_valid(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
    spaces_text = next(example for example in examples if example.startswith("mlp:"))
    (tmp_path / "search_spaces.yaml").write_text(spaces_text)
    studies = [example for example in examples if "method:" in example]
    assert len(studies) == 2
    for example in studies:
        path = tmp_path / "example.yaml"
        path.write_text(example)
        load(path)
