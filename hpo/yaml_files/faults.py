"""Words for what is wrong with a file: values as a user wrote them, pydantic's errors.

In go rules and values, out come the messages that stand in a `Fault`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hpo.near_miss import near_miss

Path = tuple[str | int, ...]
Finding = tuple[Path, str]

BRANCH = "\0"  # starts the tag of a union's branch; no key of a file can hold it
_LONGEST_VALUE = 60


class Faulty(ValueError):
    """Plain data that breaks rules; `findings` has each place and its message."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(f"{path_text(path)}: {text}" for path, text in self.findings))


def path_text(path: Path) -> str:
    """Write a path as a user would say it: ``start_with[0].learning_rate``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def unknown(what: str, word: str, known: Iterable[str], *, listed: bool = False) -> str:
    """Say that a word is not one of the known ones, with the near miss or all of them.

    Args:
        what: What the word should name.
        word: The unknown word.
        known: The known ones.
        listed: Whether all of them are named beside a near miss, too.
    """
    known = list(known)
    hint = near_miss(word, known)
    every = f" Known: {', '.join(known)}." if listed or not hint else ""
    return f"unknown {what} {shown(word)}.{hint}{every}"


def shown(value: Any) -> str:
    """Write a value as YAML has it, cut where it is long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    text = repr(value) if not isinstance(value, tuple) else repr(list(value))
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


_TYPES = {
    "int_type": "must be a whole number",
    "finite_number": "must be a finite number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of names to values",
    "model_type": "must be a mapping of names to values",
}
_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("above", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("below", "lt"),
}


def findings_of(
    error: ValidationError, known: Mapping[Path, Iterable[str]], what: str = "key"
) -> Iterator[Finding]:
    """Turn pydantic's errors into our own words.

    Args:
        error: What validation raised.
        known: The keys allowed at a place, for near misses; ``(...)`` with the path's names,
            where ``"*"`` stands for any name.
        what: What an unknown key is called; any but a key is answered with the list of all.

    Yields:
        A path into the plain data and the message for it.
    """
    for details in error.errors(include_url=False):
        path = tuple(part for part in details["loc"] if not str(part).startswith(BRANCH))
        if details["type"] == "extra_forbidden":
            names = _known_at(path[:-1], known)
            yield path, unknown(what, str(path[-1]), names, listed=what != "key")
        else:
            yield path, _message(details)


def _message(details: ErrorDetails) -> str:
    kind, value, limits = details["type"], details["input"], details.get("ctx", {})
    if kind == "missing":
        return f"'{details['loc'][-1]}' is missing."
    if kind == "literal_error":
        return _not_one_of(value, str(limits["expected"]))
    if kind in _LIMITS:
        word, name = _LIMITS[kind]
        return f"must be {word} {limits[name]:g}, but got {shown(value)}."
    if kind == "too_short":
        return "must not be empty."
    if kind == "value_error":
        return str(limits["error"])
    return f"{_TYPES.get(kind, details['msg'])}, but got {shown(value)}."


def _not_one_of(value: Any, expected: str) -> str:
    words = expected.replace(" or ", ", ").replace("'", "").split(", ")
    hint = near_miss(value, words) if isinstance(value, str) else ""
    return f"must be one of {', '.join(words)}, but got {shown(value)}.{hint}"


def _known_at(path: Path, known: Mapping[Path, Iterable[str]]) -> Iterable[str]:
    for pattern, names in known.items():
        if len(pattern) == len(path) and all(
            want in ("*", have) for want, have in zip(pattern, path, strict=True)
        ):
            return names
    return ()
