"""The published JSON Schema, the documentation and the models say the same."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from pydantic import BaseModel

from hpo.spaces.keys import ParameterKeys
from hpo.study_files.claims import KINDS, ClaimKeys
from hpo.study_files.components import pruner_names
from hpo.study_files.keys import METHODS
from hpo.study_files.reading import load
from hpo.study_files.schema import key_rows, spaces_schema, study_schema
from hpo.study_files.study_file import StudyFile
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
    for model in (StudyFile, ParameterKeys, ClaimKeys):
        for name, field in model.model_fields.items():
            assert field.description, name


def table(model: type[BaseModel], *, with_defaults: bool) -> str:
    """The table of a file's keys, as the documentation has it."""
    heads = ("key", "meaning", "default")[: 2 + with_defaults]
    rows = [(f"`{name}`", *texts) for name, *texts in key_rows(model)]
    lines = [heads, ("---",) * len(heads), *(row[: len(heads)] for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n".replace("|  |", "| |") for cells in lines)


@pytest.mark.parametrize(
    ("heading", "model", "with_defaults"),
    [("Keys", StudyFile, True), ("Search spaces", ParameterKeys, False)],
)
def test_the_tables_of_the_documentation_say_what_the_models_say(
    heading: str, model: type[BaseModel], with_defaults: bool
) -> None:
    """Written anew by RENEW_GOLDEN=1 python -m pytest -n 0 tests/test_schema.py."""
    page = ROOT / "docs" / "study-files.md"
    before, section = page.read_text().split(f"## {heading}\n", 1)
    found = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert found is not None
    wanted = table(model, with_defaults=with_defaults)
    if os.environ.get("RENEW_GOLDEN"):
        section = section[: found.start()] + wanted + section[found.end() :]
        page.write_text(f"{before}## {heading}\n{section}")
    assert found[0] == wanted


def test_the_documentation_names_every_method_and_pruner() -> None:
    assert all(f"`{name}`" in DOCS for name in (*METHODS, *pruner_names()))
    assert {"within", "says", *KINDS} == set(ClaimKeys.model_fields)
    claims = DOCS.split("A claim has one of these kinds")[1]
    assert set(re.findall(r"^\| `(\w+)", claims, re.MULTILINE)) == set(KINDS)


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
