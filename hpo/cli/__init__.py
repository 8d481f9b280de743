"""The `hpo` command: thin, and light to import, so that `hpo --help` answers at once."""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from importlib import import_module
from typing import Any

import click

from hpo.errors import HpoError, OutputError, ReaderGone
from hpo.near_miss import near_miss
from hpo.streams import discard_output, guard_standard_streams
from hpo.workers.signals import LEAVE_S, interrupting

# Command -> the line that `hpo --help` shows without importing its module, which has its name.
_COMMANDS = {
    "init": "Write a new project that runs at once.",
    "run": "Make or resume the studies of study files, and finish them.",
    "resume": "Go on with a study from its database alone.",
    "worker": "Join a study with this machine's devices.",
    "stop": "Ask the workers of a study to stop.",
    "plan": "Check a study file and print its points; nothing is created.",
    "devices": "Show the device slots this machine has.",
    "list": "List the studies of a storage.",
    "show": "Show how a study stands.",
    "trials": "Print a study's trials.",
    "best": "Print the best trial's settings as YAML.",
    "train": "Train one MLP, by its defaults, a settings file or a stored trial.",
    "reproduce": "Train a stored trial again and compare.",
    "report": "Write a report of one study or compare several.",
    "delete": "Remove a study with its points.",
    "dashboard": "Serve optuna-dashboard on the storage, read-only.",
    "schema": "Print the JSON Schema of study files, for editors.",
    "doctor": "Check everything that a run needs.",
}
DEBUG_VARIABLE = "HPO_DEBUG"


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The commands' names, in the order of use."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name."""
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"hpo.cli.{cmd_name}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names; a misspelt one is answered with its like."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            hint = near_miss(args[0], _COMMANDS)
            raise click.UsageError(f"{error.message}{hint}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="hpo-service", prog_name="hpo")
def group(debug: bool) -> None:
    """Hyperparameter searches and controlled experiments on Optuna."""
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 incomplete, 2 wrong usage, 130 interrupted."""
    guard_standard_streams()
    with interrupting():
        code = _exit_code(arguments)
    _leave_threads(code)
    sys.exit(code)


def _leave_threads(code: int) -> None:
    """End this process though an objective that it ran has left threads alive."""
    deadline = time.monotonic() + LEAVE_S
    threads = [
        t for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()
    ]
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        os._exit(code)


def _exit_code(arguments: list[str] | None) -> int:
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except ReaderGone as error:
        discard_output()
        return error.exit_code
    except OutputError as error:
        discard_output()
        return _complain(error)
    return code


def _run(arguments: list[str] | None) -> int:
    try:
        answer: Any = group.main(arguments, prog_name="hpo", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        return _show(error)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except OutputError:
        raise
    except HpoError as error:
        return _complain(error)
    return answer if isinstance(answer, int) else 0


def _show(error: click.ClickException) -> int:
    from hpo.console import tell

    usage = io.StringIO()
    error.show(usage)
    tell(usage.getvalue().rstrip())
    return 2


def _complain(error: HpoError) -> int:
    import traceback

    from hpo.console import complain, tell

    if DEBUG_VARIABLE in os.environ:
        tell("".join(traceback.format_exception(error)).rstrip())
    complain(str(error))
    return error.exit_code
