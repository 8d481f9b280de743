"""Documentation that can be checked: the options and commands it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import hpo
from hpo.cli import _COMMANDS, group

ROOT = Path(hpo.__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands_in(page: Path) -> list[str]:
    blocks = re.findall(r"^```(?:sh|console|bash)?\n(.*?)^```", page.read_text(), re.M | re.S)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("hpo ") or "&& hpo " in line]


def shown_commands() -> list[tuple[str, str]]:
    return [(page.name, line) for page in PAGES for line in commands_in(page)]


@pytest.mark.parametrize(("page", "line"), shown_commands())
def test_a_command_on_a_page_exists_with_its_options(page: str, line: str) -> None:
    words = line.split("hpo ", 1)[1].split("#")[0].split()
    name = next(word for word in words if not word.startswith("-"))
    assert name in _COMMANDS or name in ("--help", "COMMAND"), f"{page}: {line}"
    text = CliRunner().invoke(group, [name, "--help"]).output
    for option in (word.split("=")[0] for word in words if word.startswith("--")):
        assert re.search(rf"{re.escape(option)}\b", text), f"{page}: {line}: no option {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"
