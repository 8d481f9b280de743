"""`hpo doctor` finds what is wrong and says how to mend it; it changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hpo.cli import _exit_code
from hpo.databases.storage import open_storage
from hpo.doctor import environment, places
from hpo.doctor.finding import Finding
from hpo.training import sources

TORCH: dict[str, Any] = {
    "torch": "2.6.0",
    "numba": "0.61.0",
    "cuda": None,
    "devices": ["cpu"],
    "broken": {},
}


def by_name(findings: Any) -> Mapping[str, Finding]:
    return {finding.name: finding for finding in findings}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, and no data set of the system's."""
    monkeypatch.setenv("HPO_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(sources, "DEBIAN_FOLDER", tmp_path / "nowhere")
    return tmp_path / "data"


def test_a_healthy_machine_ends_with_0_and_nothing_is_made(
    project: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(project.rglob("*"))
    assert _exit_code(["doctor", "--format", "json"]) == 0
    findings = json.loads(capsys.readouterr().out)
    names = [finding["name"] for finding in findings]
    for name in ("python", "packages", "machine", "torch", "mnist", "storage", "disk", "extra"):
        assert name in names
    storage = next(finding for finding in findings if finding["name"] == "storage")
    assert (storage["status"], storage["text"]) == (
        "ok",
        "sqlite:///hpo.db is not there yet; `hpo run` makes it",
    )
    assert sorted(project.rglob("*")) == before
    assert not data.exists()


def test_a_problem_ends_with_1_and_stands_on_its_line_with_its_mend(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hpo.doctor.check_torch", list)
    (project / "hpo.db").write_text("not a database at all")
    assert _exit_code(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    line = next(line for line in lines if line.startswith("problem"))
    assert "hpo.db is not an SQLite database." in line
    assert "-> Give another one with --storage URL." in line
    assert all(line.split()[0] in ("ok", "warning", "problem") for line in lines)


def test_an_old_python_is_a_problem() -> None:
    assert environment.check_python((3, 10, 4)).status == "problem"
    assert environment.check_python().status == "ok"


def test_a_package_that_is_missing_or_too_old_is_named_with_its_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = ["numpy>=99", "no-such-package>=1", "click>=1", 'cmaes>=99; extra == "samplers"']
    monkeypatch.setattr(environment, "requires", lambda name: wanted)
    found = list(environment.check_packages())
    assert [finding.status for finding in found] == ["problem", "problem"]
    assert found[0].text.startswith("numpy ")
    assert found[0].mend == "pip install 'numpy>=99'"
    assert found[1].text == "no-such-package is not installed"


def test_torch_and_each_device_are_judged_by_what_they_said() -> None:
    (fine,) = environment.torch_findings(TORCH, has_nvidia=False)
    assert (fine.status, fine.text) == ("ok", "torch 2.6.0, numba 0.61.0, cpu")
    (unseen,) = environment.torch_findings(TORCH, has_nvidia=True)
    assert unseen.status == "warning"
    assert "built without CUDA, sees no GPU" in unseen.text
    gpus = {**TORCH, "devices": ["cpu", "cuda:0"], "broken": {"cuda:0": "no kernel image"}}
    _, broken = environment.torch_findings(gpus, has_nvidia=True)
    assert (broken.status, broken.text) == ("problem", "cuda:0 does not work: no kernel image")


def test_torch_is_tried_in_a_process_of_its_own() -> None:
    (finding,) = environment.check_torch()
    assert finding.status in ("ok", "warning")
    assert "torch 2." in finding.text


def test_a_torch_that_cannot_be_imported_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_ASK_TORCH", "raise ImportError('libcudart is missing')")
    (finding,) = environment.check_torch()
    assert (finding.status, finding.text) == ("problem", "ImportError: libcudart is missing")


def test_data_sets_are_missing_damaged_or_verified(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {name: name.encode() for name in sources.FILES}
    digests = tuple(hashlib.sha256(content).hexdigest() for content in contents.values())
    raw = sources.RawFiles("MNIST", digests)  # type: ignore[arg-type]
    monkeypatch.setattr(sources, "RAW_FILES", {"mnist": raw})
    (missing,) = places.check_datasets()
    assert missing.status == "warning"
    assert "HPO_DATA" in missing.mend
    folder = data / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (verified,) = places.check_datasets()
    assert verified.status == "ok"
    (folder / sources.FILES[2]).write_bytes(b"cut")
    (damaged,) = places.check_datasets()
    assert damaged.status == "problem"
    assert sources.FILES[2] in damaged.text


def test_a_database_is_opened_and_checked(sqlite_url: str) -> None:
    open_storage(sqlite_url, create=True).close()
    found = by_name(places.check_storage(sqlite_url))
    assert found["storage"].text == f"{sqlite_url}, with the tables of hpo, 0 studies"
    assert found["sqlite"].text == "the file is sound, journal mode WAL"


def test_a_damaged_database_is_a_problem(sqlite_url: str, tmp_path: Path) -> None:
    open_storage(sqlite_url, create=True).close()
    path = tmp_path / "hpo.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'ix_hpo_points_state'"
        (page,) = connection.execute(query).fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * page_size)
        file.write(b"\xff" * page_size)
    assert by_name(places.check_storage(sqlite_url))["sqlite"].status == "problem"


def test_a_password_is_never_shown() -> None:
    (finding,) = places.check_storage("postgresql://me:secret@127.0.0.1:1/studies")
    assert finding.status == "problem"
    assert "secret" not in finding.text


def test_the_clock_of_a_database_server_is_compared(postgres_url: str) -> None:
    open_storage(postgres_url, create=True).close()
    found = by_name(places.check_storage(postgres_url))
    assert found["clock"].status == "ok"


def test_a_clock_that_is_behind_the_file_is_a_warning(sqlite_url: str, tmp_path: Path) -> None:
    open_storage(sqlite_url, create=True).close()
    assert by_name(places.check_storage(sqlite_url))["clock"].status == "ok"
    later = time.time() + 3600
    os.utime(tmp_path / "hpo.db", (later, later))
    assert by_name(places.check_storage(sqlite_url))["clock"].status == "warning"


@pytest.mark.parametrize("url", ["hpo.db", "sqlite:bad", "sqlite:///:memory:", "oracle://x/y"])
def test_a_url_that_cannot_be_used_is_a_problem(url: str) -> None:
    (finding,) = places.check_storage(url)
    assert finding.status == "problem"


def test_a_folder_that_is_a_file_is_a_problem(project: Path, data: Path) -> None:
    (project / "hpo-logs").write_text("")
    found = by_name(places.check_folders(project))
    assert found["logs"].status == "problem"
    assert (found["folder"].status, found["data folder"].status) == ("ok", "ok")


def test_little_room_is_a_warning(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "MIN_FREE_MIB", sys.maxsize)
    assert by_name(places.check_folders(project))["disk"].status == "warning"


def test_an_optional_package_that_is_missing_is_named_with_its_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(environment, "EXTRAS", {"png": ("no_such_module", "pictures")})
    (finding,) = environment.check_extras()
    assert (finding.status, finding.mend) == ("ok", "pip install 'hpo-service[png]'")
