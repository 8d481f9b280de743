"""Data of a program in place of a file: Python values in, a document as YAML would give it out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hpo.yaml_files.document import UNPRINTABLE, Document
from hpo.yaml_files.faults import Path
from hpo.yaml_files.values import MAX_WHOLE


def document_of(name: str, data: Mapping[str, Any]) -> Document:
    """Copy plain data: tuples become lists, numpy's numbers and arrays Python's.

    What no file could hold is among the document's faults.

    Args:
        name: Stands in the faults in place of a file's name.
        data: What the file would hold.
    """
    document = Document(name)
    document.data = _mapping(data, (), document)
    return document


def _mapping(data: Mapping[Any, Any], path: Path, document: Document) -> dict[str, Any]:
    copied = {}
    for key, value in data.items():
        if isinstance(key, str):
            copied[key] = _copy(value, (*path, key), document)
        else:
            document.add((path, f"a key must be a word, but got {key!r:.60}."))
    return copied


def _copy(value: Any, path: Path, document: Document) -> Any:
    if isinstance(value, Mapping):
        return _mapping(value, path, document)
    if isinstance(value, list | tuple):
        return [_copy(item, (*path, index), document) for index, item in enumerate(value)]
    if hasattr(value, "tolist"):  # an array or a number of numpy's
        return _copy(value.tolist(), path, document)
    fault = _fault(value)
    if fault:
        document.add((path, fault))
        document.unread.add(path)
        return None
    return value


def _fault(value: Any) -> str:
    if isinstance(value, str):
        found = UNPRINTABLE.search(value)
        return f"text may not hold the character {found[0]!r}." if found else ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"a number must be finite, but got {value}."
    if isinstance(value, int):
        is_small = abs(value) <= MAX_WHOLE
        return "" if is_small else f"a whole number must be at most {MAX_WHOLE} in size."
    return "" if value is None else f"must be plain data, but got {type(value).__name__}."
