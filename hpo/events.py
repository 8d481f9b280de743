"""What happens in a run, for whoever follows it: frozen events, and the JSON line of each.

Workers and supervisor make them, `runs.run` hands them on; console, notebooks and programs read
them. The JSON lines are described in docs/running.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

# The metadata of an event's fields that its JSON line leaves out.
FOR_PEOPLE = {"for people": True}


@dataclass(frozen=True)
class Event:
    """Something that happened in a run."""

    name: ClassVar[str]  # in JSON; empty for what only people are told

    def to_json(self) -> dict[str, Any]:
        """The event as JSON data, its name first."""
        told = [f.name for f in fields(self) if not f.metadata]
        return {"event": self.name, **{name: getattr(self, name) for name in told}}


OnEvent = Callable[[Event], None]


@dataclass(frozen=True)
class Note(Event):
    """A sentence for people; programs are not told."""

    name = ""

    text: str


@dataclass(frozen=True)
class StudyOpened(Event):
    """The study was made or found, and its workers are chosen.

    Attributes:
        study: Its name.
        storage: The database's URL without its password.
        method: How its points are chosen.
        is_new: Whether it was made just now.
        total: Points of its plan.
        slots: The device slots that workers will run on.
        reason: Why these.
        to_go: Points that have not ended yet.
        has_work: Whether workers will start.
    """

    name = "study"

    study: str
    storage: str
    method: str
    is_new: bool
    total: int
    slots: Sequence[str]
    reason: str
    to_go: int = field(metadata=FOR_PEOPLE)
    has_work: bool = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class WorkerEvent(Event):
    """Something that happened in a worker; its supervisor adds whose it is.

    Attributes:
        worker: The worker's name.
        slot: The device slot it runs on.
    """

    worker: str = ""
    slot: str = ""

    def to_json(self) -> dict[str, Any]:
        """The event as JSON data, the worker last."""
        data = super().to_json()
        own = {key: data.pop(key) for key in ("worker", "slot")}
        return data | own


@dataclass(frozen=True)
class WorkerUp(WorkerEvent):
    """A worker has opened its study."""

    name = "worker_up"

    device: str = ""
    pid: int = 0


@dataclass(frozen=True)
class WorkerDown(WorkerEvent):
    """A worker has nothing left to do and leaves."""

    name = "worker_down"


@dataclass(frozen=True)
class WorkerFailed(WorkerEvent):
    """A worker could not work at all."""

    name = "worker_failed"

    reason: str = ""


@dataclass(frozen=True)
class WorkerLost(WorkerEvent):
    """A worker's process is gone."""

    name = "worker_lost"

    reason: str = ""


@dataclass(frozen=True)
class TrialEvent(WorkerEvent):
    """Something that happened to a trial at work.

    Attributes:
        trial: The trial's number.
    """

    trial: int = -1


@dataclass(frozen=True)
class TrialStarted(TrialEvent):
    """A point was claimed; factor, level and replicate are those of a controlled study."""

    name = "trial_started"

    point: int = -1
    factor: str | None = None
    level: str | None = None
    replicate: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class StepReported(TrialEvent):
    """The objective reported an intermediate value."""

    name = "epoch"

    step: int = 0
    value: float = 0.0


@dataclass(frozen=True)
class TrialEnded(TrialEvent):
    """A trial ended with a result, or for good without one.

    Attributes:
        point: Its point of the plan.
        state: Optuna's: COMPLETE, PRUNED or FAIL.
        values: One for each direction; None without a result.
        params: Its parameters.
        run_time_s: How long it took, in seconds; None where it was not measured.
        reason: Why it failed or diverged.
    """

    point: int = -1
    state: str = ""
    values: Sequence[float] | None = None
    params: Mapping[str, Any] | None = None
    run_time_s: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class TrialFinished(TrialEnded):
    """A trial ended with a result."""

    name = "trial_finished"


@dataclass(frozen=True)
class TrialFailed(TrialEnded):
    """A trial failed, and its point with it."""

    name = "trial_failed"


@dataclass(frozen=True)
class TrialReleased(TrialEvent):
    """A point was given back unharmed, because the run stops.

    Attributes:
        point: The point.
        reason: Why its worker did not do that itself; None where it did.
    """

    name = "trial_released"

    point: int = -1
    reason: str | None = None


@dataclass(frozen=True)
class TrialDropped(TrialEvent):
    """A trial's lease was lost; its result does not count."""

    name = "trial_dropped"


@dataclass(frozen=True)
class TrialLost(Event):
    """A point was taken back from a worker that is gone.

    Attributes:
        trial: The trial's number; None where it was never made.
        point: The point.
        state: FREE when it is tried again, else FAILED or DONE.
        reason: What became of the worker.
    """

    name = "trial_lost"

    trial: int | None
    point: int
    state: str
    reason: str


@dataclass(frozen=True)
class Stopping(Event):
    """Every worker is asked to stop."""

    name = "stopping"

    reason: str


@dataclass(frozen=True)
class Waiting(Event):
    """Some trials have not heard yet that they are to stop.

    Attributes:
        trials: Their numbers, and the device slots they run on.
        grace_s: After so many seconds their workers are killed.
        interrupts_left: So many times Ctrl-C kills them now.
    """

    name = "waiting"

    trials: Mapping[int, str]
    grace_s: float
    interrupts_left: int
