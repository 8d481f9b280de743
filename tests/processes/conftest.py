"""Fixtures of the real-process tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a test makes its project."""
    return tmp_path / "project"
