"""Options that several commands share, and the order of precedence of the storage."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hpo.errors import UserError

if TYPE_CHECKING:
    from hpo.databases.storage import Storage

DEFAULT_STORAGE = "sqlite:///hpo.db"
STORAGE_VARIABLE, STORAGE_FILE_VARIABLE = "HPO_STORAGE", "HPO_STORAGE_FILE"

Command = TypeVar("Command", bound=Callable[..., Any])
_opened: list[str] = []


def storage_option(command: Command) -> Command:
    """`--storage URL`."""
    return click.option(
        "--storage",
        metavar="URL",
        help=f"The database. [env: {STORAGE_VARIABLE}, or a file that holds it: "
        f"{STORAGE_FILE_VARIABLE}; default: {DEFAULT_STORAGE}]",
    )(command)


def format_option(command: Command) -> Command:
    """`--format table|json|csv`."""
    return click.option(
        "--format",
        "style",
        type=click.Choice(["table", "json", "csv"]),
        default="table",
        show_default=True,
        help="How rows are printed.",
    )(command)


def storage_url(given: str | None) -> str:
    """The storage's URL: the option, else the variable, else the file it names, else the default.

    Raises:
        UserError: The file that `HPO_STORAGE_FILE` names cannot be read.
    """
    if given:
        return given
    if os.environ.get(STORAGE_VARIABLE):
        return os.environ[STORAGE_VARIABLE]
    named = os.environ.get(STORAGE_FILE_VARIABLE)
    if not named:
        return DEFAULT_STORAGE
    try:
        return Path(named).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{STORAGE_FILE_VARIABLE} names {named}, which cannot be read: {error}"
        ) from None


@contextmanager
def opened(url: str | None, *, create: bool = False, read_only: bool = True) -> Iterator[Storage]:
    """The storage of a command, closed at its end."""
    from hpo.databases.storage import open_storage

    _opened.append(storage_url(url))
    storage = open_storage(_opened[-1], create=create, read_only=read_only)
    try:
        yield storage
    finally:
        storage.close()


def last_storage() -> str:
    """The URL that was opened last, for an error that comes up later."""
    return _opened[-1] if _opened else DEFAULT_STORAGE
