"""Why a run ended, for programs and in words."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from hpo.ledger.points import Counts

STOPPED_BY_USER = "hpo stop"


class StopReason(Enum):
    """Why a run ended."""

    COMPLETE = "complete"
    TIMEOUT = "timeout"
    LIMIT = "limit"  # target, epochs, patience, or the objective itself
    STOPPED = "stopped"  # `hpo stop`
    INTERRUPTED = "interrupted"  # Ctrl-C or SIGTERM
    FAILURES = "failures"
    ERROR = "error"


class Ending(NamedTuple):
    """Why a run ended, also in words."""

    why: StopReason
    reason: str


def ended(counts: Counts) -> Ending:
    """The ending of a run whose study has no point left."""
    if not counts.failed:
        return Ending(StopReason.COMPLETE, "every point is done")
    done = f"{counts.done} done, " if counts.done else ""
    reason = f"every point has ended: {done}{counts.failed} failed"
    return Ending(StopReason.COMPLETE, reason)


def stopped(asked: str) -> Ending:
    """The ending of a run whose study was asked to stop, with the reason that was given."""
    return Ending(StopReason.STOPPED if asked == STOPPED_BY_USER else StopReason.LIMIT, asked)


def timed_out(timeout_s: float) -> Ending:
    """The ending of a run whose time is up."""
    return Ending(StopReason.TIMEOUT, f"the timeout of {timeout_s:g} s was reached")
