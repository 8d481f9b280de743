"""A path that is no study file: in goes the path, out comes what its user probably wants."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from hpo.errors import UserError

_MOST_FILES = 20
_METHOD = re.compile(r"^[\"']?method[\"']?\s*:", re.MULTILINE)


def refuse_other_path(path: Path) -> None:
    """Refuse a folder and a Python file, which are often given in place of a study file.

    Raises:
        UserError: It is one; the message has the folder's study files, or how a function is run.
    """
    if path.is_dir():
        studies = _studies_in(path)
        listed = ", ".join(map(str, studies[:_MOST_FILES])) or "none"
        more = f" and {len(studies) - _MOST_FILES} more" if len(studies) > _MOST_FILES else ""
        raise UserError(f"{path} is a folder, no study file. Study files in it: {listed}{more}.")
    if path.suffix == ".py" and path.is_file():
        names = _functions_in(path)
        chosen = names[0] if len(names) == 1 else "FUNCTION"
        several = f" Functions of one argument in it: {', '.join(names)}." if len(names) > 1 else ""
        raise UserError(
            f"{path} is Python, no study file. Run a function of it as an objective with "
            f"--objective {path}:{chosen}.{several}"
        )


def _studies_in(folder: Path) -> list[Path]:
    files = (path for path in sorted(folder.rglob("*")) if path.suffix in (".yaml", ".yml"))
    return [path for path in files if path.is_file() and _METHOD.search(_text(path))]


def _functions_in(path: Path) -> list[str]:
    """Name the functions at the top of a module that can be called with a trial alone."""
    try:
        tree = ast.parse(_text(path))
    except (SyntaxError, ValueError):
        return []
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name[0] != "_" and _takes_one(node.args)
    ]


def _takes_one(arguments: ast.arguments) -> bool:
    named = [*arguments.posonlyargs, *arguments.args]
    n_needed = len(named) - len(arguments.defaults)
    is_free = all(default is not None for default in arguments.kw_defaults)
    return n_needed <= 1 and (len(named) > 0 or arguments.vararg is not None) and is_free


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
