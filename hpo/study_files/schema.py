"""What editors and the documentation say of a file's keys; made from the models that check them."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, TypeAdapter

from hpo.spaces.keys import ParameterKeys
from hpo.study_files.study_file import KEYS, StudyFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NO_DEFAULT: tuple[Any, ...] = (None, "", [], (), {})


def study_schema() -> dict[str, Any]:
    """Give the JSON Schema of a study file."""
    schema = StudyFile.model_json_schema()
    for name, meaning, default in key_rows(StudyFile):
        told = f"{meaning} Default: {default}." if KEYS[name].default_text else meaning
        schema["properties"][name]["description"] = told
    return {"$schema": DIALECT, **_without_empty_defaults(schema)}


def spaces_schema() -> dict[str, Any]:
    """Give the JSON Schema of search_spaces.yaml."""
    schema = TypeAdapter(dict[str, dict[str, ParameterKeys]]).json_schema()
    title = {"title": "Named search spaces"}
    return {"$schema": DIALECT, **title, **_without_empty_defaults(schema)}


def key_rows(model: type[BaseModel]) -> list[tuple[str, str, str]]:
    """Give each key of a model of a file: its name, meaning and default, in Markdown."""
    return [
        (name, _meaning(name, str(field.description), model), _default(name, field.default, model))
        for name, field in model.model_fields.items()
    ]


def _meaning(name: str, description: str, model: type[BaseModel]) -> str:
    methods = KEYS[name].only_for if model is StudyFile else ()
    only = f"Only with {', '.join(f'`{method}`' for method in methods)}. " if methods else ""
    return only + description


def _default(name: str, default: Any, model: type[BaseModel]) -> str:
    if model is StudyFile and KEYS[name].default_text:
        return KEYS[name].default_text
    text = default if isinstance(default, str) else json.dumps(default, default=str)
    return "" if default in _NO_DEFAULT else f"`{text}`"


def _without_empty_defaults(value: Any) -> Any:
    """Leave out a `default` that a file may not hold, because it stands for none at all."""
    if isinstance(value, list):
        return [_without_empty_defaults(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {k: v for k, v in value.items() if not (k == "default" and v in _NO_DEFAULT)}
    return {name: _without_empty_defaults(inner) for name, inner in kept.items()}
