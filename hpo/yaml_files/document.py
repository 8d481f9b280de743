"""Plain data from a file, with the place of every path in it, and the faults found so far."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from hpo.errors import Fault
from hpo.yaml_files.faults import Finding, Path, path_text

UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_LONGEST_LINE = 160  # characters of source shown under a fault


@dataclass(frozen=True)
class Place:
    """Where a value was written: file, 1-based line (0 for none) and the line itself."""

    file: str
    line: int
    source: str = ""


@dataclass
class Document:
    """Plain data with the place of every path in it.

    Attributes:
        file: The file as the user named it.
        data: Mappings, lists and scalars; empty when the text could not be read at all.
        places: Path -> where it was written.
        faults: What is wrong with the text itself (syntax, duplicate keys, numbers).
        unread: Paths whose value could not be read; nothing more is said of them.
    """

    file: str
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Path, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    unread: set[Path] = field(default_factory=set)

    def fault(self, path: Path, message: str) -> Fault:
        """Make a fault at a path; the nearest written parent gives the line."""
        for end in range(len(path), -1, -1):
            place = self.places.get(path[:end])
            if place:
                return Fault(place.file, place.line, path_text(path), message, place.source)
        return Fault(self.file, 0, path_text(path), message)

    def add(self, *findings: Finding) -> None:
        """Note faults found in the data."""
        for path, message in findings:
            if not any(path[: len(unread)] == unread for unread in self.unread):
                self.faults.append(self.fault(path, message))

    def put(self, path: Path, value: Any, place: Place) -> None:
        """Set a value from elsewhere (``--set``) and remember where it came from."""
        target: Any = self.data
        for end, part in enumerate(path[:-1], start=1):
            if not isinstance(target.get(part), dict):
                target[part] = {}
                self.places[path[:end]] = place
            target = target[part]
        target[path[-1]] = value
        for known in [known for known in self.places if known[: len(path)] == path]:
            del self.places[known]
        self.places[path] = place


def source_line(lines: list[str], line: int) -> str:
    """Give a line of source to show; ruamel.yaml may count more lines than there are."""
    text = UNPRINTABLE.sub("?", lines[line]) if line < len(lines) else ""
    return text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}..."
