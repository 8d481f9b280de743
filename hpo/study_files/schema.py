"""JSON Schemas of the files a user writes, for editors; made from the models that check them."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from hpo.spaces.keys import ParameterKeys
from hpo.study_files.keys import StudyKeys

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def study_schema() -> dict[str, Any]:
    """Give the JSON Schema of a study file."""
    return {"$schema": DIALECT, **_without_null_defaults(StudyKeys.model_json_schema())}


def spaces_schema() -> dict[str, Any]:
    """Give the JSON Schema of search_spaces.yaml."""
    schema = TypeAdapter(dict[str, dict[str, ParameterKeys]]).json_schema()
    title = {"title": "Named search spaces"}
    return {"$schema": DIALECT, **title, **_without_null_defaults(schema)}


def _without_null_defaults(value: Any) -> Any:
    """Leave out `default: null`: the files may not hold null where a key has no default."""
    if isinstance(value, list):
        return [_without_null_defaults(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {k: v for k, v in value.items() if not (k == "default" and v is None)}
    return {name: _without_null_defaults(inner) for name, inner in kept.items()}
