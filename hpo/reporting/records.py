"""What a report reads from a study: an Optuna study and its curves go in, frozen data comes out.

Everything else in this package works on these records and never touches a database again.
Studies that stock Optuna made have no source and no books; their records leave those fields empty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna

    from hpo.ledger.points import Book
    from hpo.ledger.sources import Source

Series = tuple[float, ...]


@dataclass(frozen=True)
class Curves:
    """The series one training run left behind; every tuple of a group has one length.

    Attributes:
        batch_samples: Samples seen at each logged batch.
        batch_train_loss: Training loss at each logged batch.
        samples: Samples seen at the end of each epoch.
        train_loss: Mean training loss of each epoch.
        evaluation_loss: Evaluation loss after each epoch.
        evaluation_accuracy: Evaluation accuracy after each epoch, a fraction of 1.
        seconds: Seconds since the start of training at the end of each epoch.
    """

    batch_samples: Series = ()
    batch_train_loss: Series = ()
    samples: Series = ()
    train_loss: Series = ()
    evaluation_loss: Series = ()
    evaluation_accuracy: Series = ()
    seconds: Series = ()


@dataclass(frozen=True)
class TrialRecord:
    """One trial as the report sees it; a field that the study does not carry is None or empty.

    What it evaluates (`point` to `seed`) is the ledger's word. A trial of our studies without a
    point was added from another study to learn from. `fate` is DONE, FAILED, RELEASED (the point
    went back unharmed) or LOST (its worker was); None while it is at work. `closes_point` says that
    its point has ended, and with this trial; trials of stock Optuna have points of their own.
    """

    number: int
    state: str
    values: Series = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, Any] = field(default_factory=dict)
    intermediate: tuple[tuple[int, float], ...] = ()
    started: datetime | None = None
    ended: datetime | None = None
    is_feasible: bool = True
    point: int | None = None
    attempt: int | None = None
    fate: str | None = None
    closes_point: bool = True
    factor: str | None = None
    level: str | None = None
    replicate: int | None = None
    seed: int | None = None
    worker: str = ""
    device: str = ""
    engine: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    run_time_s: float | None = None
    peak_memory_mib: float | None = None
    reason: str = ""
    curves: Curves | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the trial ended well, with finite values."""
        return self.state == "COMPLETE" and all(math.isfinite(value) for value in self.values)

    @property
    def is_diverged(self) -> bool:
        """Whether training ended because its loss was no longer finite."""
        return self.state == "PRUNED" and self.reason.startswith("diverged")

    @property
    def n_epochs(self) -> int | None:
        """Epochs (or reported steps) trained; None when the trial left no trace of them."""
        if self.curves and self.curves.samples:
            return len(self.curves.samples)
        if self.intermediate:
            return len(self.intermediate)
        epochs = self.settings.get("epochs")
        return epochs if self.state == "COMPLETE" and isinstance(epochs, int) else None


@dataclass(frozen=True)
class StudyRecord:
    """One study: what it was asked to do, where it ran, and its trials by number.

    Attributes:
        trials: Those that evaluate points, all trials of a study that stock Optuna made.
        warm_starts: Another study's trials, added for the sampler to learn from.
        file: The resolved study file as JSON data; empty for a study that stock Optuna made.
        environment: Package, version pairs of the process that made the study.
        n_planned: Evaluations the plan holds, if it is known.
        storage: The storage's URL without its password, for the commands shown; may be empty.
    """

    name: str
    directions: tuple[str, ...]
    metrics: tuple[str, ...]
    trials: tuple[TrialRecord, ...]
    warm_starts: tuple[TrialRecord, ...] = ()
    plan_id: str = ""
    file: Mapping[str, Any] = field(default_factory=dict)
    objective: str = ""
    version: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)
    n_planned: int | None = None
    storage: str = ""

    @property
    def all_trials(self) -> tuple[TrialRecord, ...]:
        """Every trial that the study holds, by number."""
        return tuple(sorted((*self.trials, *self.warm_starts), key=lambda trial: trial.number))

    @property
    def is_ours(self) -> bool:
        """Whether hpo made the study, so that its commands apply to it."""
        return bool(self.plan_id)

    @property
    def method(self) -> str:
        """The method as the study file names it, or ``optuna`` for a study made elsewhere."""
        return str(self.file.get("method") or ("unknown" if self.is_ours else "optuna"))

    @property
    def is_controlled(self) -> bool:
        """Whether one factor at a time leaves a baseline."""
        return self.method == "controlled"

    @property
    def is_maximized(self) -> bool:
        """Whether a larger first value is better."""
        return self.directions[0] == "maximize"


def read_study(
    study: optuna.Study,
    curves: Mapping[int, Mapping[str, Any]],
    *,
    source: Source | None = None,
    books: Mapping[int, Book] | None = None,
    n_planned: int | None = None,
    storage: str = "",
) -> StudyRecord:
    """Read a study, whoever made it.

    Args:
        study: An Optuna study, freshly loaded.
        curves: Trial number to its curves as they are stored; trials may be missing.
        source: What the study was made from; None for a study that stock Optuna made.
        books: Trial number to what the ledger knows of it; warm-started trials are missing.
        n_planned: Evaluations planned, where the caller knows the plan.
        storage: The storage's URL with its password masked.

    Returns:
        Plain data; nothing in it refers to the storage any more.
    """
    file = {} if source is None else source.file
    known = books or {}
    found = [
        _read_trial(trial, curves.get(trial.number), known.get(trial.number))
        for trial in study.get_trials(deepcopy=False)
    ]
    trials = tuple(trial for trial in found if source is None or trial.point is not None)
    directions = tuple(direction.name.lower() for direction in study.directions)
    return StudyRecord(
        name=study.study_name,
        directions=directions,
        metrics=_metrics(study.metric_names, file, trials, len(directions)),
        trials=trials,
        warm_starts=tuple(trial for trial in found if source is not None and trial.point is None),
        plan_id="" if source is None else source.plan_id,
        file=file,
        objective="" if source is None else source.objective,
        version="" if source is None else source.version,
        environment={} if source is None else source.environment,
        n_planned=n_planned if n_planned is not None else planned_count(file),
        storage=storage,
    )


def planned_count(file: Mapping[str, Any]) -> int | None:
    """How many evaluations a study file asks for, where its text alone says so."""
    if file.get("method") == "controlled":
        levels = sum(len(levels) for levels in _mapping(file.get("vary")).values())
        return (1 + levels) * int(file.get("replicates") or 1)
    n_trials = file.get("n_trials")
    return n_trials if isinstance(n_trials, int) else None


def _metrics(
    named: Sequence[str] | None,
    file: Mapping[str, Any],
    trials: Iterable[TrialRecord],
    n_objectives: int,
) -> tuple[str, ...]:
    if named:
        return tuple(named)
    # The study file names what our trainer returns; a user's own objective names no engine.
    ours = file.get("metrics") or ()
    if len(ours) == n_objectives and any(trial.curves or trial.engine for trial in trials):
        return tuple(str(name) for name in ours)
    if n_objectives == 1:
        return ("objective value",)
    return tuple(f"objective {number}" for number in range(n_objectives))


def _read_trial(
    trial: optuna.trial.FrozenTrial, curves: Mapping[str, Any] | None, book: Book | None
) -> TrialRecord:
    attributes = trial.user_attrs
    booked = {} if book is None else vars(book)
    return TrialRecord(
        number=trial.number,
        state=trial.state.name,
        values=tuple(float(value) for value in trial.values or ()),
        params=dict(trial.params),
        distributions=dict(trial.distributions),
        intermediate=tuple(sorted(trial.intermediate_values.items())),
        started=trial.datetime_start,
        ended=trial.datetime_complete,
        is_feasible=all(value <= 0 for value in trial.constraints.values()),
        **booked,
        worker=_text(attributes.get("worker")),
        device=_text(attributes.get("device")),
        engine=_text(attributes.get("engine")),
        settings=_mapping(attributes.get("settings")),
        run_time_s=_run_time(trial),
        peak_memory_mib=_number(attributes.get("peak_memory_mib")),
        reason=_text(attributes.get("reason")),
        curves=_read_curves(curves) if curves else None,
    )


def _run_time(trial: optuna.trial.FrozenTrial) -> float | None:
    stored = _number(trial.user_attrs.get("run_time_s"))
    if stored is not None or not trial.datetime_start or not trial.datetime_complete:
        return stored
    return (trial.datetime_complete - trial.datetime_start).total_seconds()


def _read_curves(curves: Mapping[str, Any]) -> Curves:
    batches, epochs = _mapping(curves.get("batches")), _mapping(curves.get("epochs"))
    batch_samples, batch_train_loss = _equal_lengths(batches, ("samples", "train_loss"))
    names = ("samples", "train_loss", "evaluation_loss", "evaluation_accuracy", "seconds")
    return Curves(batch_samples, batch_train_loss, *_equal_lengths(epochs, names))


def _equal_lengths(series: Mapping[str, Any], names: Sequence[str]) -> list[Series]:
    """The named series cut to the shortest that is present; a value that is no number is NaN."""
    columns = [series.get(name) for name in names]
    found = [
        tuple(map(_number_or_nan, column)) if isinstance(column, list) else () for column in columns
    ]
    shortest = min((len(values) for values in found if values), default=0)
    return [values[:shortest] for values in found]


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None


def _number_or_nan(value: Any) -> float:
    number = _number(value)
    return math.nan if number is None else number
