"""Databases that go away, are full, cannot be written or must not show their password."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from hpo.runs.run import WAITING
from tests.postgres import Server
from tests.processes.support import (
    assert_at_rest,
    assert_exact,
    hpo,
    points,
    run_leases_out,
    running,
    trials,
    write_project,
)


def test_a_run_survives_a_restart_of_postgresql(
    folder: Path, postgres_server: Server, postgres_url: str
) -> None:
    file = write_project(folder, n_trials=60, fixed={"steps": 5, "pause_s": 0.05})
    with running(folder, "run", file, "--storage", postgres_url, "--devices", "cpu*4") as run:
        for n in (4, 20, 36):
            run.wait_for("trial_finished", n)
            postgres_server.interrupt(postgres_url, 1.5)
        assert run.end() == 0, (run.errors, run.events[-1])
        assert [e["event"] for e in run.events if e["event"] == "worker_failed"] == []
    assert_exact(postgres_url, 60)
    assert all(row["lost"] == 0 for row in points(postgres_url))


def test_connections_cut_at_random_lose_and_double_nothing(
    folder: Path, postgres_server: Server, postgres_url: str
) -> None:
    file = write_project(folder, n_trials=60, fixed={"steps": 5, "pause_s": 0.02})
    database = make_url(postgres_url).database
    with running(folder, "run", file, "--storage", postgres_url, "--devices", "cpu*4") as run:
        run.wait_for("worker_up")
        while run.process.poll() is None:
            postgres_server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name",
                name=database,
            )
            time.sleep(0.3)
        assert run.end() == 0, (run.errors, run.events[-1])
    assert_exact(postgres_url, 60)


def test_a_password_is_never_shown(folder: Path, postgres_server: Server) -> None:
    file = write_project(folder, n_trials=1)
    with postgres_server.database() as url:
        secret = make_url(url).set(password="s3cret-word").render_as_string(hide_password=False)
        commands = [("run", file), ("list",), ("show", "s"), ("show", "absent"), ("resume", "s")]
        done = [hpo(folder, *command, "--storage", secret) for command in commands]
    assert [ran.returncode for ran in done] == [0, 0, 0, 2, 0]
    gone = hpo(folder, "run", file, "--storage", secret)  # the database is gone by now
    refused = hpo(folder, "list", "--storage", "mysql+nothing://me:s3cret-word@host/db")
    assert (gone.returncode, refused.returncode) == (2, 2)
    shown = "".join(ran.stdout + ran.stderr for ran in [*done, gone, refused])
    logs = "".join(log.read_text() for log in folder.rglob("*.log"))
    assert "s3cret-word" not in shown + logs
    assert "***" in shown


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few hundred KiB, mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting needs more privileges than these")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_ends_the_run_with_a_clear_error_and_the_database_stays_readable(
    folder: Path, small_disk: Path
) -> None:
    url = f"sqlite:///{small_disk}/hpo.db"
    file = write_project(folder, n_trials=400, fixed={"steps": 5, "pause_s": 0.0})
    assert hpo(folder, "run", file, "--storage", url, "--n-trials", "2").returncode in (0, 2)
    ran = hpo(folder, "run", file, "--storage", url, "--workers", "2")
    assert ran.returncode in (1, 2)
    assert "database or disk is full" in ran.stderr
    assert "Traceback" not in ran.stderr
    shown = hpo(folder, "show", "s", "--storage", url)
    assert shown.returncode == 0, shown.stderr
    remount(small_disk, "size=16m")
    run_leases_out(url)  # what could not be given back while nothing could be written
    assert hpo(folder, "resume", "s", "--storage", url, "--workers", "2").returncode == 0
    assert_exact(url, 400)


def test_a_file_system_that_turns_read_only_ends_the_run_with_a_clear_error(
    folder: Path, small_disk: Path
) -> None:
    url = f"sqlite:///{small_disk}/hpo.db"
    file = write_project(folder, n_trials=2)
    assert hpo(folder, "run", file, "--storage", url).returncode == 0
    remount(small_disk, "ro")
    write_project(folder, n_trials=4)
    ran = hpo(folder, "run", file, "--storage", url)
    assert ran.returncode == 2
    *before, last = ran.stderr.splitlines()
    assert set(before) <= {WAITING}  # what a slow machine says
    assert last == (
        f"error: {small_disk}/hpo.db cannot be written: {small_disk}/hpo.db is read-only."
    )
    assert hpo(folder, "show", "s", "--storage", url).returncode == 0
    assert hpo(folder, "trials", "s", "--storage", url).returncode == 0
    new = hpo(folder, "run", file, "--storage", f"sqlite:///{small_disk}/new.db")
    assert new.returncode == 2
    assert "Read-only file system" in new.stderr


def remount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", disk], check=True)


def test_a_limit_on_the_size_of_files_ends_the_run_with_a_clear_error(
    folder: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/hpo.db"
    file = write_project(folder, n_trials=300, fixed={"steps": 5, "pause_s": 0.0})
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000));"
        "from hpo.cli import main; main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, "run", file, "--storage", url, "--workers", "2"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode in (1, 2), ran.stdout
    assert "error: " in ran.stderr
    assert "Traceback" not in ran.stderr
    assert hpo(folder, "show", "s", "--storage", url).returncode == 0
    run_leases_out(url)
    assert hpo(folder, "resume", "s", "--storage", url).returncode == 0
    assert_exact(url, 300)
    assert_at_rest(trials(url))


def test_a_database_that_is_not_ours_is_refused(folder: Path, tmp_path: Path) -> None:
    file = write_project(folder)
    (tmp_path / "text.db").write_text("not a database at all, but a text")
    (tmp_path / "folder.db").mkdir()
    for name, said in (("text.db", "is not an SQLite database"), ("folder.db", "is a folder")):
        ran = hpo(folder, "run", file, "--storage", f"sqlite:///{tmp_path}/{name}")
        assert ran.returncode == 2
        assert said in ran.stderr
    nowhere = "postgresql+psycopg://u@127.0.0.1:1/none"
    ran = hpo(folder, "run", file, "--storage", nowhere)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    assert not any((tmp_path / "folder.db").iterdir())
