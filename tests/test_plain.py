from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch

from hpo.plain import MAX_TEXT, describe, plain_data, plain_text, require_storable


class Grim(Exception):
    """Nothing can be learnt of it."""

    def __str__(self) -> str:
        raise SystemExit

    __repr__ = __str__


class MyText(str):
    """A text whose class another process does not know."""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        ("half \ud800 and \0", "half \ufffd and \ufffd"),
        ("\N{GRINNING FACE}", "\N{GRINNING FACE}"),
        (Grim(), "<Grim whose str() raises SystemExit>"),
        ([10**5000], "<list whose str() raises ValueError>"),
        ("long" * MAX_TEXT, ("long" * MAX_TEXT)[:MAX_TEXT]),
    ],
)
def test_any_value_has_a_text_that_can_be_stored(value: object, text: str) -> None:
    assert plain_text(value) == text


def test_a_text_is_of_no_class_of_the_objectives() -> None:
    assert type(plain_text(MyText("x"))) is str
    assert type(plain_data(MyText("x"), "it")) is str


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no"), "ValueError: no"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (Grim(), "Grim: <Grim whose str() raises SystemExit>"),
    ],
)
def test_any_error_can_be_described(error: BaseException, said: str) -> None:
    assert describe(error) == said


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ({"a": (1, 2.5, None, True)}, {"a": [1, 2.5, None, True]}),
        ([np.float32(0.5), np.int64(3), np.bool_(True)], [0.5, 3, True]),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (torch.tensor([0.5, 1.5], requires_grad=True), [0.5, 1.5]),
        ({1: "\ud800"}, {"1": "\ufffd"}),
        (["\N{GRINNING FACE}", "a\\ud800"], ["\N{GRINNING FACE}", "a\\ud800"]),
        (10**400, 10**400),
    ],
)
def test_json_data_and_numbers_of_numpy_and_torch_become_plain(value: object, plain: Any) -> None:
    assert plain_data(value, "it") == plain
    json.dumps(plain_data(value, "it")).encode()


def test_what_is_not_finite_stays() -> None:
    nan, low, high = plain_data([math.nan, -math.inf, np.float64("inf")], "it")
    assert math.isnan(nan)
    assert (low, high) == (-math.inf, math.inf)


def test_plain_data_is_a_copy() -> None:
    curves: dict[str, list[int]] = {"epoch": [1]}
    kept = plain_data(curves, "it")
    curves["epoch"].append(2)
    assert kept == {"epoch": [1]}


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({1, 2}, "Object of type set is not JSON serializable"),
        ([Grim()], "Object of type Grim is not JSON serializable"),
        (1j, "Object of type complex"),
        (np.array([1j]), "Object of type complex"),
        ({(1, 2): 3}, "keys must be str"),
        ([10**5000], "ValueError"),
        (CIRCLE, "Circular reference"),
        (DEEP, "RecursionError"),
    ],
)
def test_what_is_not_json_data_is_refused_with_its_name(value: object, said: str) -> None:
    with pytest.raises(TypeError, match="the curves must be JSON data, but got: ") as error:
        plain_data(value, "the curves")
    assert said in str(error.value)


@pytest.mark.parametrize("name", ["a\0b", "\udfff"])
def test_a_name_that_not_every_database_takes_is_refused(name: str) -> None:
    require_storable("näme \N{GRINNING FACE}", "a name")
    with pytest.raises(ValueError, match="a name must be Unicode without NUL, but got"):
        require_storable(name, "a name")
