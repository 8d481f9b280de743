"""What `hpo run` says, to people and to programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpo import console

if TYPE_CHECKING:
    from hpo.runs.launch import Launched
    from hpo.runs.running import Finished
    from hpo.runs.supervisor import Ending
    from hpo.runs.tally import Tally
    from hpo.workers.devices import Choice

N_FAILURES_SHOWN = 10


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


def summary_event(launched: Launched, finished: Finished, tally: Tally) -> dict[str, Any]:
    """The last event of a run."""
    counts = finished.ending.counts
    return {
        "event": "summary",
        "study": launched.stored.name,
        "why": finished.ending.why.value,
        "reason": finished.ending.reason,
        "total": counts.total,
        "done": counts.done,
        "pruned": tally.pruned,
        "failed": counts.failed,
        "free": counts.free,
        "best": tally.best,
        "best_trial": tally.best_trial,
        "best_params": dict(tally.best_params),
        "elapsed_s": round(finished.elapsed_s, 3),
        "exit_code": finished.exit_code,
    }


def say_ended(launched: Launched, ended: Ending, where: str) -> None:
    """A run that has nothing to do."""
    name = launched.stored.name
    console.say(f"Study {name} is finished: {ended.reason}. Nothing was added.")
    _say_failures(launched, where)
    console.say(f"Look at it: hpo show {name}{where}")


def say_closing(launched: Launched, finished: Finished, tally: Tally, where: str) -> None:
    """The lines after the last trial."""
    name, ending = launched.stored.name, finished.ending
    console.say(f"Ended after {console.format_duration(finished.elapsed_s)}: {ending.reason}.")
    if tally.best_params:
        shown = ", ".join(f"{k}={console.shorten(v)}" for k, v in tally.best_params.items())
        console.say(f"Best: {tally.best:.5g} by trial {tally.best_trial} with {shown}")
    _say_failures(launched, where)
    if ending.counts.free:
        console.say(f"{ending.counts.free} points are left. Go on: hpo resume {name}{where}")
    console.say(f"Next: hpo show {name}{where}   hpo best {name}{where}   hpo dashboard{where}")


def _say_failures(launched: Launched, where: str) -> None:
    rows = launched.stored.ledger.rows("FAILED")
    for row in rows[:N_FAILURES_SHOWN]:
        console.say(f"Point {row['number']} FAILED (trial {row['trial_number']}): {row['reason']}")
    if len(rows) > N_FAILURES_SHOWN:
        console.say(f"... and {len(rows) - N_FAILURES_SHOWN} more")
    if rows:
        name = launched.stored.name
        console.say(f"Try them again: hpo resume {name} --retry-failed{where}")
