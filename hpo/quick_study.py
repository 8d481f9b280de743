"""A study without a file: options of `hpo run --objective` go in, the same StudyFile comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.errors import FileFaults
from hpo.study_file import StudyFile
from hpo.yaml_source import Document, Place, parse_value

_OPTIONS = {
    "objective": "--objective",
    "n_trials": "--n-trials",
    "direction": "--direction",
    "directions": "--direction",
    "method": "--method",
    "pruner": "--pruner",
}
DEFAULT_METHOD = "tpe"


@dataclass(frozen=True)
class QuickOptions:
    """What the command line says in place of a file.

    Attributes:
        objective: `script.py:function`, relative to the current folder.
        directions: One for each value that the objective returns.
        method: How points are chosen.
        pruner: A value as a study file has it, e.g. `median` or `{hyperband: {min_resource: 1}}`.
    """

    objective: str
    directions: Sequence[str] = ()
    method: str | None = None
    pruner: str | None = None


def quick_study(options: QuickOptions, changes: Sequence[str], project: Path) -> StudyFile:
    """Make the study that the options ask for; without a name it has the script's.

    Args:
        options: In place of the file's keys.
        changes: ``key=value`` texts of ``--set``, ``--n-trials`` and ``--name``.
        project: The project folder.

    Raises:
        FileFaults: Everything that is wrong, each with its option.
    """
    from hpo.study_reading import read_study

    document = Document("hpo run", data=_data(options))
    for key, option in _OPTIONS.items():
        value = document.data.get(key, "")
        document.places[(key,)] = Place(f"{option} {_shown(value)}".rstrip(), 0)
    stem = Path(options.objective.rpartition(":")[0]).stem or "study"
    study, faults = read_study(document, changes, project, stem)
    if faults or study is None:
        raise FileFaults(faults)
    return study


def _data(options: QuickOptions) -> dict[str, Any]:
    several = len(options.directions) > 1
    data: dict[str, Any] = {
        "objective": options.objective,
        "method": options.method or DEFAULT_METHOD,
        "direction": None if several or not options.directions else options.directions[0],
        "directions": list(options.directions) if several else None,
        "pruner": None if options.pruner is None else _value(options.pruner),
    }
    return {key: value for key, value in data.items() if value is not None}


def _value(text: str) -> Any:
    try:
        return parse_value(text)
    except ValueError:
        return text  # the rule for pruners says what is wrong with it


def _shown(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)
