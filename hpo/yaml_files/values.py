"""From YAML nodes to plain data.

Scalars follow YAML 1.2 (`1e-4` is a number, `on` is a word); every duplicate key is found by
walking the node tree, because ruamel.yaml stops at the first.
"""

from __future__ import annotations

import math
import re
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from hpo.errors import Fault
from hpo.yaml_files.document import UNPRINTABLE, Document, Place, source_line
from hpo.yaml_files.faults import Path, path_text

MAX_WHOLE = 2**63 - 1  # what databases hold

_WHOLE = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NOTHING = ("", "~", "null", "Null", "NULL")
_TAG = "tag:yaml.org,2002:"
_TAGS = {*("str", "int", "float", "bool", "null", "map", "seq"), *("timestamp", "value", "merge")}


class Builder:
    """Walks the node tree once; notes places and every fault on the way."""

    def __init__(self, document: Document, lines: list[str]) -> None:
        self._document = document
        self._lines = lines
        self._open: list[Node] = []

    def build(self, node: MappingNode) -> dict[str, Any]:
        """Give the plain data of a document's top."""
        return self._mapping(node, ())

    def _value(self, node: Node, path: Path) -> Any:
        tag = str(node.tag or "")
        if tag.removeprefix(_TAG) not in _TAGS:
            return self._unread(
                node, path, f"the tag '{tag.replace(_TAG, '!!')}' is not known here."
            )
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if any(node is above for above in self._open):
            return self._unread(node, path, "an alias may not stand inside its own anchor.")
        self._open.append(node)
        if isinstance(node, SequenceNode):
            value: Any = self._sequence(node, path)
        else:
            value = self._mapping(node, path)
        self._open.pop()
        return value

    def _sequence(self, node: SequenceNode, path: Path) -> list[Any]:
        values = []
        for index, item in enumerate(node.value):
            self._place((*path, index), item)
            values.append(self._value(item, (*path, index)))
        return values

    def _mapping(self, node: Node, path: Path) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._fault(key, path, "a key must be a word.")
                continue
            name = _joined(key.value)
            if name == "<<" and not key.style:
                merged = {**self._merge(value, path), **merged}
            elif name in own:
                self._fault(key, (*path, name), "this key is given twice.")
                self._unplaced(value, (*path, name))
            else:
                self._check_text(name, key, (*path, name))
                self._place((*path, name), key)
                own[name] = self._value(value, (*path, name))
        return {**{name: value for name, value in merged.items() if name not in own}, **own}

    def _merge(self, node: Node, path: Path) -> dict[str, Any]:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for source in sources:
            if not isinstance(source, MappingNode):
                self._fault(node, path, "'<<' takes a mapping or a list of mappings.")
                continue
            merged = {**(self._unplaced(source, path) or {}), **merged}
        return merged

    def _unplaced(self, node: Node, path: Path) -> Any:
        """Build a value whose places must not hide those already known at its path."""
        before = dict(self._document.places)
        value = self._value(node, path)
        self._document.places.update(before)
        return value

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        text = _joined(node.value)
        self._check_text(text, node, path)
        if node.style or node.tag == f"{_TAG}str":
            return text
        if text in _NOTHING:
            return None
        return _WORDS[text] if text in _WORDS else self._number(node, path, text)

    def _number(self, node: ScalarNode, path: Path, text: str) -> Any:
        """Read a number, or else a word."""
        if _WHOLE.fullmatch(text):
            base = 0 if text.startswith(("0o", "0x")) else 10
            value = int(text, base) if len(text) < 40 else MAX_WHOLE + 1
            if abs(value) <= MAX_WHOLE:
                return value
            limit = f"a whole number must be at most {MAX_WHOLE} in size."
            return self._unread(node, path, limit)
        if not _DECIMAL.fullmatch(text) and not _NOT_FINITE.fullmatch(text):
            return text
        decimal = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        if math.isfinite(decimal):
            return decimal
        return self._unread(node, path, f"a number must be finite, but got {text[:40]}.")

    def _unread(self, node: Node, path: Path, message: str) -> None:
        self._fault(node, path, message)
        self._document.unread.add(path)

    def _check_text(self, text: str, node: ScalarNode, path: Path) -> None:
        found = UNPRINTABLE.search(text)
        if found:
            self._fault(node, path[:-1], f"text may not hold the character {found[0]!r}.")

    def _place(self, path: Path, node: Node) -> None:
        line = int(node.start_mark.line)
        place = Place(self._document.file, line + 1, source_line(self._lines, line))
        self._document.places[path] = place

    def _fault(self, node: Node, path: Path, message: str) -> None:
        line = int(node.start_mark.line)
        source = source_line(self._lines, line)
        fault = Fault(self._document.file, line + 1, path_text(path), message, source)
        self._document.faults.append(fault)


def _joined(text: str) -> str:
    """Join the surrogate pairs by which JSON escapes what lies beyond 16 bits, such as emoji."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
