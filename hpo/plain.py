"""What user code hands over, as plain data that every database, pipe and terminal can take.

Nothing here trusts a user's own types: whatever their methods raise is put into words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

MAX_TEXT = 2000  # characters of a reason
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # NUL is not for PostgreSQL, half a pair for no UTF-8


def plain_text(value: object, form: Callable[[Any], str] = str, max_length: int = MAX_TEXT) -> str:
    """A value as a text that can be stored, sent and printed.

    Args:
        value: Anything.
        form: `str` or `repr`.
        max_length: Longer texts are cut.
    """
    try:
        text = form(value)
    except BaseException as error:  # a method of the user's own
        text = f"<{type(value).__name__} whose {form.__name__}() raises {type(error).__name__}>"
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text[:max_length])


def describe(error: BaseException) -> str:
    """An error in words: `ValueError: no good`."""
    return f"{type(error).__name__}: {plain_text(error)}".rstrip(": ")


def require_storable(text: str, what: str) -> None:
    """Refuse a name that not every database, pipe and terminal can take.

    Raises:
        ValueError: It holds NUL or half a surrogate pair.
    """
    if _UNSTORABLE.search(text):
        raise ValueError(f"{what} must be Unicode without NUL, but got {text!r:.200}")


def plain_data(value: object, what: str) -> Any:
    """A copy of JSON data; numpy's and torch's numbers and arrays become numbers and lists.

    NaN and infinities stay, as Python's `json` writes and reads them.

    Args:
        value: What should be JSON data.
        what: What it is for, as the message names it.

    Raises:
        TypeError: It is not JSON data.
    """
    try:
        text = json.dumps(value, default=_as_lists, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{what} must be JSON data, but got: {describe(error)}") from None
    return json.loads(_UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text))


def _as_lists(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
