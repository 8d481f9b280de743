"""The user's objective: from `path.py:function` and a project folder to the function itself."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from hpo.errors import HpoError, ObjectiveError
from hpo.near_miss import near_miss
from hpo.plain import describe
from hpo.study_files.refusals import Refusal, read_refusal
from hpo.workers.objective_shape import no_study_at_import, refuse_other_shapes
from hpo.workers.renewal import StopTrial

Objective = Callable[..., Any]


@dataclass(frozen=True)
class LoadedObjective:
    """An imported objective with what its module offers beside it.

    Attributes:
        path: The module's file.
        function: The objective itself.
        check: Refuses settings by raising.
        prepare: Called once in each worker.
        metrics: What `hpo.values` can be asked for; None where the module does not say.
    """

    path: Path
    function: Objective
    check: Callable[[Mapping[str, Any]], object] | None
    prepare: Callable[[Mapping[str, Any]], object] | None
    metrics: Sequence[str] | None = None


@dataclass(frozen=True)
class ObjectiveSource:
    """An objective as it is written, not imported.

    Attributes:
        project: The folder that its path is relative to.
        text: The text of its file.
        function: The objective itself, where only this process has it.
    """

    project: Path
    text: str
    function: Objective | None = None


def locate(reference: str, project: Path) -> tuple[Path, str]:
    """The file and the function's name that `path.py:function` stands for.

    Raises:
        ObjectiveError: The text has another form, leaves the project folder, or names no file.
    """
    path_text, colon, function = reference.rpartition(":")
    if not colon or not path_text.endswith(".py") or not function.isidentifier():
        raise ObjectiveError(f"An objective must be 'path.py:function', but got {reference!r}.")
    path = (project / path_text).resolve()
    if not path.is_relative_to(project.resolve()):
        raise ObjectiveError(
            f"An objective must lie in the project folder {project}, but got {reference!r}."
        )
    if not path.is_file():
        hint = near_miss(path.name, [p.name for p in project.glob("*.py")])
        raise ObjectiveError(f"There is no file {path_text} in {project}.{hint}")
    return path, function


def read_objective(reference: str, project: Path) -> ObjectiveSource:
    """Read the objective's file, without running it.

    Args:
        reference: `path.py:function`.
        project: The folder that the path is relative to.

    Raises:
        ObjectiveError: There is no such file, or it cannot be read.
    """
    path, _ = locate(reference, project)
    try:
        return ObjectiveSource(project, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ObjectiveError(f"{path} cannot be read: {error}") from None


def source_text(function: Objective) -> str:
    """The text of a function, as far as Python can find it: what tells it from another."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return repr(function)


def load(reference: str, project: Path, function: Objective | None = None) -> LoadedObjective:
    """Import the objective; the project folder comes first on the import path, then its own.

    Args:
        reference: `path.py:function`.
        project: The folder that the path is relative to.
        function: The objective itself, where no file has it.

    Raises:
        ObjectiveError: It is missing, has no such function or one of another shape, or raises or
            runs a study on import.
    """
    if function is not None:
        return LoadedObjective(project, function, check=None, prepare=None)
    path, name = locate(reference, project)
    module = _import(path, project)
    function = getattr(module, name, None)
    if not callable(function):
        hint = near_miss(name, [n for n in vars(module) if n[0] != "_"])
        raise ObjectiveError(f"{path} has no function {name!r}.{hint}")
    refuse_other_shapes(function, name)
    return LoadedObjective(
        path,
        cast(Objective, function),
        getattr(module, "check", None),
        getattr(module, "prepare", None),
        _metrics(module),
    )


def check_settings(
    objective: LoadedObjective, settings: Sequence[Mapping[str, Any]]
) -> list[Refusal]:
    """Let the module's own `check` look at every setting, and give all that it refuses.

    Raises:
        ObjectiveError: It wants to end the process instead.
    """
    refusals: list[Refusal] = []
    if objective.check is None:
        return refusals
    for values in settings:
        try:
            objective.check(dict(values))
        except Exception as error:  # whatever a user's function raises is its way to refuse
            refusals += read_refusal(values, error)
        except BaseException as error:  # but this is no refusal
            raise ObjectiveError(f"check(settings): {_placed(error, objective.path)}") from error
    return refusals


def prepare(objective: LoadedObjective, settings: Mapping[str, Any]) -> None:
    """Let the module prepare itself in this process, if it offers to.

    Raises:
        ObjectiveError: With what its `prepare` raised.
    """
    if objective.prepare is None:
        return
    try:
        objective.prepare(dict(settings))
    except (StopTrial, HpoError):
        raise
    except BaseException as error:  # SystemExit, too, would otherwise end the worker unheard
        raise ObjectiveError(f"prepare(settings): {_placed(error, objective.path)}") from error


def imports_of(text: str) -> set[str]:
    """Top-level names of the packages that a module's text imports anywhere; it is not run."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def _metrics(module: ModuleType) -> Sequence[str] | None:
    names = getattr(module, "METRICS", None)  # a name that a script may use for its own ends
    is_ours = isinstance(names, list | tuple) and all(type(name) is str for name in names)
    return names if is_ours else None


def _import(path: Path, project: Path) -> ModuleType:
    for folder in (str(path.parent), str(project.resolve())):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ObjectiveError(f"{path} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses and pickles look their module up
    try:
        with no_study_at_import():
            spec.loader.exec_module(module)
    except StopTrial:
        raise
    except BaseException as error:  # SystemExit, too, would otherwise end the process unheard
        sys.modules.pop(path.stem, None)
        raise ObjectiveError(_placed(error, path)) from error
    return module


def _placed(error: BaseException, path: Path) -> str:
    """An error with the deepest line of the user's own file on the way to it."""
    said = str(error) if isinstance(error, HpoError) else describe(error)
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {said}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    place = f"{path}:{lines[-1]}" if lines else str(path)
    return f"{place}: {said}"
