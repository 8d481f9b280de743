"""The tables of a database, Optuna's and ours, and how a database's URL may be shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.storages._rdb import models  # Optuna makes its tables only in a constructor
from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from hpo.databases.tables import METADATA, SCHEMA, SCHEMA_VERSION
from hpo.errors import StorageError

OPTUNA_REVISION = "v3.2.0.a"  # of the tables, in the words of Optuna 5's migrations
_ALEMBIC = Table(  # as alembic makes it
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
_CREATION_LOCK = 5_170_266  # any number, the same in every process: PostgreSQL's advisory lock


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
def creation_lock(connection: Connection) -> Iterator[None]:
    """Let one process at a time make the tables: those who collide there crash."""
    if connection.dialect.name != "postgresql":
        yield
        return
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _CREATION_LOCK})
    try:
        yield
    finally:
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _CREATION_LOCK})


def create_tables(engine: Engine) -> None:
    """Make Optuna's tables and ours where they are missing."""
    is_new = not inspect(engine).has_table("studies")
    models.BaseModel.metadata.create_all(engine)
    with engine.begin() as connection:
        if is_new:
            _mark_revision(connection)
        if schema_version(connection) is None:
            METADATA.create_all(connection)
            connection.execute(SCHEMA.insert().values(version=SCHEMA_VERSION))


def schema_version(connection: Connection) -> int | None:
    """The version of our tables in a database; None where there are none."""
    if not inspect(connection).has_table(SCHEMA.name):
        return None
    return connection.execute(select(SCHEMA.c.version)).scalar()


def require_optuna(connection: Connection, url: URL) -> None:
    """Refuse a database that is not Optuna's.

    Raises:
        StorageError: It is not.
    """
    tables = set(inspect(connection).get_table_names())
    if {"studies", "trials", "version_info"} <= tables:
        return
    found = "holds no studies yet" if not tables else "is not an Optuna database"
    raise StorageError(f"{mask_password(str(url))}: this database {found}.")


def has_current_schema(engine: Engine) -> bool:
    """Whether Optuna's tables are of the revision that Optuna 5 makes, and marked so."""
    with engine.connect() as connection:
        if not inspect(connection).has_table(_ALEMBIC.name):
            return False
        return connection.scalars(select(_ALEMBIC.c.version_num)).all() == [OPTUNA_REVISION]


def _mark_revision(connection: Connection) -> None:
    """Mark new tables as Optuna's constructor does, without alembic, half a second to import."""
    version_info = {
        "version_info_id": 1,
        "schema_version": models.SCHEMA_VERSION,
        "library_version": optuna.__version__,
    }
    connection.execute(insert(models.VersionInfoModel.__table__).values(version_info))
    _ALEMBIC.create(connection)
    connection.execute(insert(_ALEMBIC).values(version_num=OPTUNA_REVISION))
