"""How a run stands: kept up to date by the workers' events. Pure: the clock is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Event = Mapping[str, Any]


@dataclass
class Tally:
    """Counts, best and pace of one run.

    Attributes:
        total: Points of the plan.
        maximize: The direction; None with several objective values, which have no best.
        clock: Seconds, monotonic.
        done: Points that ended with a trial, pruned ones included.
        pruned: Those of them that were pruned.
        failed: Points that failed for good.
        running: Trials at work.
        best: The best value of a complete trial.
        best_trial: Its number.
        best_params: Its parameters.
    """

    total: int
    maximize: bool | None
    clock: Callable[[], float]
    done: int = 0
    pruned: int = 0
    failed: int = 0
    running: dict[int, str] = field(default_factory=dict)
    best: float | None = None
    best_trial: int | None = None
    best_params: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._started = self.clock()
        self._n_ended_here = 0

    def note(self, event: Event) -> None:
        """Take one event of a worker or of the supervisor in."""
        kind = event["event"]
        if kind == "trial_started":
            self.running[event["trial"]] = event.get("slot", "")
        elif kind in ("trial_finished", "trial_failed", "trial_released", "trial_dropped"):
            self.running.pop(event["trial"], None)
        if kind == "trial_finished":
            self._finish(event)
        elif kind == "trial_failed":
            self._end(failed=1)
        elif kind == "trial_lost":
            self.running.pop(event["trial"], None)
            self.failed += int(event["state"] == "FAILED")

    def trials_per_minute(self) -> float | None:
        """Trials ended in this run, a minute; None before the first."""
        elapsed_s = self.clock() - self._started
        return 60 * self._n_ended_here / elapsed_s if self._n_ended_here and elapsed_s else None

    def seconds_left(self) -> float | None:
        """Seconds until the plan is done at the pace of this run; None before the first trial."""
        pace = self.trials_per_minute()
        return None if pace is None else 60 * (self.total - self.done - self.failed) / pace

    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self.clock() - self._started

    def _finish(self, event: Event) -> None:
        self._end(done=1, pruned=int(event["state"] == "PRUNED"))
        if event["state"] != "COMPLETE" or self.maximize is None:
            return
        value = event["values"][0]
        if self.best is None or (value > self.best if self.maximize else value < self.best):
            self.best, self.best_trial = value, event["trial"]
            self.best_params = event["params"]

    def _end(self, done: int = 0, pruned: int = 0, failed: int = 0) -> None:
        self.done += done
        self.pruned += pruned
        self.failed += failed
        self._n_ended_here += 1
