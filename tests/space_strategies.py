"""Hypothesis strategies for search spaces as a user may write them; every one of them is valid."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from hpo.spaces.parameters import label_of

NAMES = ("lr", "batch size", "optimizer", "hidden", "dropout_0x", "αβγ")
WORDS = st.text("abcxyz-_.é ", min_size=1, max_size=6)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.floats(-1e6, 1e6, allow_nan=False),
    WORDS,
)
LISTS = st.lists(st.one_of(st.integers(0, 300), WORDS), max_size=4)


def _tellable(values: list[Any]) -> list[Any]:
    """Keep values with labels of their own that Optuna, too, can tell apart."""
    kept: list[Any] = []
    for value in values:
        if all(label_of(value) != label_of(k) and value != k for k in kept):
            kept.append(value)
    return kept


def choices(value: st.SearchStrategy[Any] = SCALARS | LISTS) -> st.SearchStrategy[dict[str, Any]]:
    return st.lists(value, min_size=1, max_size=4).map(lambda v: {"choices": _tellable(v)})


@st.composite
def whole_ranges(draw: st.DrawFn) -> dict[str, Any]:
    low = draw(st.integers(-50, 50))
    step = draw(st.sampled_from([None, 1, 2, 7]))
    if step is None:
        log = low > 0 and draw(st.booleans())
        high = low + draw(st.integers(0, 100))
        levels = {"levels": sorted({low, high})} if draw(st.booleans()) else {}
        return {"low": low, "high": high, **({"log": True} if log else {}), **levels}
    return {"low": low, "high": low + step * draw(st.integers(0, 4)), "step": step}


@st.composite
def decimal_ranges(draw: st.DrawFn) -> dict[str, Any]:
    step = draw(st.sampled_from([None, "0.1", "0.25", "1e-05"]))
    if step is None:
        low = draw(st.floats(1e-9, 1e3))
        high = draw(st.floats(low, 1e4))
        levels = {"levels": sorted({low, high})} if draw(st.booleans()) else {}
        return {
            "low": low,
            "high": high,
            **({"log": True} if draw(st.booleans()) else {}),
            **levels,
        }

    first = Decimal(draw(st.sampled_from(["0.0", "0.1", "-0.3"])))
    last = first + draw(st.integers(0, 4)) * Decimal(step)
    return {"low": float(first), "high": float(last), "step": float(step)}


SIMPLE = st.one_of(choices(), whole_ranges(), decimal_ranges())
STEPPED = SIMPLE.filter(lambda p: "choices" in p or "step" in p or "levels" in p)
LENGTHS = st.one_of(
    st.integers(1, 3),
    st.tuples(st.integers(0, 1), st.integers(1, 3)).map(lambda e: {"low": e[0], "high": e[1]}),
    st.just({"choices": [1, 3]}),
)


_NAME_LISTS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)


@st.composite
def spaces(draw: st.DrawFn, simple: st.SearchStrategy[dict[str, Any]] = SIMPLE) -> dict[str, Any]:
    """Draw a space: plain parameters, free-length lists, conditions."""
    space: dict[str, Any] = {}
    for name in draw(_NAME_LISTS):
        keys = draw(simple)
        if draw(st.integers(0, 3)) == 0:
            length = draw(LENGTHS)
            keys = {"length": length, "each": keys}
        parents = [other for other, its in space.items() if "choices" in its]
        is_conditional = draw(st.booleans())
        if parents and is_conditional:
            parent = draw(st.sampled_from(parents))
            wanted = draw(st.lists(st.sampled_from(space[parent]["choices"]), min_size=1))
            keys = {**keys, "when": {parent: wanted}}
        space[name] = keys
    return dict(draw(st.permutations(list(space.items()))))
