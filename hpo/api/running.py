"""Studies loaded and run from Python, in scripts and in notebooks."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.databases.urls import storage_url
from hpo.errors import UserError
from hpo.events import Event, Note, OnEvent

if TYPE_CHECKING:
    from hpo.runs.result import RunResult
    from hpo.runs.run import RunArgs
    from hpo.study_files.study_file import StudyFile
    from hpo.workers.objective_file import Objective

_IN_MEMORY = "in_memory.py"  # stands for the file of a function that no file has


def load(source: str | Path | Mapping[str, Any], *, project: str | Path | None = None) -> StudyFile:
    """Read a study file, or the same keys from a mapping.

    Args:
        source: The file's path, or its keys and values as the file would have them.
        project: For a mapping, the folder that named search spaces are in; else the current one.

    Returns:
        The settled study file.

    Raises:
        hpo.errors.FileFaults: Everything that is wrong, each with its place.
    """
    from hpo.study_files import reading

    if isinstance(source, Mapping):
        return reading.load_mapping(source, _folder(project))
    return reading.load(Path(source))


def run(
    study: str | Path | Mapping[str, Any] | StudyFile | Objective,
    *,
    storage: str | None = None,
    project: str | Path | None = None,
    workers: int | None = None,
    devices: str | None = None,
    timeout: float | str | None = None,
    retry_failed: bool = False,
    accept_changed_objective: bool = False,
    on_event: OnEvent | None = None,
    progress: bool = True,
    **keys: Any,
) -> RunResult:
    """Make or continue a study and finish it, with workers in processes of their own.

    Args:
        study: A study file's path, its keys as a mapping, what `load` returned, or an objective.
            A function that is in no file (a lambda, a notebook's) is run in this process.
        storage: The database's URL; by default the one that the `hpo` command would take.
        project: The folder that the objective is in; by default that of the file or function.
        workers: How many workers; None for one on each device slot, 0 to work in this process.
        devices: Where, e.g. ``cpu*4``; None for what the study says.
        timeout: Stop after so many seconds, or after a time such as ``30min``.
        retry_failed: Whether points that FAILED are free again.
        accept_changed_objective: Whether an edited objective may go on with the study.
        on_event: Told of everything that happens, in the words of `hpo.events`.
        progress: Whether to show how it goes, in a notebook as on a terminal.
        keys: Keys of a study file, for an objective: ``n_trials=50``, ``direction="minimize"``.

    Returns:
        Why the run ended, and how the study stands. Ctrl-C ends a run, and returns, too.

    Raises:
        hpo.errors.UserError: Something is wrong with the study, the storage or the devices.
        hpo.errors.HpoError: The workers could not work at all.
    """
    from hpo.runs.run import RunArgs
    from hpo.runs.run import run as run_study
    from hpo.workers.objective_shape import refuse_at_import

    refuse_at_import()
    file, folder, function = _settled(study, project, keys)
    args = RunArgs(
        workers=workers,
        devices=devices,
        timeout_s=_seconds(timeout),
        retry_failed=retry_failed,
        accept_changed_objective=accept_changed_objective,
        function=function,
    )
    return _followed(
        lambda told: run_study(file, folder, storage_url(storage), args, told),
        args,
        on_event,
        progress,
    )


def resume(
    name: str,
    *,
    storage: str | None = None,
    project: str | Path | None = None,
    workers: int | None = None,
    devices: str | None = None,
    timeout: float | str | None = None,
    retry_failed: bool = False,
    accept_changed_objective: bool = False,
    on_event: OnEvent | None = None,
    progress: bool = True,
) -> RunResult:
    """Go on with a stored study from its database alone, and finish it.

    Args:
        name: The study's name.
        storage: As for `run`.
        project: The folder that the objective is in; by default the current one.
        workers: As for `run`, like all that follows.
        devices: Where.
        timeout: Stop after so long.
        retry_failed: Whether points that FAILED are free again.
        accept_changed_objective: Whether an edited objective may go on with the study.
        on_event: Told of everything that happens.
        progress: Whether to show how it goes.

    Raises:
        hpo.errors.UserError: There is no such study, or something is wrong with its objective.
        hpo.errors.HpoError: The workers could not work at all.
    """
    from hpo.runs.run import RunArgs
    from hpo.runs.run import resume as resume_study
    from hpo.workers.objective_shape import refuse_at_import

    refuse_at_import()
    args = RunArgs(
        workers=workers,
        devices=devices,
        timeout_s=_seconds(timeout),
        retry_failed=retry_failed,
        accept_changed_objective=accept_changed_objective,
    )
    url, folder = storage_url(storage), _folder(project)
    return _followed(
        lambda told: resume_study(name, folder, url, args, told), args, on_event, progress
    )


def _settled(
    study: Any, project: str | Path | None, keys: Mapping[str, Any]
) -> tuple[StudyFile, Path, Objective | None]:
    """The study file, the project folder, and the objective where only this process has it."""
    from hpo.study_files.reading import project_folder
    from hpo.study_files.study_file import StudyFile

    if callable(study):
        return _of_function(study, keys)
    if keys:
        raise UserError(f"{next(iter(keys))} is a key for an objective, not for a study file.")
    if isinstance(study, StudyFile):
        return study, _folder(project), None
    folder = _folder(project)
    if project is None and not isinstance(study, Mapping):
        folder = project_folder(Path(study))
    return load(study, project=folder), folder, None


def _of_function(
    function: Objective, keys: Mapping[str, Any]
) -> tuple[StudyFile, Path, Objective | None]:
    name = getattr(function, "__name__", "objective")
    path = _file_of(function)
    defaults = {"study": name if name.isidentifier() else "study", "method": "tpe"}
    if path is not None:
        given = {**defaults, **keys, "objective": f"{path.name}:{name}"}
        return load(given, project=path.parent), path.parent, None
    reference = f"{_IN_MEMORY}:{name if name.isidentifier() else 'objective'}"
    return load({**defaults, **keys, "objective": reference}), Path.cwd(), function


def _file_of(function: Objective) -> Path | None:
    """The file from which a worker can import a function; None where there is none."""
    module = sys.modules.get(getattr(function, "__module__", "") or "")
    name = getattr(function, "__name__", "")
    if module is None or getattr(module, name, None) is not function:
        return None
    try:
        path = Path(inspect.getsourcefile(function) or "")
    except TypeError:
        return None
    return path.resolve() if path.suffix == ".py" and path.is_file() else None


def _followed(
    start: Callable[[OnEvent], RunResult],
    args: RunArgs,
    on_event: OnEvent | None,
    progress: bool,
) -> RunResult:
    """Run with a display, and tell `on_event` as well."""
    from hpo.run_display import display_run

    with display_run() if progress else nullcontext() as display:

        def told(event: Event) -> None:
            if display is not None:
                display.note(event)
            if on_event is not None:
                on_event(event)

        if args.function is not None:
            told(Note(_ONLY_HERE))
        return start(told)


_ONLY_HERE = (
    "The objective is in no file that workers could import, so it runs in this process, one trial "
    "at a time. Write it to a .py file and import it to use every device."
)


def _folder(project: str | Path | None) -> Path:
    return Path.cwd() if project is None else Path(project)


def _seconds(timeout: float | str | None) -> float | None:
    from hpo.study_files.keys import parse_duration

    try:
        return None if timeout is None else parse_duration(timeout)
    except ValueError as error:
        raise UserError(f"timeout {error}") from None
