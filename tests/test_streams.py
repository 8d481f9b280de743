"""Standard output that is closed, full or without a reader: one message and an exit code."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hpo.databases.storage import open_storage

from .support import launched_study

COMMANDS = (
    "--help",
    "list",
    "list --format csv",
    "show s",
    "show s --format json",
    "trials s",
    "plan s.yaml",
    "schema",
    "report s --format json",
    "run s.yaml",
    "resume s --json",
)


@pytest.fixture
def folder(project: Path) -> Path:
    """A project with a study that has yet to be run."""
    storage = open_storage("sqlite:///hpo.db", create=True)
    launched_study(storage, project)
    storage.close()
    return project


def shell(folder: Path, command: str, redirection: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"{shlex.quote(sys.executable)} -m hpo {command} {redirection}"],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("redirection", "reason"),
    [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")],
    ids=["closed", "full"],
)
def test_a_result_that_cannot_be_written_is_one_message(
    folder: Path, command: str, redirection: str, reason: str
) -> None:
    done = shell(folder, command, redirection)
    complaint = f"error: Standard output cannot be written: {reason}"
    assert [line for line in done.stderr.splitlines() if "error" in line.lower()] == [complaint]
    assert "Traceback" not in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "<&-"])
def test_messages_that_cannot_be_written_are_lost_and_results_are_not(
    folder: Path, redirection: str
) -> None:
    listed = shell(folder, "list --format csv", redirection)
    assert listed.returncode == 0
    assert listed.stdout.startswith("study,")
    refused = shell(folder, "show nothing", redirection)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert shell(folder, "--unknown", redirection).returncode == 2


def test_closed_streams_do_not_make_the_database_the_place_for_messages(folder: Path) -> None:
    assert shell(folder, "delete s --yes", "<&- >&- 2>&-").returncode == 0
    assert shell(folder, "list --format csv", "").stdout == "\n"


def test_a_reader_that_leaves_early_is_no_error(folder: Path) -> None:
    done = shell(folder, "schema", "| true; exit ${PIPESTATUS[0]}")
    assert done.returncode == 141
    assert done.stderr == ""


def test_a_question_without_an_answer_changes_nothing(folder: Path) -> None:
    done = shell(folder, "delete s", "<&-")
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert shell(folder, "list --format csv", "").stdout.count("\n") == 2
