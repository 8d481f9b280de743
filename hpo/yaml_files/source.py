"""Reads a YAML file: in goes a path, out come plain data and the place of every path in it."""

from __future__ import annotations

import warnings
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node

from hpo.errors import Fault, FileFaults
from hpo.yaml_files.document import UNPRINTABLE, Document, Place, source_line
from hpo.yaml_files.syntax import explain
from hpo.yaml_files.values import Builder

__all__ = ["Document", "Place", "parse", "parse_value", "read"]

MAX_BYTES = 256 * 1024  # ruamel.yaml reads about 100 KiB a second


def read(path: FilePath) -> Document:
    """Read a YAML file whose top is a mapping.

    Faults of the text are in the result's ``faults``, so that a caller can add its own to them.

    Raises:
        FileFaults: If the file cannot be read at all: missing, a folder, too large, no UTF-8.
    """
    name = str(path)
    try:
        size = path.stat().st_size
        if path.is_file() and size > MAX_BYTES:
            raise _no_file(name, f"has {size} bytes; at most {MAX_BYTES} are read.")
        raw = path.read_bytes()
    except OSError as error:
        raise _no_file(name, f"cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise _no_file(name, f"cannot be read: {error}.") from None
    return parse(name, _decode(name, raw))


def parse(name: str, text: str) -> Document:
    """Read YAML text whose top is a mapping; ``name`` stands in the faults."""
    lines = text.replace("\r\n", "\n").split("\n")
    document = Document(name, places={(): Place(name, 0)})
    node = _compose(document, text, lines)
    if document.faults:
        return document
    if node is None:
        document.add(((), "is empty."))
        return document
    if not isinstance(node, MappingNode):
        document.add(((), "must be a mapping of names to values."))
        return document
    document.data = Builder(document, lines).build(node)
    return document


def parse_value(text: str) -> Any:
    """Read one value as a study file would, e.g. for ``--set key=value``.

    Raises:
        ValueError: If the text is no YAML value; the message says why.
    """
    document = parse("", f"value: {text}" if "\n" not in text else "value: [")
    if document.faults:
        raise ValueError(document.faults[0].message)
    if document.data.keys() != {"value"}:
        raise ValueError("is more than one value.")
    return document.data["value"]


def _no_file(name: str, message: str) -> FileFaults:
    return FileFaults([Fault(name, 0, "", message)])


def _decode(name: str, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"must be UTF-8 text, but byte {raw[error.start]:#04x} is not."
        raise FileFaults([Fault(name, line, "", message)]) from None


def _compose(document: Document, text: str, lines: list[str]) -> Node | None:
    unprintable = UNPRINTABLE.search(text)
    if unprintable:
        line = text.count("\n", 0, unprintable.start())
        _note(document, line, lines, f"the character {unprintable[0]!r} cannot stand in YAML.")
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an anchor used twice: YAML 1.2 allows it
            node: Node | None = YAML(typ="rt", pure=True).compose(text)
    except MarkedYAMLError as error:
        line, message = explain(error)
        _note(document, line, lines, message)
        return None
    except RecursionError:
        _note(document, 0, lines, "is nested too deeply.")
        return None
    except (YAMLError, ValueError, AttributeError, TypeError, IndexError, KeyError) as error:
        # ruamel.yaml fails on some malformed texts with Python's own errors.
        _note(
            document, 0, lines, f"is not YAML: {str(error).splitlines()[0] if str(error) else ''}"
        )
        return None
    return node


def _note(document: Document, line: int, lines: list[str], message: str) -> None:
    document.faults.append(Fault(document.file, line + 1, "", message, source_line(lines, line)))
