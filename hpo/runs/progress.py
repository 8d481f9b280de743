"""How a run goes: the study as last read, and what this run itself did. The clock is given."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hpo.events import (
    Event,
    StudyOpened,
    TrialDropped,
    TrialEnded,
    TrialFailed,
    TrialFinished,
    TrialLost,
    TrialReleased,
    TrialStarted,
)
from hpo.ledger.points import Counts
from hpo.runs.standing import Standing, StandingRead


@dataclass
class OwnCounts:
    """What one run itself did.

    Attributes:
        done: Trials that ended well, pruned ones included.
        pruned: Those of them that were pruned.
        failed: Trials that failed, and points that lost their worker too often.
        released: Points that were given back because the run was stopped.
    """

    done: int = 0
    pruned: int = 0
    failed: int = 0
    released: int = 0

    def note(self, event: Event) -> None:
        """Count what an event says."""
        if isinstance(event, TrialFinished):
            self.done += 1
            self.pruned += int(event.state == "PRUNED")
        elif isinstance(event, TrialFailed):
            self.failed += 1
        elif isinstance(event, TrialReleased):
            self.released += 1
        elif isinstance(event, TrialLost):
            self.failed += int(event.state == "FAILED")

    @property
    def n_ended(self) -> int:
        """Trials that brought their points to an end."""
        return self.done + self.failed


@dataclass
class RunProgress:
    """A run under way, as its events tell.

    Attributes:
        clock: Seconds, monotonic.
        standing: How the study stood when it was last read; other runs may have brought it there.
        own: What this run did.
        running: Trials at work in this run: number -> slot.
    """

    clock: Callable[[], float] = time.monotonic
    standing: Standing = field(default_factory=lambda: Standing(Counts()))
    own: OwnCounts = field(default_factory=OwnCounts)
    running: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._started = self.clock()
        self._n_open_at_first: int | None = None

    def note(self, event: Event) -> None:
        """Take in one event."""
        self.own.note(event)
        if isinstance(event, StudyOpened):
            self._started = self.clock()  # what was before is no work
        elif isinstance(event, StandingRead):
            self.standing = event.standing
            if self._n_open_at_first is None:
                self._n_open_at_first = self._n_open()
        elif isinstance(event, TrialStarted):
            self.running[event.trial] = event.slot
        elif isinstance(event, TrialEnded | TrialReleased | TrialDropped | TrialLost):
            self.running.pop(-1 if event.trial is None else event.trial, None)

    def trials_per_minute(self) -> float | None:
        """Trials that this run ended, a minute; None before the first."""
        elapsed_s = self.elapsed_s()
        return 60 * self.own.n_ended / elapsed_s if self.own.n_ended and elapsed_s else None

    def seconds_left(self) -> float | None:
        """Seconds until every point has ended at the study's pace since this run began."""
        n_ended = (self._n_open_at_first or 0) - self._n_open()
        return self.elapsed_s() * self._n_open() / n_ended if n_ended > 0 else None

    def n_ended_elsewhere(self) -> int:
        """Points that earlier runs, or others beside this one, brought to their end."""
        counts = self.standing.counts
        return counts.done + counts.failed - self.own.n_ended

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
        own = "" if is_alone and not self.own.released else f"; this run: {self._own_part()}"
        return ", ".join(parts) + own

    def _own_part(self) -> str:
        own, n = self.own, self.own.n_ended
        parts = [f"{n} trial{'s' if n != 1 else ''}", f"{own.pruned} pruned"]
        parts += [f"{own.failed} failed"] if own.failed else []
        parts += [f"{own.released} given back"] if own.released else []
        return ", ".join(parts)

    def _n_open(self) -> int:
        return self.standing.counts.n_open
