"""The options of the commands that run a study, and following it to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from hpo.cli.options import storage_option
from hpo.databases.urls import storage_url
from hpo.errors import UserError

if TYPE_CHECKING:
    from hpo.events import OnEvent
    from hpo.runs.result import RunResult
    from hpo.runs.run import RunArgs

    Start = Callable[[str, RunArgs, OnEvent], RunResult]


def run_options(command: Any) -> Any:
    """The options that `hpo run`, `resume` and `worker` share."""
    for option in reversed(
        (
            storage_option,
            click.option("--workers", type=click.IntRange(min=0), help="0 = in this process."),
            click.option("--devices", metavar="TEXT", help="auto, cpu, cpu*4, cuda:0,cuda:2, ..."),
            click.option(
                "--timeout",
                "timeout_s",
                metavar="TIME",
                callback=_duration,
                help="Stop after 90s, 30min, 2h.",
            ),
            click.option("--json", "as_json", is_flag=True, help="One JSON object an event."),
            click.option("--retry-failed", is_flag=True, help="Free the points that FAILED."),
            click.option(
                "--accept-changed-objective",
                is_flag=True,
                help="Go on with an objective that was edited since the study began.",
            ),
        )
    ):
        command = option(command)
    return command


def follow(start: Start, *, storage: str | None, as_json: bool, **args: Any) -> int:
    """Run a study, show it while it runs, and say how it ended.

    Args:
        start: Runs it, given a storage, what is asked for, and who is told of its events.
        storage: The option `--storage`.
        as_json: Whether programs follow it.
        args: Fields of `RunArgs`.

    Returns:
        The exit code.
    """
    from hpo.cli.format_run import say_result
    from hpo.cli.run_output import RunOutput
    from hpo.run_display import display_run
    from hpo.runs.run import RunArgs

    with display_run(as_json=as_json) as display:
        output = RunOutput(display.note)
        result = start(storage_url(storage), RunArgs(**args), output.note)
        output.close()
    if not as_json:
        say_result(result, storage)
    return result.exit_code


def _duration(
    context: click.Context,  # noqa: ARG001
    option: click.Option,  # noqa: ARG001
    text: str | None,
) -> float | None:
    """Read a time such as 30min before anything else is done."""
    from hpo.study_files.keys import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise UserError(f"--timeout {error}") from None
