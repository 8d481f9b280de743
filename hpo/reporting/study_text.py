"""A stored study as the file that makes it again: its data in, the text of a study file out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.reporting.texts import yaml_text
from hpo.study_files.study_file import StudyFile

_DEFAULTS = {name: field.default for name, field in StudyFile.model_fields.items()}


def study_file_text(file: Mapping[str, Any]) -> str:
    """The study file as YAML, without what says no more than the defaults.

    Args:
        file: The study as the database holds it.
    """
    told = {name: value for name, value in file.items() if value != _DEFAULTS.get(name)}
    if len(told.get("directions", ())) == 1:
        names = {"directions": "direction"}
        told["directions"] = told["directions"][0]
        told = {names.get(name, name): value for name, value in told.items()}
        if told.get("metrics") == ["accuracy"]:
            del told["metrics"]
    return yaml_text(told)
