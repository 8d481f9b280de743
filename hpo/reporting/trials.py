"""What `list`, `show`, `trials` and `best` print: a record goes in, rows of plain data come out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from hpo.ranking import best_of
from hpo.reporting.records import StudyRecord, TrialRecord
from hpo.reporting.units import plural
from hpo.study_files.study_file import StudyFile

STATES = ("COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING")

Ending = Literal["complete", "pruned", "failed", "released", "lost", "running", "waiting"]
ENDINGS: tuple[Ending, ...] = get_args(Ending)
ENDING_WORDS: Mapping[Ending, str] = {
    "released": "given back",
    "lost": "lost with their worker",
}


@dataclass(frozen=True)
class Failure:
    """A trial without a result, why, and whether its point was evaluated by another one."""

    trial: TrialRecord
    ending: Ending
    reason: str
    was_repeated: bool


def ending(trial: TrialRecord) -> Ending:
    """What became of a trial.

    A FAIL is a failure only where the point has no other chance: it was released when the run was
    stopped, or lost with its worker, and tried again; losing the last of its workers is a failure.
    """
    if trial.state != "FAIL":
        return _OF_STATES[trial.state]
    if trial.fate == "RELEASED":
        return "released"
    return "lost" if trial.fate == "LOST" and not trial.closes_point else "failed"


_OF_STATES: Mapping[str, Ending] = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "RUNNING": "running",
    "WAITING": "waiting",
}


def state_counts(record: StudyRecord) -> dict[str, int]:
    """Trials by state, in a fixed order; states without trials are left out."""
    counts = Counter(trial.state for trial in record.trials)
    return {state: counts[state] for state in STATES if counts[state]}


def ending_counts(record: StudyRecord) -> dict[Ending, int]:
    """Trials by what became of them, in a fixed order; what befell none is left out."""
    counts = Counter(map(ending, record.trials))
    return {kind: counts[kind] for kind in ENDINGS if counts[kind]}


def counts_text(counts: Mapping[Ending, int], n_warm_starts: int) -> str:
    """The same in words: "8 complete, 2 given back, 5 warm starts"."""
    parts = [f"{n:,} {ENDING_WORDS.get(kind, kind)}" for kind, n in counts.items()]
    return ", ".join([*parts, *([plural(n_warm_starts, "warm start")] if n_warm_starts else [])])


def n_evaluated(record: StudyRecord) -> int:
    """Evaluations that have their result: finished or pruned."""
    return sum(trial.state in ("COMPLETE", "PRUNED") for trial in record.trials)


def n_failed(record: StudyRecord) -> int:
    """Evaluations that failed for good: a point that is tried again is not among them."""
    return sum(ending(trial) == "failed" and trial.closes_point for trial in record.trials)


def incomplete_parts(record: StudyRecord) -> list[str]:
    """What is not there yet, as phrases; empty for a study that is done."""
    counts, parts = ending_counts(record), []
    if record.n_planned is not None and n_evaluated(record) < record.n_planned:
        missing = record.n_planned - n_evaluated(record)
        parts.append(f"{missing:,} of {record.n_planned:,} planned evaluations have no result")
    if n_failed(record):
        parts.append(f"{plural(n_failed(record), 'trial')} failed")
    n_diverged = sum(trial.is_diverged for trial in record.trials)
    if n_diverged and record.is_controlled:  # elsewhere it is a result like any other
        parts.append(f"{plural(n_diverged, 'trial')} diverged")
    n_open = counts.get("running", 0) + counts.get("waiting", 0)
    if n_open:
        parts.append(f"{plural(n_open, 'trial')} running or waiting")
    return parts


def best_trials(record: StudyRecord) -> tuple[TrialRecord, ...]:
    """The best finished trial; for several objectives the Pareto front, by the first value."""
    complete = (trial for trial in record.trials if trial.is_complete)
    return best_of(complete, record.directions, lambda trial: trial.is_feasible)


def is_of_the_trainer(trial: TrialRecord) -> bool:
    """Whether the trial keeps settings of the MLP trainer, so that `hpo train` can repeat it."""
    return bool(trial.settings)


def best_settings(record: StudyRecord, trial: TrialRecord) -> dict[str, Any]:
    """All settings of a trial, as the user would write them."""
    if is_of_the_trainer(trial):
        return dict(trial.settings)
    try:
        return StudyFile.model_validate(record.file).settings(trial.params)
    except ValueError:  # not made by hpo, or by a version with other keys
        return {**(record.file.get("fixed") or {}), **trial.params}


def failures(record: StudyRecord) -> tuple[Failure, ...]:
    """Failed and diverged trials with their reasons."""
    return _without_result(record, lambda trial: ending(trial) == "failed" or trial.is_diverged)


def interruptions(record: StudyRecord) -> tuple[Failure, ...]:
    """Trials that were given back or lost with their worker, with their reasons."""
    return _without_result(record, lambda trial: ending(trial) in ("released", "lost"))


def _without_result(
    record: StudyRecord, is_meant: Callable[[TrialRecord], bool]
) -> tuple[Failure, ...]:
    evaluated = {
        trial.point for trial in record.trials if trial.state in ("COMPLETE", "PRUNED")
    } - {None}
    return tuple(
        Failure(
            trial,
            ending(trial),
            trial.reason or "no reason was recorded",
            was_repeated=trial.state == "FAIL" and trial.point in evaluated,
        )
        for trial in record.trials
        if is_meant(trial)
    )


def workers(record: StudyRecord) -> list[dict[str, Any]]:
    """One row a worker: its device, its trials and the time it spent on them."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for trial in record.trials:
        if not trial.worker:
            continue
        row = rows.setdefault(
            (trial.worker, trial.device),
            {"worker": trial.worker, "device": trial.device, "trials": 0, "run_time_s": 0.0},
        )
        row["trials"] += 1
        row["run_time_s"] += trial.run_time_s or 0.0
    return [rows[key] for key in sorted(rows)]


def trial_rows(record: StudyRecord) -> list[dict[str, Any]]:
    """One row a trial; parameters stand under their own names after ``param.``."""
    learnt = {trial.number for trial in record.warm_starts}
    return [
        _trial_row(record, trial, "warm start" if trial.number in learnt else ending(trial))
        for trial in record.all_trials
    ]


def _trial_row(record: StudyRecord, trial: TrialRecord, became: str) -> dict[str, Any]:
    values: Mapping[str, Any] = dict(zip(record.metrics, trial.values, strict=False))
    return {
        "number": trial.number,
        "state": trial.state,
        "ending": became,
        **{name: values.get(name) for name in record.metrics},
        **{f"param.{name}": value for name, value in trial.params.items()},
        "run_time_s": trial.run_time_s,
        "reason": trial.reason,
    }
