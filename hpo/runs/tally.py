"""How a run goes: the study as last read, and what this run itself did. The clock is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hpo.runs.standing import Standing

Event = Mapping[str, Any]


@dataclass
class Tally:
    """A run under way.

    Attributes:
        standing: How the study stood when it was last read; other runs may have brought it there.
        clock: Seconds, monotonic.
        done: Trials of this run that ended well, pruned ones included.
        pruned: Those of them that were pruned.
        failed: Trials of this run that failed, and points that lost their worker too often.
        released: Points that this run gave back because it was stopped.
        running: Trials at work in this run: number -> slot.
    """

    standing: Standing
    clock: Callable[[], float]
    done: int = 0
    pruned: int = 0
    failed: int = 0
    released: int = 0
    running: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._started = self.clock()
        self._n_open_at_first = self._n_open()

    def note(self, event: Event) -> None:
        """Take one event of a worker or of the supervisor in."""
        kind = event["event"]
        if kind == "trial_started":
            self.running[event["trial"]] = event.get("slot", "")
        elif kind in _ENDS:
            self.running.pop(event["trial"], None)
        if kind == "trial_finished":
            self.done += 1
            self.pruned += int(event["state"] == "PRUNED")
        elif kind == "trial_failed":
            self.failed += 1
        elif kind == "trial_released":
            self.released += 1
        elif kind == "trial_lost":
            self.failed += int(event["state"] == "FAILED")
            self.released += int(event["fate"] == "RELEASED")

    def trials_per_minute(self) -> float | None:
        """Trials that this run ended, a minute; None before the first."""
        n_ended, elapsed_s = self.done + self.failed, self.elapsed_s()
        return 60 * n_ended / elapsed_s if n_ended and elapsed_s else None

    def seconds_left(self) -> float | None:
        """Seconds until every point has ended at the study's pace since this run began."""
        n_ended = self._n_open_at_first - self._n_open()
        return self.elapsed_s() * self._n_open() / n_ended if n_ended > 0 else None

    def n_ended_elsewhere(self) -> int:
        """Points that earlier runs, or others beside this one, brought to their end."""
        counts = self.standing.counts
        return counts.done + counts.failed - self.done - self.failed

    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self.clock() - self._started

    def line(self) -> str:
        """The study in one line, and what this run did where that is not the whole story."""
        standing, counts, best = self.standing, self.standing.counts, self.standing.winner
        parts = [f"{counts.done} of {counts.total} done", f"{standing.n_pruned} pruned"]
        parts += [f"{counts.failed} failed"] if counts.failed else []
        parts += [f"{counts.leased} running"] if counts.leased else []
        parts += [f"best {best.values[0]:.4g} (trial {best.number})"] if best else []
        pace = self.trials_per_minute()
        parts += [f"{pace:.3g} trials a minute"] if pace is not None else []
        # Trials at work here may have ended without our having heard of it.
        is_alone = self.n_ended_elsewhere() <= len(self.running)
        own = "" if is_alone and not self.released else f"; this run: {self._own_part()}"
        return ", ".join(parts) + own

    def _own_part(self) -> str:
        n_ended = self.done + self.failed
        parts = [f"{n_ended} trial{'s' if n_ended != 1 else ''}", f"{self.pruned} pruned"]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self.released} given back"] if self.released else []
        return ", ".join(parts)

    def _n_open(self) -> int:
        return self.standing.counts.free + self.standing.counts.leased


_ENDS = ("trial_finished", "trial_failed", "trial_released", "trial_dropped", "trial_lost")
