"""What `hpo run` says, to people and to programs."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo import console

if TYPE_CHECKING:
    from hpo.ledger.stored_study import StoredStudy
    from hpo.runs.launch import Launched
    from hpo.runs.running import Finished
    from hpo.runs.tally import Tally
    from hpo.workers.devices import Choice

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


def opening(launched: Launched, choice: Choice) -> str:
    """The lines before the first trial."""
    stored = launched.stored
    verb = "begins" if launched.is_new else "goes on"
    counts = stored.ledger.counts()
    to_go = counts.total - counts.done - counts.failed
    return (
        f"Study {stored.name} {verb} in {stored.storage.name}: {stored.file.method}, "
        f"{to_go} of {counts.total} trials to go\n{choice.reason}"
    )


def study_event(launched: Launched, choice: Choice) -> dict[str, Any]:
    """The first event of a run."""
    stored = launched.stored
    return {
        "event": "study",
        "study": stored.name,
        "storage": stored.storage.name,
        "method": stored.file.method,
        "is_new": launched.is_new,
        "total": stored.ledger.counts().total,
        "slots": [slot.name for slot in choice.slots],
        "reason": choice.reason,
    }


def summary_event(stored: StoredStudy, finished: Finished, tally: Tally) -> dict[str, Any]:
    """The last event of a run: the study as the database has it, and what this run did."""
    counts, best = finished.standing.counts, finished.standing.winner
    return {
        "event": "summary",
        "study": stored.name,
        "why": finished.ending.why.value,
        "reason": finished.ending.reason,
        "total": counts.total,
        "done": counts.done,
        "pruned": finished.standing.n_pruned,
        "failed": counts.failed,
        "leased": counts.leased,
        "free": counts.free,
        "best": None if best is None else best.values[0],
        "best_trial": None if best is None else best.number,
        "best_params": {} if best is None else dict(best.params),
        "this_run": {name: getattr(tally, name) for name in _OWN},
        "elapsed_s": round(finished.elapsed_s, 3),
        "exit_code": finished.exit_code,
    }


_OWN = ("done", "pruned", "failed", "released")


def say_ended(stored: StoredStudy, finished: Finished, commands: Commands) -> None:
    """A run that has nothing to do."""
    console.say(f"Study {stored.name} is finished: {finished.ending.reason}. Nothing was added.")
    _say_failures(stored, commands)
    console.say(f"Look at it: {commands.of('show')}")


def say_closing(stored: StoredStudy, finished: Finished, commands: Commands) -> None:
    """The lines after the last trial."""
    standing, ending = finished.standing, finished.ending
    console.say(f"Ended after {console.format_duration(finished.elapsed_s)}: {ending.reason}.")
    best = standing.winner
    if best is not None:
        shown = ", ".join(f"{k}={console.shorten(v)}" for k, v in best.params.items())
        console.say(f"Best: {best.values[0]:.5g} by trial {best.number} with {shown}")
    _say_failures(stored, commands)
    if standing.counts.free and finished.can_go_on:
        console.say(f"{standing.counts.free} points are left. Go on: {commands.resume()}")
    steps = [commands.of("show"), *([commands.of("best")] if standing.best else [])]
    console.say("Next: " + "   ".join([*steps, commands.dashboard()]))


def _say_failures(stored: StoredStudy, commands: Commands) -> None:
    rows = stored.ledger.rows("FAILED")
    for row in rows[:N_FAILURES_SHOWN]:
        console.say(f"Point {row['number']} FAILED (trial {row['trial_number']}): {row['reason']}")
    if len(rows) > N_FAILURES_SHOWN:
        console.say(f"... and {len(rows) - N_FAILURES_SHOWN} more")
    if rows:
        console.say(f"Try them again: {commands.resume('--retry-failed')}")
