"""How a run ends, and the event of a point whose worker did not bring it to its end."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from hpo.events import TrialLost, TrialReleased
from hpo.ledger.points import RELEASED, Counts, Reaped

STOPPED_BY_USER = "hpo stop"


class StopReason(Enum):
    """Why a run ended."""

    COMPLETE = "complete"
    TIMEOUT = "timeout"
    LIMIT = "limit"  # target, epochs, patience, or the objective itself
    STOPPED = "stopped"  # `hpo stop`
    INTERRUPTED = "interrupted"  # Ctrl-C, SIGTERM or SIGHUP
    FAILURES = "failures"
    ERROR = "error"


class Ending(NamedTuple):
    """Why a run ended, also in words."""

    why: StopReason
    reason: str


def taken_back(reaped: Reaped) -> TrialReleased | TrialLost:
    """The event of a point that was taken back from its worker."""
    if reaped.fate == RELEASED:
        number = -1 if reaped.trial_number is None else reaped.trial_number
        reason = reaped.reason.removeprefix("released: ")
        return TrialReleased(trial=number, point=reaped.number, reason=reason)
    return TrialLost(reaped.trial_number, reaped.number, reaped.state, reaped.reason)


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
