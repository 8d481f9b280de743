"""What is wrong with a text that is no YAML: a parser's error in, a line and words out."""

from __future__ import annotations

import re
from typing import NamedTuple

from ruamel.yaml.error import MarkedYAMLError


class _Saying(NamedTuple):
    """Our words for a problem of the parser's, and whether they speak of where it began."""

    problem: str
    words: str
    of_beginning: bool = False


_OPENING = {"}": "{", "]": "["}
_NEVER_CLOSED = "the '{opening}' of this line is never closed: a '{0}' is missing."
_SAYINGS = (
    _Saying(r"expected ',' or '(.)', but got '<stream end>'", _NEVER_CLOSED, of_beginning=True),
    _Saying(
        r"expected ',' or '(.)', but got .*",
        "the '{opening}' of this line needs a ',' or its '{0}'{until}.",
        of_beginning=True,
    ),
    _Saying(
        r"expected the node content, but found '<stream end>'",
        "ends too early: a value is missing, or something is not closed.",
    ),
    _Saying(r"expected the node content, but found '(.+)'", "a value is missing before '{0}'."),
    _Saying(
        r"mapping values are not allowed here",
        "a ':' cannot stand here. Is the line indented too far, or does a text need quotes?",
    ),
    _Saying(r"expected <block end>, but found '([]}}])'", "this '{0}' closes nothing."),
    _Saying(
        r"expected <block end>, but found '[-?]'",
        "list items ('- ') and keys stand at one level here.",
    ),
    _Saying(
        r"expected <block end>, but found '<block mapping start>'",
        "is indented differently from the lines above it.",
    ),
    _Saying(r"expected <block end>, .*", "something stands here after the end of a value."),
    _Saying(
        r"found unexpected end of stream",
        "the quote that is opened in this line is never closed.",
        of_beginning=True,
    ),
    _Saying(
        r"found unknown escape character '(.*)'",
        "'\\{0}' means nothing between double quotes; single quotes take text as it is.",
    ),
    _Saying(r"found character '\\t' that .*", "a tab cannot indent YAML: use spaces."),
    _Saying(r"found character '(.*)' that .*", "text that begins with '{0}' needs quotes."),
    _Saying(r"found undefined alias '(.*)'", "no anchor '&{0}' stands above this '*{0}'."),
    _Saying(r"could not find expected ':'", "a ':' is missing after the key in this line.", True),
    _Saying(
        r"sequence entries are not allowed here", "a list item ('- ') needs a line of its own."
    ),
    _Saying(
        r"expected chomping or indentation indicators, .*",
        "after '|' or '>' the text begins in the next line.",
    ),
    _Saying(
        r"expected alphabetic or numeric character, .*",
        "'&' and '*' need a name after them; text that begins with one of them needs quotes.",
    ),
    _Saying(r"expected '<document start>', .*", "text that begins with '%' needs quotes."),
    _Saying(r"but found another document", "a second document starts here; a file holds one."),
)


def explain(error: MarkedYAMLError) -> tuple[int, str]:
    """Say what is wrong, and in which 0-based line."""
    problem = " ".join(str(error.problem or error.context or "").split())
    mark = error.problem_mark or error.context_mark
    line = mark.line if mark else 0
    for saying in _SAYINGS:
        found = re.fullmatch(saying.problem, problem)
        if found:
            begin = error.context_mark
            at = begin.line if saying.of_beginning and begin else line
            until = f" before line {line + 1} ends" if line > at else ""
            opening = _OPENING.get(found[1], "") if found.groups() else ""
            return at, saying.words.format(*found.groups(), opening=opening, until=until)
    return line, f"is not YAML: {problem}."
