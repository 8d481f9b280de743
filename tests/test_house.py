"""The rules of the house: who imports whom, what stays light, how long a file may be."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Collection, Container, Iterator, Mapping
from pathlib import Path

import pytest

import hpo

ROOT = Path(hpo.__file__).parent
# Data flows down this list: what stands in a line is imported only by it and by later lines.
ROOMS = (
    (
        "errors",
        "near_miss",
        "plain",
        "ranking",
        "control_characters",
        "durations",
        "files",
        "streams",
    ),
    ("yaml_files",),
    ("spaces", "samplers"),
    ("study_files",),
    ("plan",),
    ("databases",),
    ("ledger", "events"),
    ("stored_record",),
    ("publish", "dashboard"),
    ("workers",),
    ("runs",),
    ("train", "reproduction", "init_project", "doctor", "formats", "console", "run_display"),
    ("api",),
    ("cli", "__main__"),
)
LEVEL = {name: level for level, names in enumerate(ROOMS) for name in names}
# Rooms beside the list, and the last level of it that they may import.
ASIDE = {"training": LEVEL["yaml_files"], "reporting": LEVEL["plan"]}
# Who may import them.
VISITORS = {
    "training": {"train", "reproduction", "workers.preload", "cli"},
    "reporting": {"stored_record", "publish", "api", "cli"},
}
MAX_LINES = 300


def name_of(path: Path) -> str:
    """The dotted name of a module within hpo; a package's own is the package's."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room_of(path: Path) -> str:
    return name_of(path).split(".")[0]


def modules() -> list[Path]:
    return [p for p in sorted(ROOT.rglob("*.py")) if "templates" not in p.parts]


def imports_of(path: Path) -> Iterator[str]:
    """Rooms that a file needs to be imported: nothing inside functions or for types alone."""
    tree = ast.parse(path.read_text())
    lazy = {
        id(node)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(outer, ast.If) and ast.unparse(outer.test) == "TYPE_CHECKING")
        for node in ast.walk(outer)
    }
    for node in ast.walk(tree):
        if id(node) in lazy:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hpo"):
            parts = node.module.split(".")
            yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from [a.name.split(".")[1] for a in node.names if a.name.startswith("hpo.")]


def needed_by(path: Path, known: Container[str]) -> set[str]:
    """Modules of hpo that a file imports, inside functions too, but not for types alone."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(node)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.If) and ast.unparse(outer.test) == "TYPE_CHECKING"
        for inner in outer.body
        for node in ast.walk(inner)
    }
    package = ("hpo", *path.relative_to(ROOT).parent.parts)
    found = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join([*above, *([node.module] if node.module else [])])
            names = {f"{source}.{alias.name}" for alias in node.names}
            found |= {name if name[4:] in known else source for name in names}
    return {name[4:] for name in found if name[4:] in known} - {name_of(path)}


def circles(needs: Mapping[str, Collection[str]]) -> set[frozenset[str]]:
    """Largest sets of modules that all need each other, by way of others or directly."""
    reached = {start: set(needs[start]) for start in needs}
    for middle in needs:
        for found in reached.values():
            if middle in found:
                found |= reached[middle]
    return {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in needs
        if name in reached[name]
    }


def test_circles_are_found() -> None:
    needs = {"a": "b", "b": "cd", "c": "a", "d": "e", "e": "d", "f": "a"}
    assert circles(needs) == {frozenset("abc"), frozenset("de")}


def test_no_modules_import_each_other_in_a_circle() -> None:
    paths = {name_of(path): path for path in modules() if name_of(path)}
    assert circles({name: needed_by(path, paths) for name, path in paths.items()}) == set()


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_the_rooms_before_its_own(path: Path) -> None:
    room = room_of(path)
    if path == ROOT / "__init__.py":
        return
    for imported in set(imports_of(path)) - {room}:
        if imported in ASIDE:
            assert {room, name_of(path)} & VISITORS[imported], f"{path} imports {imported}"
            continue
        assert imported in LEVEL, f"{imported} has no place in the house"
        limit = ASIDE[room] if room in ASIDE else LEVEL[room]
        assert LEVEL[imported] <= limit, f"{path} imports {imported}"


def test_every_module_has_one_place_in_the_house_and_on_its_page() -> None:
    rooms = {room_of(path) for path in modules()} - {"", *ASIDE}
    assert sorted(LEVEL) == sorted(rooms)
    page = (ROOT.parent / "docs" / "architecture.md").read_text()
    names = {name_of(path) for path in modules()} - {""}
    assert sorted(name for name in names if f"`{name}`" not in page) == []


def test_every_public_name_loads() -> None:
    for name in hpo.__all__:
        assert getattr(hpo, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'sugest'"):
        _ = hpo.sugest


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


def loaded_by(*arguments: str) -> set[str]:
    """Top-level packages that a Python process has loaded at its end."""
    code = (
        "import atexit, json, sys\n"
        "names = lambda: sorted({n.split('.')[0] for n in sys.modules})\n"
        "atexit.register(lambda: print('\\nLOADED ' + json.dumps(names())))\n"
        f"{arguments[0]}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments[1:]], capture_output=True, text=True, check=False
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("LOADED "))
    return set(json.loads(line.removeprefix("LOADED ")))


RUN_CLI = "from hpo.cli import main; main()"


def test_importing_hpo_and_its_help_is_light() -> None:
    heavy = {"torch", "optuna", "plotly", "sqlalchemy", "numpy", "pydantic"}
    assert not heavy & loaded_by("import hpo")
    assert not heavy & loaded_by(RUN_CLI, "--help")


def test_the_command_itself_never_imports_torch(project: Path) -> None:
    (project / "objective.yaml").write_text(
        "method: random\nn_trials: 2\nstudy: s\ndirection: minimize\n"
        "search_space: {x: {low: -10.0, high: 10.0}}\n"
    )
    for command in ("plan objective.yaml", "run objective.yaml --workers 1", "list", "show s"):
        assert "torch" not in loaded_by(RUN_CLI, *command.split()), command


def test_reporting_needs_no_torch_and_training_no_optuna() -> None:
    assert "torch" not in loaded_by("import hpo.reporting.report, hpo.reporting.notes")
    assert "optuna" not in loaded_by("import hpo.training.trainer, hpo.training.settings")
