"""A browser for pages, and silence about studies that tests make."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest

from hpo.reporting.records import StudyRecord

from .made_searches import make_search

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WAIT_MS = 60_000
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(autouse=True)
def quiet_optuna() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(scope="session")
def large() -> StudyRecord:
    """A search of 2,000 trials."""
    return make_search(2000, name="large")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; where it is missing a continuous integration run fails and others skip."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _give_up("Playwright for Python is not installed.")
    if not CHROMIUM.exists():
        _give_up(f"There is no {CHROMIUM}.")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, timeout=2 * WAIT_MS
        )
        yield opened
        opened.close()


def _give_up(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
