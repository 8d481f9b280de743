"""Texts that page and notes share: commands to repeat a study, and YAML."""

from __future__ import annotations

import io
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpo.control_characters import visible
from hpo.reporting.analysis import Analysis
from hpo.reporting.records import StudyRecord, TrialRecord
from hpo.reporting.trials import is_of_the_trainer

DEFAULT_STORAGE = "sqlite:///hpo.db"


def commands(analysis: Analysis) -> list[tuple[str, str]]:
    """Commands with what they do, ready for a shell; only those that apply to the study."""
    record, best = analysis.record, analysis.best
    name, storage = shlex.quote(record.name), storage_option(record)
    report = (f"hpo report {name} -o report.html{storage}", "write this report again")
    if not record.is_ours:
        return [report]
    again = shlex.quote(f"{record.name}-again")
    rows = [
        (
            f"hpo run study.yaml --name {again}{storage}",
            "run it from the start; study.yaml is the text under Settings",
        ),
        (f"hpo resume {name}{storage}", "run only what is missing"),
    ]
    if best and not record.is_controlled:
        rows += _commands_with(name, storage, best)
    return [*rows, report]


def _commands_with(
    name: str, storage: str, best: Sequence[TrialRecord]
) -> Iterator[tuple[str, str]]:
    """What can be done with the best trial, or with the first one of a front."""
    if len(best) == 1:
        yield f"hpo best {name}{storage} > best.yaml", "the best trial's settings as a file"
        trial, what = "", "the best trial"
    else:
        yield f"hpo best {name}{storage}", "the settings of each trial on the front"
        trial, what = f" --trial {best[0].number}", "one trial of the front"
    if is_of_the_trainer(best[0]):
        command = f"hpo train --study {name}{trial} --save model.pt{storage}"
        yield command, f"train with the settings of {what} and keep the model"
        yield f"hpo reproduce {name}{trial}{storage}", f"train {what} again and compare"


def yaml_text(data: Mapping[str, Any]) -> str:
    """Plain data as YAML: mappings in blocks, lists of plain values on one line.

    Control characters are written as escapes, which YAML knows between double quotes only.
    """
    from ruamel.yaml import YAML

    stream = io.StringIO()
    writer = YAML()
    writer.width = 100
    writer.dump(_for_yaml(data), stream)
    return visible(stream.getvalue())


def _for_yaml(value: Any) -> Any:
    from ruamel.yaml.comments import CommentedSeq
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, Mapping):
        return {_for_yaml(str(key)): _for_yaml(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = CommentedSeq(_for_yaml(item) for item in value)
        if not any(isinstance(item, (Mapping, list)) for item in items):
            items.fa.set_flow_style()
        return items
    if isinstance(value, str) and visible(value) != value:
        return DoubleQuotedScalarString(value)
    return value


def storage_option(record: StudyRecord) -> str:
    """The `--storage` of a command that is shown; empty for the usual one."""
    if record.storage in ("", DEFAULT_STORAGE):
        return ""
    return f" --storage {shlex.quote(record.storage)}"
