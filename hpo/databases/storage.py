"""The only opener of databases: a URL in, Optuna's storage and our tables on one engine out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import get_storage
from sqlalchemy import URL, Engine, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from hpo.databases import sqlite_file, version_1
from hpo.databases.atomic_storage import SQLITE_TIMEOUT_S, AtomicStorage, PatientStorage
from hpo.databases.database_schema import (
    create_tables,
    creation_lock,
    mask_password,
    require_optuna,
    schema_version,
)
from hpo.databases.tables import CURVES, SCHEMA, SCHEMA_VERSION
from hpo.errors import MissingPackage, StorageError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

__all__ = ["Storage", "mask_password", "open_storage", "opened", "storage_errors"]

_POSTGRESQL = ("postgres", "postgresql")
_BACKENDS = ("sqlite", "postgresql")


class Storage:
    """An open database.

    Attributes:
        url: The URL that workers open, password included: never print it, print `name`.
        backend: Optuna's storage without its cache; carries our statements along.
        optuna: Optuna's cached storage, for `optuna.load_study` and `optuna.Study`.
        engine: SQLAlchemy's engine below both.
        read_only: Whether nothing may be written through it.
    """

    def __init__(self, url: URL, backend: AtomicStorage, *, read_only: bool) -> None:
        self.url = url.render_as_string(hide_password=False)
        self.name = mask_password(self.url)
        self.backend = backend
        self.optuna: BaseStorage = get_storage(backend)
        self.engine: Engine = backend.engine
        self.read_only = read_only

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file of this host."""
        return self.engine.dialect.name == "sqlite"

    @property
    def version(self) -> int | None:
        """The version of our tables, None where there are none; 1 only where nothing is written."""
        with self.engine.connect() as connection:
            return schema_version(connection)

    def load_curves(
        self, plan_id: str, numbers: Iterable[int] | None = None
    ) -> dict[int, dict[str, Any]]:
        """Learning curves by trial number; of all trials of the plan when `numbers` is None."""
        if self.version is None:
            return {}
        query = select(CURVES.c.trial_number, CURVES.c.curves).where(CURVES.c.plan_id == plan_id)
        wanted = None if numbers is None else set(numbers)
        with self.engine.connect() as connection:
            rows = connection.execute(query).all()
        return {n: json.loads(curves) for n, curves in rows if wanted is None or n in wanted}

    @contextmanager
    def write(self) -> Iterator[sqlalchemy.Connection]:
        """A transaction that holds SQLite's write lock from its beginning."""
        with self.backend.state_change(), self.engine.begin() as connection:
            yield connection

    def checkpoint(self) -> None:
        """Move SQLite's write-ahead log into the file, so that copying the file is complete."""
        if self.is_sqlite and not self.read_only:
            with self.engine.connect() as connection:
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))

    def close(self) -> None:
        """Release every connection."""
        self.backend.scoped_session.remove()
        self.engine.dispose()


def open_storage(url: str, *, create: bool = False, read_only: bool = False) -> Storage:
    """Open a database; one of an older version is brought to ours, unless it is only read.

    Args:
        url: An SQLAlchemy URL, e.g. ``sqlite:///hpo.db`` or ``postgresql+psycopg://...``.
        create: Make the database's tables (and an SQLite file) where they are missing.
        read_only: Promise to write nothing; SQLite and PostgreSQL hold us to it.

    Raises:
        StorageError: The database is missing, unreadable, not Optuna's, or of another schema; or
            workers of an older release are at work in it.
        MissingPackage: The database's driver is not installed.
    """
    parsed = _parse(url)
    with storage_errors(url):
        if parsed.get_backend_name() == "sqlite":
            path = sqlite_file.path_of(parsed, url)
            storage = _open_sqlite(parsed, path, create=create, read_only=read_only)
        else:
            storage = _open_server(parsed, create=create, read_only=read_only)
        try:
            _settle_version(storage)
        except BaseException:
            storage.close()
            raise
        return storage


def _settle_version(storage: Storage) -> None:
    version = storage.version
    if version is not None and version > SCHEMA_VERSION:
        raise StorageError(
            f"{storage.name} was written by a newer release of hpo: its tables have version "
            f"{version}, and this release knows version {SCHEMA_VERSION}. Upgrade hpo."
        )
    if version is None or version == SCHEMA_VERSION or storage.read_only:
        return
    with storage.write() as connection:  # the first of several processes does it
        found = select(SCHEMA.c.version).with_for_update()
        if connection.execute(found).scalar_one() < SCHEMA_VERSION:
            version_1.migrate(connection)


@contextmanager
def opened(url: str, *, create: bool = False, read_only: bool = True) -> Iterator[Storage]:
    """Open a database for a while, as `open_storage` does; what it raises names the database."""
    with storage_errors(url):
        storage = open_storage(url, create=create, read_only=read_only)
        try:
            yield storage
        finally:
            storage.close()


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turn what a database raises into one message that names it, without its password."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise StorageError(f"{mask_password(url)}: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    if isinstance(error, StorageInternalError) and error.__cause__ is not None:
        error = error.__cause__
    original = getattr(error, "orig", None)
    lines = str(original or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        hint = f" Did you mean 'sqlite:///{url}'?" if "://" not in url else ""
        shown = mask_password(url) if "://" in url else repr(url)
        raise StorageError(
            f"A storage must be a URL such as sqlite:///hpo.db, but got {shown}.{hint}"
        ) from None
    if parsed.drivername in _POSTGRESQL:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in _BACKENDS:
        raise StorageError(
            f"A storage must be an SQLite or a PostgreSQL database, but got {mask_password(url)}."
        )
    return parsed


def _open_server(url: URL, *, create: bool, read_only: bool) -> Storage:
    kwargs: dict[str, Any] = {"pool_pre_ping": True}
    if read_only and url.get_backend_name() == "postgresql":
        kwargs["connect_args"] = {"options": "-c default_transaction_read_only=on"}
    engine = _server_engine(url, kwargs)
    try:
        with engine.connect() as connection:
            if create:
                with creation_lock(connection):
                    create_tables(engine)
                    return Storage(url, _server_backend(url, kwargs), read_only=read_only)
            require_optuna(connection, url)
    finally:
        engine.dispose()
    return Storage(url, _server_backend(url, kwargs), read_only=read_only)


def _server_engine(url: URL, kwargs: dict[str, Any]) -> Engine:
    try:
        return sqlalchemy.create_engine(url, **kwargs)
    except ModuleNotFoundError as error:
        package = "'hpo-service[postgres]'" if error.name == "psycopg" else error.name
        raise MissingPackage(
            f"{mask_password(str(url))} needs the package {error.name}: pip install {package}"
        ) from None


def _server_backend(url: URL, kwargs: dict[str, Any]) -> AtomicStorage:
    return _backend(PatientStorage, url.render_as_string(hide_password=False), kwargs)


def _backend(kind: type[AtomicStorage], url: str, kwargs: dict[str, Any]) -> AtomicStorage:
    try:
        return kind(url, kwargs)
    except RuntimeError as error:  # Optuna's word for a schema of another version
        raise StorageError(f"{mask_password(url)}: {error}") from None


def _open_sqlite(url: URL, path: Path, *, create: bool, read_only: bool) -> Storage:
    sqlite_file.check_file(path, create=create, read_only=read_only)
    if not path.exists() or path.stat().st_size == 0:
        sqlite_file.make_file(path)
    opened = sqlite_file.read_only_url(path) if read_only else url
    shown = url.render_as_string(hide_password=False)
    engine = sqlite_file.make_engine(opened, read_only=read_only)
    try:
        with engine.connect() as connection:
            require_optuna(connection, url)
            is_ours = inspect(connection).has_table(SCHEMA.name)
        if create and not is_ours:
            create_tables(engine)
    finally:
        engine.dispose()
    kwargs = {"connect_args": {"timeout": SQLITE_TIMEOUT_S}}
    backend = _backend(AtomicStorage, opened.render_as_string(hide_password=False), kwargs)
    sqlite_file.set_pragmas(backend.engine, read_only=read_only)
    backend.engine.dispose()
    storage = Storage(url, backend, read_only=read_only)
    storage.name = shown
    return storage
