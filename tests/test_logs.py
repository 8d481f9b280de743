"""Where a worker's log is; one that cannot be written is named, and the worker goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpo.workers.logs import LOG_FOLDER, log_path
from tests.processes.support import hpo, points, write_project

TALKATIVE = """
import sys

def objective(trial):
    for _ in range(100):
        print("x" * 1000)
        print("y" * 1000, file=sys.stderr)
    return trial.suggest_float("x", 0.0, 1.0)
"""
WORKER_NAME = "host/cpu#0-aaffe3"
WORKER = """
import sys
from pathlib import Path
from hpo.workers.logs import redirect_output
redirect_output(Path(sys.argv[1]))
for _ in range(100):
    print("x" * 1000, flush=True)
    print("y" * 1000, file=sys.stderr)
sys.stdout.flush()
"""


def said_by_worker(log: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(log)], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return done.stderr


def test_a_log_that_can_be_written_has_everything(tmp_path: Path) -> None:
    assert said_by_worker(tmp_path / "new" / "a.log") == ""
    assert len((tmp_path / "new" / "a.log").read_text().splitlines()) == 200


def test_a_full_disk_is_said_once_with_the_logs_name(tmp_path: Path) -> None:
    log = tmp_path / "full.log"
    log.symlink_to("/dev/full")
    reason = "No space left on device. The worker goes on without its log."
    assert said_by_worker(log) == f"{log} cannot be written: {reason}\n"


def test_a_log_that_cannot_be_opened_is_said_too(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = tmp_path / "file" / "a\x1b.log"
    assert said_by_worker(log).startswith(
        f"{tmp_path}/file/a\\x1b.log cannot be written: File exists."
    )


@pytest.fixture
def full_disk(folder: Path) -> Iterator[Path]:
    """A disk of one page for the logs."""
    logs = folder / "hpo-logs"
    logs.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", logs], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("only root may mount a disk")
    yield logs
    subprocess.run(["umount", logs], check=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "project"


def test_a_run_whose_log_disk_is_full_finishes(folder: Path, full_disk: Path) -> None:
    file = write_project(folder, TALKATIVE, n_trials=4, fixed=None)
    done = hpo(folder, "run", file, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert "4 of 4 done" in done.stdout
    said = [line for line in done.stderr.splitlines() if "hpo-logs/s/" in line]
    assert said
    assert all("cannot be written: No space left on device." in line for line in said)
    assert len(set(said)) == len(said) <= 2
    assert {row["state"] for row in points(f"sqlite:///{folder}/hpo.db")} == {"DONE"}


def folder_of(study: str) -> Path:
    return log_path(Path("project"), study, WORKER_NAME).parent


@pytest.mark.parametrize("study", ["mnist-tpe", "a.b_c", "Ünïcode", "x" * 100])
def test_a_plain_name_is_the_name_of_the_studys_log_folder(study: str) -> None:
    assert folder_of(study) == Path("project", LOG_FOLDER, study)


@pytest.mark.parametrize(
    "study",
    [".", "..", "../..", "/", "/etc/passwd", "a/../../b", ".hidden", "😀", "a b", "é" * 200],
)
def test_any_name_logs_in_a_folder_of_its_own_inside_hpo_logs(study: str, tmp_path: Path) -> None:
    folder = log_path(tmp_path, study, WORKER_NAME).parent
    assert folder.parent == tmp_path / LOG_FOLDER
    folder.mkdir(parents=True)
    assert folder.resolve() == folder
    assert folder.name[0] not in ".-"


def test_names_that_differ_only_where_they_are_replaced_share_no_folder() -> None:
    names = ["a/b", "a b", "a_b", "a:b", "a//b", ".a_b", "..a_b", "x" * 101, "x" * 102]
    assert len({folder_of(name) for name in names}) == len(names)
