"""Rows and plain data as text for programs: JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from hpo.control_characters import visible, visible_in_json

Row = Mapping[str, Any]
_FORMULA_STARTS = tuple("=+-@\t\n")


def json_text(data: Any, indent: int | None = None) -> str:
    """JSON; numbers that JSON does not know become null."""
    return visible_in_json(json.dumps(_finite(data), indent=indent, ensure_ascii=False))


def columns_of(rows: Sequence[Row]) -> list[str]:
    """The keys of all rows, in the order of their first appearance."""
    return list(dict.fromkeys(key for row in rows for key in row))


def csv_text(rows: Sequence[Row]) -> str:
    """Rows as CSV, with their keys as the header.

    A text that a spreadsheet would compute begins with an apostrophe, as is usual.
    """
    columns = columns_of(rows)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(map(_cell, columns))
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json_text(value)
    if not isinstance(value, str):
        return value
    return f"'{visible(value)}" if _is_formula(value) else visible(value)


def _is_formula(text: str) -> bool:
    if not text.startswith(_FORMULA_STARTS):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False


def _finite(data: Any) -> Any:
    if isinstance(data, float) and not math.isfinite(data):
        return None
    if isinstance(data, Mapping):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data
