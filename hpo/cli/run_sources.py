"""Which studies `hpo run` runs: those of study files, or the one that its options describe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hpo.errors import UserError

if TYPE_CHECKING:
    from hpo.study_files.study_file import StudyFile

Command = TypeVar("Command", bound=Callable[..., Any])
Source = tuple["StudyFile", Path]

DEFAULT_METHOD = "tpe"
QUICK = ("objective", "directions", "method", "pruner")


def quick_options(command: Command) -> Command:
    """The options that stand in place of a study file."""
    for option in reversed(
        (
            click.option(
                "--objective", metavar="SCRIPT.py:FUNCTION", help="Run this, without a study file:"
            ),
            click.option(
                "--direction", "directions", multiple=True, help="- minimize or maximize, per value"
            ),
            click.option("--method", help="- how points are chosen [tpe]"),
            click.option("--pruner", metavar="YAML", help="- as in a study file, e.g. median"),
        )
    ):
        command = option(command)
    return command


def load_studies(
    files: Sequence[Path],
    quick: Mapping[str, Any],
    changes: Sequence[str],
    options: Mapping[str, Any],
) -> list[Source]:
    """Each study with its project folder; that of a study without a file is the current one.

    Args:
        files: Study files.
        quick: The values of `quick_options`, by name.
        changes: ``key=value`` texts of ``--set``.
        options: The values of ``--n-trials`` and ``--name``, by key of the study file.

    Raises:
        UserError: There is nothing to run, or the options contradict each other.
        FileFaults: Everything that is wrong with a study.
    """
    if quick["objective"] is not None:
        return [_quick(files, quick, changes, options)]
    for name in QUICK:
        if quick[name]:
            key, value = (name, quick[name]) if name != "directions" else ("direction", "...")
            raise UserError(
                f"--{key} goes with --objective. Change a study file with --set {key}={value}"
            )
    if not files:
        raise UserError(
            "`hpo run` needs a study file, e.g. hpo run studies/quickstart.yaml, "
            "or --objective SCRIPT.py:FUNCTION."
        )
    from hpo.study_files.reading import load, project_folder

    return [(load(path, changes, options), project_folder(path)) for path in files]


def _quick(
    files: Sequence[Path],
    quick: Mapping[str, Any],
    changes: Sequence[str],
    options: Mapping[str, Any],
) -> Source:
    if files:
        raise UserError(f"`hpo run` takes study files or --objective, but got both: {files[0]}.")
    return quick_study(quick, changes, options, Path.cwd()), Path.cwd()


def quick_study(
    quick: Mapping[str, Any], changes: Sequence[str], options: Mapping[str, Any], project: Path
) -> StudyFile:
    """Make the study that the options ask for; without a name it has the script's.

    Args:
        quick: The values of `quick_options`, by name.
        changes: ``key=value`` texts of ``--set``.
        options: The values of ``--n-trials`` and ``--name``, by key of the study file.
        project: The project folder.

    Raises:
        FileFaults: Everything that is wrong, each with its option.
    """
    from hpo.study_files.overrides import OPTIONS, put_options
    from hpo.study_files.reading import read_study
    from hpo.yaml_files.source import Document, Place

    document = Document("hpo run")
    document.places = {(key,): Place(option, 0) for key, option in OPTIONS.items()}
    put_options(document, _keys(**quick))
    stem = Path(quick["objective"].rpartition(":")[0]).stem or "study"
    return read_study(document, changes, project, stem, options)


def _keys(
    objective: str, directions: Sequence[str], method: str | None, pruner: str | None
) -> dict[str, Any]:
    """The options as keys of a study file; None where there is none."""
    several = len(directions) > 1
    return {
        "objective": objective,
        "method": method or DEFAULT_METHOD,
        "direction": None if several or not directions else directions[0],
        "directions": list(directions) if several else None,
        "pruner": None if pruner is None else _value(pruner),
    }


def _value(text: str) -> Any:
    from hpo.yaml_files.source import parse_value

    try:
        return parse_value(text)
    except ValueError:
        return text  # the rule for pruners says what is wrong with it
