"""Runs whose output can no longer be written stop: workers end, and points are given back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from .support import (
    DEADLINE_S,
    assert_at_rest,
    hpo,
    hurry,
    points,
    trials,
    wait_until,
    write_project,
)

# `hpo` with a disk below its standard output that is full as soon as there is a file "full".
PROGRAM = """
import os, threading, time
from pathlib import Path
from hpo.cli import main

def fill():
    while not Path("full").exists():
        time.sleep(0.05)
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)

threading.Thread(target=fill, daemon=True).start()
main()
"""
LONG = {"steps": 10_000, "pause_s": 0.05}  # until `hurry`


@contextmanager
def run_that_prints(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A run whose first trial has begun."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run", "study.yaml", "--json", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            assert any('"epoch"' in line for line in process.stdout), process.stderr
            assert processes_in(folder)
            yield process
        finally:
            process.kill()


def processes_in(folder: Path) -> list[Path]:
    """The processes that are at work in a folder."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):  # it is gone, or somebody else's
            found += [link] if link.readlink() == folder else []
    return found


def assert_ended_cleanly(process: subprocess.Popen[str], folder: Path, code: int) -> str:
    """No process and no lease is left; what was said."""
    assert process.stderr
    said = process.stderr.read()
    assert process.wait(DEADLINE_S) == code, said
    wait_until(lambda: not processes_in(folder), 5.0)
    assert {row["state"] for row in points(f"sqlite:///{folder}/hpo.db")} == {"FREE"}
    assert_at_rest(trials(f"sqlite:///{folder}/hpo.db"))
    return said


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_whose_output_is_full_gives_its_points_back(folder: Path, workers: str) -> None:
    write_project(folder, n_trials=4, fixed=LONG)
    with run_that_prints(folder, "--workers", workers) as process:
        (folder / "full").touch()
        said = assert_ended_cleanly(process, folder, 1)
    assert said.endswith("error: Standard output cannot be written: No space left on device\n")
    assert "Traceback" not in said
    hurry(folder)
    assert hpo(folder, "resume", "s").returncode == 0


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_that_nobody_reads_any_more_gives_its_points_back(folder: Path, workers: str) -> None:
    write_project(folder, n_trials=4, fixed=LONG)
    with run_that_prints(folder, "--workers", workers) as process:
        assert process.stdout
        process.stdout.close()
        said = assert_ended_cleanly(process, folder, 141)
    assert "error" not in said.lower()
