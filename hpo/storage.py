"""The only opener of databases: a URL in, Optuna's storage and our tables on one engine out."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import get_storage
from optuna.storages._rdb import models  # the schema itself: a result and its point are one write
from sqlalchemy import URL, Engine, event, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from hpo.atomic_storage import SQLITE_TIMEOUT_S, AtomicStorage, PatientStorage
from hpo.errors import MissingPackage, StorageError
from hpo.tables import CURVES, METADATA, SCHEMA, SCHEMA_VERSION

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

_CREATION_LOCK = 5_170_266  # any number, the same in every process: PostgreSQL's advisory lock
_SQLITE_MAGIC = b"SQLite format 3\x00"
_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_EXTRAS = {"psycopg": "'hpo-service[postgres]'", "pymysql": "pymysql"}


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
    def has_our_tables(self) -> bool:
        """Whether any study of ours was ever stored here."""
        return inspect(self.engine).has_table(SCHEMA.name)

    def load_curves(
        self, plan_id: str, numbers: Iterable[int] | None = None
    ) -> dict[int, dict[str, Any]]:
        """Learning curves by trial number; of all trials of the plan when `numbers` is None."""
        if not self.has_our_tables:
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

    @staticmethod
    def write_attributes(
        connection: sqlalchemy.Connection, trial_id: int, attributes: Mapping[str, Any]
    ) -> None:
        """Set user attributes of a trial within a transaction of ours."""
        if not attributes:
            return
        table = models.TrialUserAttributeModel.__table__
        same = (table.c.trial_id == trial_id) & table.c.key.in_(list(attributes))
        connection.execute(table.delete().where(same))
        rows = [
            {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
            for key, value in attributes.items()
        ]
        connection.execute(table.insert(), rows)

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
    """Open a database.

    Args:
        url: An SQLAlchemy URL, e.g. ``sqlite:///hpo.db`` or ``postgresql+psycopg://...``.
        create: Make the database's tables (and an SQLite file) where they are missing.
        read_only: Promise to write nothing; SQLite holds us to it.

    Raises:
        StorageError: The database is missing, unreadable, not Optuna's, or of another schema.
        MissingPackage: The database's driver is not installed.
    """
    parsed = _parse(url)
    with storage_errors(url):
        if parsed.get_backend_name() == "sqlite":
            return _open_sqlite(parsed, create=create, read_only=read_only)
        return _open_server(parsed, create=create, read_only=read_only)


def mask_password(url: str) -> str:
    """The URL as it may be shown."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return "<a storage URL that cannot be read>"
    secret = {"password", "sslpassword", "passwd"}
    query = {key: "***" if key.lower() in secret else value for key, value in parsed.query.items()}
    return parsed.set(query=query).render_as_string(hide_password=True)


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
    return parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))


def _open_server(url: URL, *, create: bool, read_only: bool) -> Storage:
    kwargs: dict[str, Any] = {"pool_pre_ping": True}
    engine = _server_engine(url, kwargs)
    try:
        with engine.connect() as connection:
            if create:
                with _creation_lock(connection):
                    _create_tables(engine)
                    return Storage(url, _server_backend(url, kwargs), read_only=read_only)
            _require_optuna(connection, url)
    finally:
        engine.dispose()
    return Storage(url, _server_backend(url, kwargs), read_only=read_only)


def _server_engine(url: URL, kwargs: dict[str, Any]) -> Engine:
    try:
        return sqlalchemy.create_engine(url, **kwargs)
    except ModuleNotFoundError as error:
        package = _EXTRAS.get(str(error.name), str(error.name))
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


@contextmanager
def _creation_lock(connection: sqlalchemy.Connection) -> Iterator[None]:
    """Let one process at a time make the tables: those who collide there crash."""
    if connection.dialect.name != "postgresql":
        yield
        return
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _CREATION_LOCK})
    try:
        yield
    finally:
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _CREATION_LOCK})


def _create_tables(engine: Engine) -> None:
    models.BaseModel.metadata.create_all(engine)
    with engine.begin() as connection:
        METADATA.create_all(connection)
        version = connection.execute(select(SCHEMA.c.version)).scalar()
        if version is None:
            connection.execute(SCHEMA.insert().values(version=SCHEMA_VERSION))
        elif version != SCHEMA_VERSION:
            raise StorageError(
                f"{engine.url}: the tables of hpo have version {version}, "
                f"but this release reads version {SCHEMA_VERSION}."
            )


def _require_optuna(connection: sqlalchemy.Connection, url: URL) -> None:
    tables = set(inspect(connection).get_table_names())
    if {"studies", "trials", "version_info"} <= tables:
        return
    found = "holds no studies yet" if not tables else "is not an Optuna database"
    raise StorageError(f"{mask_password(str(url))}: this database {found}.")


def _open_sqlite(url: URL, *, create: bool, read_only: bool) -> Storage:
    if not url.database or url.database == ":memory:":
        raise StorageError(
            "A study's database must be a file, because several processes share it, but got "
            f"{url}. Did you mean sqlite:///hpo.db?"
        )
    path = Path(url.database.removeprefix("file:"))
    _check_sqlite_file(path, create=create)
    if not path.exists() or path.stat().st_size == 0:
        _make_sqlite(path)
    opened = _read_only_url(path) if read_only else url
    shown = url.render_as_string(hide_password=False)
    engine = _sqlite_engine(opened, read_only=read_only)
    try:
        with engine.connect() as connection:
            _require_optuna(connection, url)
            is_ours = inspect(connection).has_table(SCHEMA.name)
        if create and not is_ours:
            _create_tables(engine)
    finally:
        engine.dispose()
    kwargs = {"connect_args": {"timeout": SQLITE_TIMEOUT_S}}
    backend = _backend(AtomicStorage, opened.render_as_string(hide_password=False), kwargs)
    _set_pragmas(backend.engine, read_only=read_only)
    backend.engine.dispose()
    storage = Storage(url, backend, read_only=read_only)
    storage.name = shown
    return storage


def _check_sqlite_file(path: Path, *, create: bool) -> None:
    if path.is_dir():
        raise StorageError(f"{path} is a folder, not a database.")
    if not path.exists():
        if not create:
            raise StorageError(f"There is no database {path}. `hpo run` makes one.")
        if not path.parent.is_dir():
            raise StorageError(f"There is no folder {path.parent} to make the database {path} in.")
        return
    try:
        with path.open("rb") as file:
            start = file.read(len(_SQLITE_MAGIC))
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}.") from None
    if start and start != _SQLITE_MAGIC:
        raise StorageError(f"{path} is not an SQLite database.")


def _make_sqlite(path: Path) -> None:
    """Make a complete database aside and link it into place: whoever comes first has made it."""
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
            aside = Path(folder) / path.name
            url = URL.create("sqlite", database=str(aside))
            engine = _sqlite_engine(url, read_only=False)
            _create_tables(engine)
            engine.dispose()
            AtomicStorage(url.render_as_string(), {}).engine.dispose()
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


def _sqlite_engine(url: URL, *, read_only: bool) -> Engine:
    engine = sqlalchemy.create_engine(url, connect_args={"timeout": SQLITE_TIMEOUT_S})
    _set_pragmas(engine, read_only=read_only)
    return engine


def _set_pragmas(engine: Engine, *, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, record: Any) -> None:  # noqa: ARG001
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")


def _read_only_url(path: Path) -> URL:
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
    return URL.create("sqlite", database=f"file:{path}", query=query)
