"""What `hpo run` says at its end: a result goes in, lines and the next commands come out."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpo import console
from hpo.databases.database_schema import mask_password
from hpo.durations import format_duration

if TYPE_CHECKING:
    from hpo.runs.result import RunResult

N_FAILURES_SHOWN = 10


@dataclass(frozen=True)
class Commands:
    """Commands for the same study, as they work from the current folder.

    Attributes:
        study: The study's name.
        storage: The `--storage` of this command, without its password; empty for the usual one.
        project: The folder that the objective is in.
    """

    study: str
    storage: str
    project: Path

    def of(self, command: str, *options: str) -> str:
        """A command about the study, e.g. `hpo show mine --storage sqlite:///mine.db`."""
        return " ".join(["hpo", command, shlex.quote(self.study), *options, *self._storage()])

    def resume(self, *options: str) -> str:
        """The command that goes on with it."""
        is_here = self.project.resolve() == Path.cwd()
        project = [] if is_here else ["--project", shlex.quote(str(self.project))]
        return self.of("resume", *options, *project)

    def dashboard(self) -> str:
        """The command that shows the storage in a browser."""
        return " ".join(["hpo dashboard", *self._storage()])

    def _storage(self) -> list[str]:
        return ["--storage", shlex.quote(self.storage)] if self.storage else []


def say_result(result: RunResult, storage: str | None) -> None:
    """Say how a run ended, and what can be done next.

    Args:
        result: What became of the run.
        storage: The `--storage` of this command.
    """
    shown = mask_password(storage) if storage else ""
    commands = Commands(result.study, shown, result.project)
    if result.was_ended:
        console.say(f"Study {result.study} is finished: {result.reason}. Nothing was added.")
        _say_failures(result, commands)
        console.say(f"Look at it: {commands.of('show')}")
        return
    console.say(f"Ended after {format_duration(result.elapsed_s)}: {result.reason}.")
    if result.best is not None:
        params = ", ".join(f"{k}={console.shorten(v)}" for k, v in result.best_params.items())
        console.say(f"Best: {result.best:.5g} by trial {result.best_trial} with {params}")
    _say_failures(result, commands)
    if result.free and result.can_go_on:
        console.say(f"{result.free} points are left. Go on: {commands.resume()}")
    steps = [commands.of("show"), *([commands.of("best")] if result.has_best else [])]
    console.say("Next: " + "   ".join([*steps, commands.dashboard()]))


def _say_failures(result: RunResult, commands: Commands) -> None:
    failures = result.failures
    for failed in failures[:N_FAILURES_SHOWN]:
        console.say(f"Point {failed.point} FAILED (trial {failed.trial}): {failed.reason}")
    if len(failures) > N_FAILURES_SHOWN:
        console.say(f"... and {len(failures) - N_FAILURES_SHOWN} more")
    if failures:
        console.say(f"Try them again: {commands.resume('--retry-failed')}")
