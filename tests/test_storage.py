from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from sqlalchemy import text

from hpo.databases.database_schema import OPTUNA_REVISION
from hpo.databases.storage import mask_password, open_storage
from hpo.databases.tables import SCHEMA_VERSION
from hpo.errors import MissingPackage, StorageError


def test_opening_without_create_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="There is no database .*hpo.db"):
        open_storage(f"sqlite:///{tmp_path}/hpo.db")
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_is_an_optuna_database_in_write_ahead_mode(sqlite_url: str) -> None:
    storage = open_storage(sqlite_url, create=True)
    with storage.engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 1
    storage.close()
    stock = optuna.create_study(storage=sqlite_url, study_name="stock")
    assert stock.study_name == "stock"


def test_an_existing_optuna_file_gets_our_tables_and_keeps_its_studies(sqlite_url: str) -> None:
    optuna.create_study(storage=sqlite_url, study_name="before")
    storage = open_storage(sqlite_url)
    assert storage.version is None
    storage.close()
    storage = open_storage(sqlite_url, create=True)
    assert storage.version == SCHEMA_VERSION
    assert [s.study_name for s in storage.optuna.get_all_studies()] == ["before"]
    storage.close()


def test_opening_a_file_twice_in_one_process_hides_nothing_that_others_write(
    sqlite_url: str,
) -> None:
    storage = open_storage(sqlite_url, create=True)
    assert storage.optuna.get_all_studies() == []
    open_storage(sqlite_url, read_only=True).close()
    program = (
        "from hpo.databases.storage import open_storage; from optuna.study import StudyDirection;"
        f"storage = open_storage({sqlite_url!r});"
        "storage.optuna.create_new_study([StudyDirection.MINIMIZE], 'new'); storage.close()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert [study.study_name for study in storage.optuna.get_all_studies()] == ["new"]
    storage.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("hpo.db", "must be a URL such as sqlite:///hpo.db, but got 'hpo.db'. Did you mean"),
        ("sqlite://", "must be a file"),
        ("sqlite:///{folder}/hpo?.db", "A `?` in a file's name is written %3F"),
        ("sqlite:///hpo.db?mode=ro&uri=true", "without options"),
        ("sqlite:///file::memory:?cache=shared", "without options"),
        ("sqlite:///a\0b.db", "'a\\x00b.db' cannot be the name of a database's file"),
        ("sqlite:///a\udcffb.db", "'a\\udcffb.db' cannot be the name of a database's file"),
        ("sqlite:///{folder}", "is a folder"),
        ("sqlite:///{folder}/no/hpo.db", "There is no folder"),
        ("sqlite:///{folder}/text.db", "is not an SQLite database"),
        ("sqlite:///{folder}/other.db", "is not an Optuna database"),
        ("postgresql://u:secret@127.0.0.1:9/x", "Connection refused"),
        (
            "mysql://u:secret@127.0.0.1/x",
            "an SQLite or a PostgreSQL database, but got mysql",
        ),
    ],
)
def test_a_storage_that_cannot_be_used_is_refused_in_one_sentence(
    tmp_path: Path, url: str, said: str
) -> None:
    (tmp_path / "text.db").write_text("hello")
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE cats (name)")
    connection.close()
    with pytest.raises(StorageError) as error:
        open_storage(url.format(folder=tmp_path), create=True)
    assert said in str(error.value)
    assert "secret" not in str(error.value)


def test_a_missing_driver_is_named_with_its_command() -> None:
    with pytest.raises(MissingPackage, match="pip install psycopg2"):
        open_storage("postgresql+psycopg2://u:secret@127.0.0.1/x")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:secret@host/db",
        "postgresql+psycopg://host/db?user=me&password=secret",
        "not a url with secret",
    ],
)
def test_passwords_never_show(url: str) -> None:
    assert "secret" not in mask_password(url)


def test_a_read_only_storage_cannot_write(storage_url: str) -> None:
    open_storage(storage_url, create=True).close()
    storage = open_storage(storage_url, read_only=True)
    with pytest.raises(optuna.exceptions.StorageInternalError):
        storage.optuna.create_new_study([optuna.study.StudyDirection.MINIMIZE], "no")
    storage.close()


def test_new_tables_are_marked_as_optuna_marks_them(tmp_path: Path, sqlite_url: str) -> None:
    open_storage(sqlite_url, create=True).close()
    stock = optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/stock.db")
    stock.engine.dispose()
    assert stock.get_head_version() == OPTUNA_REVISION
    marks = {}
    for name in ("hpo.db", "stock.db"):
        with contextlib.closing(sqlite3.connect(tmp_path / name)) as connection:
            tables = "SELECT sql FROM sqlite_master WHERE name = 'alembic_version'"
            (made,) = connection.execute(tables).fetchone()
            rows = [
                connection.execute(f"SELECT * FROM {table}").fetchall()
                for table in ("version_info", "alembic_version")
            ]
            marks[name] = ("".join(made.split()), rows)
    assert marks["hpo.db"] == marks["stock.db"]


def test_opening_does_not_import_alembic(sqlite_url: str) -> None:
    code = (
        "import sys; from hpo.databases.storage import open_storage\n"
        f"for create in (True, False): open_storage({sqlite_url!r}, create=create).close()\n"
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tables_of_another_revision_are_refused(tmp_path: Path, sqlite_url: str) -> None:
    open_storage(sqlite_url, create=True).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "hpo.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v2.6.0.a'")
    with pytest.raises(StorageError, match="optuna storage upgrade"):
        open_storage(sqlite_url)


def test_after_a_checkpoint_copying_the_file_is_complete(tmp_path: Path, sqlite_url: str) -> None:
    storage = open_storage(sqlite_url, create=True)
    storage.optuna.create_new_study([optuna.study.StudyDirection.MINIMIZE], "kept")
    storage.checkpoint()
    copy = tmp_path / "copy.db"
    copy.write_bytes((tmp_path / "hpo.db").read_bytes())
    storage.close()
    copied = open_storage(f"sqlite:///{copy}", read_only=True)
    assert [study.study_name for study in copied.optuna.get_all_studies()] == ["kept"]
    copied.close()
