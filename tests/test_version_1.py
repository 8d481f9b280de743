"""A database as release 0.1.0 left it, `tests/version_1.sql`, with every kind of trial."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from optuna.storages._rdb import models
from optuna.trial import TrialState
from sqlalchemy import MetaData, Table, insert, text

import hpo
from hpo.databases import version_1
from hpo.databases.storage import Storage, open_storage
from hpo.databases.tables import POINTS, SCHEMA, SCHEMA_VERSION
from hpo.errors import StorageError
from hpo.ledger.points import Book, Counts
from hpo.ledger.reaper import LEASE_RAN_OUT, reap_expired
from hpo.ledger.stored_study import StoredStudy, list_stored, require_stored
from hpo.stored_record import read_stored
from hpo.study_files.reading import load
from hpo.study_files.study_file import StudyFile

DUMP = (Path(__file__).parent / "version_1.sql").read_text()
SEEDS = [592655746, 1320348624, 387529116, 826533030]
BOOKS = {
    2: Book(0, 1, "DONE", closes_point=True, seed=SEEDS[0]),
    3: Book(1, 1, "RELEASED", seed=SEEDS[1]),
    4: Book(1, 2, "DONE", closes_point=True, seed=SEEDS[1]),
    5: Book(2, 1, "FAILED", closes_point=True, seed=SEEDS[2]),
    6: Book(3, 1, "LOST", seed=SEEDS[3]),
    7: Book(3, 2, None, seed=SEEDS[3]),
}


def load_into_server(url: str, rows: sqlite3.Connection) -> None:
    """Make the same tables with the same rows on a database server."""
    engine = sqlalchemy.create_engine(url)
    models.BaseModel.metadata.create_all(engine)
    with engine.begin() as connection:
        for statement in re.findall(r"CREATE [^;]*\b(?:hpo_|alembic)[^;]*", DUMP):
            connection.execute(text(statement))
    found = MetaData()
    found.reflect(engine)
    with engine.begin() as connection:
        for table in found.sorted_tables:
            copied = rows.execute(f"SELECT * FROM {table.name}")
            names = [column[0] for column in copied.description]
            for row in copied:
                values = dict(zip(names, row, strict=True))
                connection.execute(insert(table).values(values))
        for table in models.BaseModel.metadata.sorted_tables:
            _count_on(connection, table)
    engine.dispose()


def _count_on(connection: sqlalchemy.Connection, table: Table) -> None:
    """Let a table's own numbers go on after those that were copied."""
    (key,) = table.primary_key
    sequence = f"pg_get_serial_sequence('{table.name}', '{key.name}')"
    largest = f"(SELECT max({key.name}) FROM {table.name})"
    if connection.scalar(text(f"SELECT {sequence}")) and connection.scalar(
        text(f"SELECT {largest}")
    ):
        connection.execute(text(f"SELECT setval({sequence}, {largest})"))


@pytest.fixture
def old_url(storage_url: str, tmp_path: Path) -> str:
    """The URL of a database of version 1, on each kind of storage."""
    with contextlib.closing(sqlite3.connect(tmp_path / "hpo.db")) as connection:
        connection.executescript(DUMP)
        if not storage_url.startswith("sqlite"):
            load_into_server(storage_url, connection)
    return storage_url


@contextlib.contextmanager
def opened(url: str, **options: bool) -> Iterator[Storage]:
    storage = open_storage(url, **options)
    try:
        yield storage
    finally:
        storage.close()


def seen(study: StoredStudy) -> Any:
    """All that readers see of a study."""
    return read_stored(study, with_curves=True)


def test_it_is_read_as_it_is(old_url: str) -> None:
    with opened(old_url, read_only=True) as storage:
        studies = {study.name: study for study in list_stored(storage)}
        assert {name: study.is_ours for name, study in studies.items()} == {
            "stock": False,
            "search": True,
            "factors": True,
        }
        record = seen(studies["search"])
        assert studies["search"].ledger.books() == BOOKS
        assert studies["search"].file.method == record.method == "tpe"
        assert (record.version, record.n_planned) == ("0.1.0", 6)
        assert "def objective" in record.objective
        assert [trial.point for trial in record.trials] == [0, 1, 1, 2, 3, 3]
        assert [trial.point for trial in record.warm_starts] == [None, None]
        assert record.trials[0].curves is not None
        (trial,) = seen(studies["factors"]).trials
        assert (trial.point, trial.replicate, trial.seed, trial.fate) == (0, 0, 1, "DONE")
        assert storage.version == 1


def test_writing_brings_it_to_the_new_version_and_changes_nothing_that_is_read(
    old_url: str,
) -> None:
    with opened(old_url, read_only=True) as storage:
        before = [seen(study) for study in list_stored(storage)]
    with opened(old_url) as storage:
        assert storage.version == SCHEMA_VERSION
        assert [seen(study) for study in list_stored(storage)] == before
        assert require_stored(storage, "search").ledger.books() == BOOKS
        study = require_stored(storage, "search").optuna_study()
        assert study.user_attrs.keys() == {"hpo_plan_id", "hpo_method", "hpo_version"}
        assert require_stored(storage, "stock").optuna_study().user_attrs == {"mine": 1}
    with opened(old_url, read_only=True) as storage:
        assert [seen(study) for study in list_stored(storage)] == before


def test_its_studies_go_on(old_url: str) -> None:
    with opened(old_url, create=True) as storage:
        study = require_stored(storage, "search")
        (reaped,) = reap_expired(study.ledger, retries=2)
        assert (reaped.number, reaped.trial_number, reaped.reason) == (3, 7, LEASE_RAN_OUT)
        assert study.optuna_study().trials[7].state == TrialState.FAIL
        assert study.ledger.books()[7].fate == "LOST"
        assert study.ledger.counts() == Counts(free=3, done=2, failed=1)
        trial = study.optuna_study().ask()
        assert 0.0 <= hpo.suggest(trial)["x"] <= 1.0


def test_what_an_objective_wrote_over_its_attributes_is_not_believed(old_url: str) -> None:
    engine = sqlalchemy.create_engine(old_url)
    with engine.begin() as connection:
        attributes = models.TrialUserAttributeModel.__table__
        for key, value in {"point": [1, 2], "attempt": "no"}.items():
            connection.execute(
                attributes.update()
                .where(attributes.c.key == key, attributes.c.trial_id.in_([5, 7, 10]))
                .values(value_json=json.dumps(value))
            )
    engine.dispose()
    with opened(old_url) as storage:
        assert require_stored(storage, "search").ledger.books() == BOOKS


def test_workers_of_the_older_release_keep_it_as_it_is(old_url: str) -> None:
    engine = sqlalchemy.create_engine(old_url)
    with engine.begin() as connection:
        leased = POINTS.update().where(POINTS.c.state == "LEASED")
        connection.execute(leased.values(lease_until=4e9))
    engine.dispose()
    with pytest.raises(StorageError, match="Workers of an older release of hpo, on host, are"):
        open_storage(old_url)
    with opened(old_url, read_only=True) as storage:
        assert storage.version == 1


def test_of_several_processes_one_changes_it(old_url: str) -> None:
    code = (
        "import sys; from hpo.databases.storage import open_storage; sys.stdin.readline()\n"
        f"open_storage({old_url!r}).close()"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) for _ in range(3)
    ]
    for process in started:
        process.communicate(b"go\n")
    assert [process.returncode for process in started] == [0, 0, 0]
    with opened(old_url) as storage:
        assert require_stored(storage, "search").ledger.books() == BOOKS


def test_a_study_file_is_brought_to_the_form_of_today(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        "method: tpe\nn_trials: 3\ndirections: [maximize, minimize]\ntimeout: 30min\n"
        "sampler: {n_startup_trials: 4}\nsearch_space: {x: {low: 0.0, high: 1.0}}\n"
    )
    today = load(tmp_path / "s.yaml")
    then = today.model_dump(mode="json") | {
        "timeout_s": 1800.0,
        "sampler": {"name": "tpe", "arguments": {"n_startup_trials": 4}},
        "pruner": None,
        "metrics": [],
        "target": None,
    }
    del then["timeout"]
    assert StudyFile.model_validate(version_1.study_file(then)) == today
    median = {"name": "median", "arguments": {}}
    patient = {"name": "patient", "arguments": {"patience": 3, "wrapped_pruner": median}}
    pruner = {"patient": {"patience": 3, "wrapped_pruner": "median"}}
    assert version_1.study_file({**then, "pruner": patient})["pruner"] == pruner


def test_a_newer_version_is_refused(storage_url: str) -> None:
    with opened(storage_url, create=True) as storage, storage.write() as connection:
        connection.execute(SCHEMA.update().values(version=SCHEMA_VERSION + 1))
    for options in ({"read_only": True}, {}, {"create": True}):
        with pytest.raises(StorageError, match="written by a newer release .* Upgrade hpo"):
            open_storage(storage_url, **options)
