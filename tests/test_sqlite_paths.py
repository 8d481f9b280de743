"""Whatever an SQLite file is called, every command opens just that file, and readers only read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from optuna.study import StudyDirection
from sqlalchemy import URL, text
from sqlalchemy.exc import OperationalError

from hpo.databases.storage import open_storage
from hpo.ledger.stored_study import list_stored

NAMES = (
    *("plain.db", "a#b.db", "%41.db", "%2541.db", "a b .db", "é日本💾.db", "a&b=c;d.db", "+%20.db"),
    *("{x}.db", "a'b\"c`$(d).db", "file:x.db", "-.db", "a:b@c.db", "\\x.db", "100%.db", "a?b#c.db"),
)


def url_of(path: Path | str) -> str:
    return URL.create("sqlite", database=str(path)).render_as_string()


def files_below(folder: Path) -> list[str]:
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.endswith(("-wal", "-shm")))


@pytest.fixture(params=["relative", "absolute", "in a folder"])
def place(request: pytest.FixtureRequest, project: Path) -> Path:
    """The folder of the databases, as a storage's URL has it; the current folder holds it."""
    if request.param == "in a folder":
        (project / "a #%41?é").mkdir()
    return {"relative": Path(), "absolute": project, "in a folder": Path("a #%41?é")}[request.param]


def test_every_name_is_the_name_of_one_file(place: Path, project: Path) -> None:
    before = files_below(project)
    for name in NAMES:
        storage = open_storage(url_of(place / name), create=True)
        storage.optuna.create_new_study([StudyDirection.MINIMIZE], f"study of {name}")
        storage.checkpoint()
        storage.close()
    made = [str((project / place / name).relative_to(project)) for name in NAMES]
    assert files_below(project) == sorted([*before, *made])
    for name in NAMES:
        for read_only in (True, False):
            storage = open_storage(url_of(place / name), read_only=read_only)
            assert [study.name for study in list_stored(storage)] == [f"study of {name}"]
            storage.close()
    assert files_below(project) == sorted([*before, *made])


def test_whoever_only_reads_cannot_write_whatever_the_name(place: Path, project: Path) -> None:
    for name in NAMES:
        open_storage(url_of(place / name), create=True).close()
        storage = open_storage(url_of(place / name), read_only=True)
        with storage.engine.connect() as connection, pytest.raises(OperationalError, match="read"):
            connection.execute(text("CREATE TABLE spoilt (x INTEGER)"))
        storage.close()


def test_a_missing_file_is_not_made_by_reading(place: Path, project: Path) -> None:
    before = files_below(project)
    for name in NAMES:
        with pytest.raises(Exception, match="There is no database"):
            open_storage(url_of(place / name), read_only=True)
    assert files_below(project) == before


def test_a_file_in_a_folder_that_cannot_be_written_is_read(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        storage = open_storage(url_of(name), create=True)
        storage.optuna.create_new_study([StudyDirection.MINIMIZE], f"study of {name}")
        storage.checkpoint()
        storage.close()
        for end in ("-wal", "-shm"):
            Path(f"{name}{end}").unlink(missing_ok=True)
    monkeypatch.setattr(
        os, "access", lambda place, mode: mode != os.W_OK
    )  # as for anybody but root
    for name in NAMES:
        storage = open_storage(url_of(name), read_only=True)
        assert [study.name for study in list_stored(storage)] == [f"study of {name}"]
        storage.close()


def test_the_commands_open_the_file_that_is_named(project: Path) -> None:
    url = "sqlite:///a #%2541é%3F.db"
    (project / "storage url").write_text(f"{url}\n", encoding="utf-8")
    (project / "s.yaml").write_text(
        "{method: random, n_trials: 2, direction: minimize,"
        " search_space: {x: {low: -10.0, high: 10.0}}}"
    )
    named = {**os.environ, "HPO_STORAGE_FILE": "storage url"}
    commands = (
        (["run", "s.yaml", "--workers", "1", "--storage", url], None),
        (["show", "s"], named),
        (["doctor"], named),
        (["delete", "s", "--yes"], named),
    )
    for arguments, environment in commands:
        command = [sys.executable, "-m", "hpo", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    assert [f for f in files_below(project) if f.endswith(".db")] == ["a #%41é?.db"]
