"""Options that several commands share, and the order of precedence of the storage."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hpo.databases.urls import (
    DEFAULT_STORAGE,
    STORAGE_FILE_VARIABLE,
    STORAGE_VARIABLE,
    storage_url,
)

if TYPE_CHECKING:
    from hpo.databases.storage import Storage
    from hpo.ledger.stored_study import StoredStudy
    from hpo.reporting.analysis import Analysis

Command = TypeVar("Command", bound=Callable[..., Any])


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


def opened(
    url: str | None, *, create: bool = False, read_only: bool = True
) -> AbstractContextManager[Storage]:
    """The storage of a command, closed at its end."""
    from hpo.databases import storage

    return storage.opened(storage_url(url), create=create, read_only=read_only)


def analyzed(database: Storage, study: str) -> tuple[StoredStudy, Analysis]:
    """A study of a database, and what its data says.

    Raises:
        UserError: There is no such study.
    """
    from hpo.ledger.stored_study import require_stored
    from hpo.reporting.analysis import analyze
    from hpo.stored_record import read_stored

    stored = require_stored(database, study)
    return stored, analyze(read_stored(stored))
