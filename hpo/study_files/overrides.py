"""Changes of a study file from the command line, put into its plain data: `--set` and options.

`--set key=value` changes a key of the study file; any other name is a setting in `fixed`, or in
`baseline` of a controlled study. Dots go deeper: ``pruner.hyperband.max_resource=9``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hpo.errors import Fault
from hpo.near_miss import mistyped
from hpo.study_files.study_file import KEYS
from hpo.yaml_files.faults import Path
from hpo.yaml_files.source import Document, Place, parse_value

# Key of a study file -> the option that gives its value.
OPTIONS = {name: key.option for name, key in KEYS.items() if key.option}


def put_options(document: Document, options: Mapping[str, Any]) -> None:
    """Put in the values that options of their own gave, by key; those that are None were not."""
    for key, value in options.items():
        if value is not None:
            typed = " ".join(value) if isinstance(value, list) else value
            document.put((key,), value, Place(f"{OPTIONS[key]} {typed}", 0))


def apply(document: Document, overrides: Sequence[str]) -> None:
    """Put every ``key=value`` into the document; what cannot be read becomes a fault."""
    for text in overrides:
        key, equals, value = text.partition("=")
        place = Place(f"--set {text}", 0)
        if not equals or not key.strip():
            document.faults.append(Fault(place.file, 0, "", "must be key=value."))
            continue
        path = _target(document, tuple(key.strip().split(".")))
        hint = _mistyped(document, path)
        try:
            parsed = parse_value(value)
        except ValueError as error:
            document.faults.append(Fault(place.file, 0, key, str(error)))
            continue
        if hint:
            text = f"'{path[-1]}' is no key and no setting of the study. Did you mean '{hint}'?"
            document.faults.append(Fault(place.file, 0, key, text))
        else:
            document.put(path, parsed, place)


def _target(document: Document, parts: tuple[str, ...]) -> Path:
    if parts[0] in KEYS:
        return parts
    in_baseline = isinstance(document.data.get("baseline"), dict)
    in_fixed = parts[0] in _mapping(document, "fixed")
    return ("baseline" if in_baseline and not in_fixed else "fixed", ".".join(parts))


def _mistyped(document: Document, path: Path) -> str:
    """Find the key that a new setting was probably meant to be."""
    if len(path) != 2 or path[0] not in ("fixed", "baseline"):
        return ""
    if path[1] in _mapping(document, str(path[0])):
        return ""
    return mistyped(str(path[1]), KEYS) or ""


def _mapping(document: Document, key: str) -> dict[str, object]:
    value = document.data.get(key)
    return value if isinstance(value, dict) else {}
