"""Which studies `hpo run` runs: those of study files, or the one that its options describe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hpo.errors import UserError

if TYPE_CHECKING:
    from hpo.study_file import StudyFile

Command = TypeVar("Command", bound=Callable[..., Any])
Source = tuple["StudyFile", Path]

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
    files: Sequence[Path], quick: Mapping[str, Any], overrides: Sequence[str]
) -> list[Source]:
    """Each study with its project folder; that of a study without a file is the current one.

    Args:
        files: Study files.
        quick: The values of `quick_options`, by name.
        overrides: ``key=value`` texts.

    Raises:
        UserError: There is nothing to run, or the options contradict each other.
        FileFaults: Everything that is wrong with a study.
    """
    if quick["objective"] is not None:
        return [_quick(files, quick, overrides)]
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
    from hpo.study_file import load, project_folder

    return [(load(path, overrides), project_folder(path)) for path in files]


def _quick(files: Sequence[Path], quick: Mapping[str, Any], overrides: Sequence[str]) -> Source:
    from hpo.quick_study import QuickOptions, quick_study

    if files:
        raise UserError(f"`hpo run` takes study files or --objective, but got both: {files[0]}.")
    return quick_study(QuickOptions(**quick), overrides, Path.cwd()), Path.cwd()
