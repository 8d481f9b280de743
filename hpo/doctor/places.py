"""Places that a run reads and writes: data sets, the storage, folders; out come findings."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from hpo.databases.storage import Storage, mask_password, open_storage
from hpo.databases.tables import DatabaseClock
from hpo.doctor.finding import Finding
from hpo.errors import DataError, UserError
from hpo.ledger.stored_study import list_stored
from hpo.workers.logs import LOG_FOLDER

if TYPE_CHECKING:
    from hpo.training.sources import RawFiles

MIN_FREE_MIB = 1024
MAX_CLOCK_DIFFERENCE_S = 30.0


def check_datasets() -> Iterator[Finding]:
    """Whether the named data sets are here, every file the right one; fetches nothing."""
    from hpo.training.sources import DEBIAN_FOLDER, RAW_FILES, data_folder

    for name, raw in RAW_FILES.items():
        folders = [data_folder() / raw.folder / "raw"]
        folders += [DEBIAN_FOLDER] if name == "fashion_mnist" else []
        yield _dataset_finding(name, raw, folders)


def _dataset_finding(name: str, raw: RawFiles, folders: Sequence[Path]) -> Finding:
    states = [
        {file: _state(folder / file, digest) for file, digest in raw.sha256.items()}
        for folder in folders
    ]
    for folder, state in zip(folders, states, strict=True):
        if set(state.values()) == {"right"}:
            return Finding(name, "ok", f"{folder}, all files verified")
    wrong = [file for file, state in states[0].items() if state == "wrong"]
    if wrong:
        mend = "Remove it; the next run fetches it again."
        return Finding(name, "problem", f"{folders[0] / wrong[0]} is damaged", mend)
    mend = (
        "The first run fetches it. Without a network put the four files there, "
        "or set HPO_DATA to a folder that has them."
    )
    return Finding(name, "warning", f"not in {folders[0]} yet", mend)


def _state(path: Path, sha256: str) -> str:
    """`right`, `wrong` or `missing`; a gzipped twin counts as the file."""
    from hpo.training.sources import read_file

    if not path.exists() and not path.with_name(f"{path.name}.gz").exists():
        return "missing"
    try:
        read_file(path, sha256)
    except DataError:
        return "wrong"
    return "right"


def check_storage(url: str) -> Iterator[Finding]:
    """Whether the database can be opened, what it holds, and whether its clock is right."""
    name = mask_password(url)
    path = _sqlite_path(url)
    if path is not None and not path.exists() and path.absolute().parent.is_dir():
        yield Finding("storage", "ok", f"{name} is not there yet; `hpo run` makes it")
        return
    try:
        storage = open_storage(url, read_only=True)
    except UserError as error:
        yield Finding("storage", "problem", str(error), "Give another one with --storage URL.")
        return
    try:
        yield _contents(storage)
        if path is not None:
            yield _sqlite_finding(storage, path)
        yield _clock_finding(storage, path)
    finally:
        storage.close()


def _sqlite_path(url: str) -> Path | None:
    try:
        parsed = make_url(url)
    except ArgumentError:  # opening it says what is wrong
        return None
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database))


def _contents(storage: Storage) -> Finding:
    n = len(list_stored(storage))
    ours = "with the tables of hpo" if storage.version is not None else "made by stock Optuna"
    return Finding("storage", "ok", f"{storage.name}, {ours}, {n} stud{'y' if n == 1 else 'ies'}")


def _sqlite_finding(storage: Storage, path: Path) -> Finding:
    with storage.engine.connect() as connection:
        sound = connection.execute(text("PRAGMA quick_check(1)")).scalar()
        mode = connection.execute(text("PRAGMA journal_mode")).scalar()
    if sound != "ok":
        mend = "Restore a copy; `sqlite3 FILE .recover` saves what can be saved."
        return Finding("sqlite", "problem", f"the file is damaged: {sound}", mend)
    if not os.access(path, os.W_OK):
        mend = f"chmod u+w {path}"
        return Finding("sqlite", "warning", f"{path} can be read but not written", mend)
    if mode != "wal":
        mend = "`hpo run` switches it to WAL; nothing to do."
        return Finding("sqlite", "ok", f"journal mode {mode}", mend)
    return Finding("sqlite", "ok", "the file is sound, journal mode WAL")


def _clock_finding(storage: Storage, path: Path | None) -> Finding:
    """Compare this machine's clock with the server's, or with when the file was last written."""
    if path is None:
        with storage.engine.connect() as connection:
            theirs = float(connection.execute(select(DatabaseClock())).scalar_one())
        difference, what = abs(theirs - time.time()), "the database"
    else:
        difference, what = max(0.0, path.stat().st_mtime - time.time()), "the database's last write"
    if difference > MAX_CLOCK_DIFFERENCE_S:
        said = f"this machine and {what} are {difference:.0f} s apart"
        return Finding("clock", "warning", said, "Set the clock by NTP: times shown are wrong.")
    return Finding("clock", "ok", f"this machine agrees with {what}")


def check_folders(project: Path) -> Iterator[Finding]:
    """Whether results, logs and data can be written, and how much room there is."""
    from hpo.training.sources import data_folder

    places = {"folder": project, "logs": project / LOG_FOLDER, "data folder": data_folder()}
    for name, place in places.items():
        yield _writable(name, place)
    free_mib = shutil.disk_usage(project).free // 2**20
    if free_mib < MIN_FREE_MIB:
        mend = f"Make room: databases, logs and weights need some; {MIN_FREE_MIB} MiB is a start."
        yield Finding("disk", "warning", f"{free_mib:,} MiB are free in {project}", mend)
    else:
        yield Finding("disk", "ok", f"{free_mib:,} MiB are free in {project}")


def _writable(name: str, place: Path) -> Finding:
    """Judge a folder that may not be there yet by the nearest one that is."""
    nearest = next(folder for folder in (place, *place.parents) if folder.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        later = "" if nearest == place else ", made when needed"
        return Finding(name, "ok", f"{place} can be written{later}")
    mend = "Set HPO_DATA to another one." if name == "data folder" else f"chmod u+rwx {nearest}"
    return Finding(name, "problem", f"{place} cannot be written: {nearest} does not allow it", mend)
