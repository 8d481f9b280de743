"""The page of commands names every command and option; the page on objectives runs as it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import hpo
from hpo.cli import group

DOCS = Path(hpo.__file__).parent.parent / "docs"
COMMANDS = group.list_commands(click.Context(group))


def section(name: str) -> str:
    text = (DOCS / "commands.md").read_text()
    found = re.search(rf"^### hpo {name}\n(.*?)(?=^##|\Z)", text, re.M | re.S)
    assert found, f"docs/commands.md has no section on hpo {name}"
    return found[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_commands_has_every_command_with_its_options(name: str) -> None:
    command = group.get_command(click.Context(group), name)
    assert command
    options = [o for p in command.params if isinstance(p, click.Option) for o in p.opts]
    text = section(name)
    for option in (option for option in options if option.startswith("--")):
        assert re.search(rf"{option}\b", text), f"hpo {name}: {option} is missing"


def test_the_page_of_commands_has_no_other_command() -> None:
    text = (DOCS / "commands.md").read_text()
    assert sorted(re.findall(r"^### hpo (\w+)$", text, re.M)) == sorted(COMMANDS)


def test_the_page_on_objectives_runs_as_it_stands(tmp_path: Path) -> None:
    text = (DOCS / "your-own-objective.md").read_text()
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", text, re.M | re.S)
    names = re.findall(r"`([\w/]+\.(?:py|yaml))`(?:| uses all[^:]*):\n\n```(?:python|yaml)", text)
    files = [body for language, body in blocks if language in ("python", "yaml")]
    assert len(names) == len(files)
    for name, body in zip(names, files, strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(body)
    (tmp_path / "search_spaces.yaml").write_text("{}\n")
    commands = [line for kind, body in blocks if kind == "sh" for line in body.splitlines()]
    assert len(commands) > 5
    script = f'set -e\nhpo() {{ "{sys.executable}" -m hpo "$@"; }}\n' + "\n".join(commands)
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    assert "20 of 20 done" in done.stdout
    assert "10 of 10 done" in done.stdout
    assert "8 of 8 done" in done.stdout
