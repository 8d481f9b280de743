"""Fixtures of the real-process tests."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

# Under nohup it is ignored, by all that these tests start, too; but they send it.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a test makes its project."""
    return tmp_path / "project"
