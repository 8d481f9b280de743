"""Characters that do something to a terminal or a page instead of being shown, made visible.

Names, exception texts and attributes of a study may hold any of them: escape sequences that move
a terminal's cursor or set its title, and the controls of bidirectional writing that make a text
read as something else.
"""

from __future__ import annotations

import re

# The controls of ASCII and Latin-1 but for tab and newline, those of bidirectional writing, the
# separators of lines and paragraphs, and halves of surrogate pairs, which no encoding can write.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""The text with each control character written as Python writes it: ``\x1b``, ``\u202e``."""
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def visible_in_json(text: str) -> str:
    r"""JSON that means the same, with the control characters of its strings as ``\u202e``."""
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
