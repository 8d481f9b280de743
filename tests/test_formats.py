"""Rows as CSV: what a spreadsheet would compute is text, and numbers stay numbers."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from hpo.formats import csv_text, json_text


def cell(value: Any) -> str:
    (row,) = csv.DictReader(io.StringIO(csv_text([{"a": value, "b": 1}])))
    return row["a"]


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://x","y")',
        "+1+cmd|'/C calc'!A0",
        "-2+3",
        "@SUM(1)",
        "\t=1",
        "\n=1",
        "=",
        "-",
    ],
)
def test_a_text_that_a_spreadsheet_would_compute_begins_with_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"


def test_a_carriage_return_is_shown() -> None:
    assert cell("\r=1") == "\\r=1"


@pytest.mark.parametrize("value", [-0.5, -3, 1e-9, True, "-0.5", "+1e3", "a=1", "", "relu", "é"])
def test_numbers_and_ordinary_texts_stay_as_they_are(value: Any) -> None:
    assert cell(value) == str(value)


def test_a_header_is_text_as_well() -> None:
    assert csv_text([{"=a": 1}]) == "'=a\n1\n"


def test_rows_may_lack_columns_and_hold_lists() -> None:
    text = csv_text([{"a": 1}, {"b": [1, "é"], "a": None}])
    assert text == 'a,b\n1,\n,"[1, ""é""]"\n'


def test_numbers_that_json_does_not_know_become_null() -> None:
    data = json.loads(json_text({"a": [float("nan"), float("inf"), 1.5], "b": (1, 2)}))
    assert data == {"a": [None, None, 1.5], "b": [1, 2]}
