"""An SQLite file: checked, made whole in one step, and opened so that processes may share it."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Engine, event

from hpo.databases.atomic_storage import SQLITE_TIMEOUT_S
from hpo.databases.database_schema import create_tables
from hpo.errors import StorageError


def path_of(url: URL, text: str) -> Path:
    """The file that an SQLite URL names.

    Args:
        url: The URL as SQLAlchemy reads it.
        text: The URL as it was written.

    Raises:
        StorageError: It names none, or has options.
    """
    if not url.database or url.database == ":memory:":
        raise StorageError(
            "A study's database must be a file, because several processes share it, but got "
            f"{text}. Did you mean sqlite:///hpo.db?"
        )
    if "?" in text:
        raise StorageError(
            f"An SQLite storage is a file without options, but got {text}. A `?` in a file's name "
            "is written %3F."
        )
    if "\x00" in url.database or not _is_utf_8(url.database):
        raise StorageError(f"{url.database!a} cannot be the name of a database's file.")
    return Path(url.database)


def _is_utf_8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a name of bytes that are no text
        return False
    return True


def check_file(path: Path, *, create: bool, read_only: bool) -> None:
    """Refuse a path that is not, and cannot become, an SQLite file.

    Raises:
        StorageError: It is a folder, is missing, cannot be read or, where it must, written, or
            holds something else.
    """
    if path.is_dir():
        raise StorageError(f"{path} is a folder, not a database.")
    if not path.exists():
        if not create:
            raise StorageError(f"There is no database {path}. `hpo run` makes one.")
        if not path.parent.is_dir():
            raise StorageError(f"There is no folder {path.parent} to make the database {path} in.")
        return
    if not os.access(path, os.R_OK):
        raise StorageError(f"{path} cannot be read: Permission denied.")
    if not _is_sqlite(path):
        raise StorageError(f"{path} is not an SQLite database.")
    for place in () if read_only else (path, path.parent):
        if not os.access(place, os.W_OK):
            raise StorageError(f"{path} cannot be written: {place} is read-only.")


def _is_sqlite(path: Path) -> bool:
    """Whether SQLite takes the file for a database; an empty one is.

    SQLite itself must look: closing a file drops every lock that the process holds on it, those of
    its open connections too, and another process would take the write-ahead log away under them.
    """
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        ) as connection:
            connection.execute("PRAGMA schema_version")
    except sqlite3.OperationalError:  # it cannot look here; whoever opens the file will say why
        return True
    except sqlite3.DatabaseError:
        return False
    return True


def make_file(path: Path) -> None:
    """Make a complete database aside and link it into place: whoever comes first has made it."""
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
            aside = Path(folder) / path.name
            url = URL.create("sqlite", database=str(aside))
            engine = make_engine(url, read_only=False)
            create_tables(engine)
            engine.dispose()
            _link_into_place(aside, path)
    except OSError as error:
        raise StorageError(f"{path} cannot be made: {error.strerror}.") from None


def _link_into_place(aside: Path, path: Path) -> None:
    with sqlite3.connect(aside) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    if path.exists() and path.stat().st_size == 0:
        aside.replace(path)
        return
    try:
        os.link(aside, path)
    except FileExistsError:
        return


def make_engine(url: URL, *, read_only: bool) -> Engine:
    """An engine on an SQLite file."""
    engine = sqlalchemy.create_engine(url, connect_args={"timeout": SQLITE_TIMEOUT_S})
    set_pragmas(engine, read_only=read_only)
    return engine


def set_pragmas(engine: Engine, *, read_only: bool) -> None:
    """Let every connection of an engine write through a write-ahead log.

    One writer then never blocks readers. NORMAL loses no committed trial when a process dies; a
    power cut may lose the last ones, whose points are then free again.
    """

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, record: Any) -> None:  # noqa: ARG001
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")


def read_only_url(path: Path) -> URL:
    """The URL that opens a file for reading only.

    Raises:
        StorageError: The file has a write-ahead log that cannot be read here.
    """
    query: Mapping[str, str] = {"mode": "ro", "uri": "true"}
    # A write-ahead log needs write access to the folder even to be read. Without one the file
    # is complete and nobody can be writing to it, so it may be read as it lies.
    if not os.access(path.parent, os.W_OK):
        if Path(f"{path}-wal").exists() and not Path(f"{path}-shm").exists():
            raise StorageError(
                f"{path} has a write-ahead log, which needs write access to {path.parent} to be "
                "read. Open it once where the folder can be written."
            )
        if not Path(f"{path}-wal").exists():
            query = {"immutable": "1", "uri": "true"}
    # SQLite reads this as a URI: what `#`, `?` and `%41` would mean there they do not mean here.
    return URL.create("sqlite", database=path.absolute().as_uri(), query=query)
