from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hpo.yaml_files.python_data import document_of


def test_values_become_what_a_file_would_give() -> None:
    data = {"a": (1, 2.0, (True, None)), "b": {"c": np.float32(0.5)}, "d": np.arange(3)}
    document = document_of("here", data)
    assert not document.faults
    assert document.data == {"a": [1, 2.0, [True, None]], "b": {"c": 0.5}, "d": [0, 1, 2]}
    assert type(document.data["b"]["c"]) is float


def test_the_document_is_a_copy() -> None:
    data: dict[str, Any] = {"a": {"b": [1]}}
    document = document_of("here", data)
    document.data["a"]["b"].append(2)
    assert data == {"a": {"b": [1]}}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({1: 2}, "here: x: a key must be a word, but got 1."),
        ([float("nan")], "here: x[0]: a number must be finite, but got nan."),
        ({"y": 2**63}, "here: x.y: a whole number must be at most"),
        ("\0", "here: x: text may not hold the character '\\x00'."),
        ({"y": {3}}, "here: x.y: must be plain data, but got set."),
        (np.array([np.inf]), "here: x[0]: a number must be finite, but got inf."),
    ],
)
def test_what_no_file_could_hold_is_a_fault_with_its_place(value: Any, said: str) -> None:
    (fault,) = document_of("here", {"x": value}).faults
    assert str(fault).startswith(said)
