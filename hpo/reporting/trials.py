"""What `list`, `show`, `trials` and `best` print: a record goes in, rows of plain data come out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.ranking import best_of
from hpo.reporting.records import StudyRecord, TrialRecord
from hpo.study_files.study_file import StudyFile

STATES = ("COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING")


@dataclass(frozen=True)
class Failure:
    """A trial that failed or diverged, and whether its point was evaluated by another one."""

    trial: TrialRecord
    reason: str
    was_repeated: bool


def state_counts(record: StudyRecord) -> dict[str, int]:
    """Trials by state, in a fixed order; states without trials are left out."""
    counts = Counter(trial.state for trial in record.trials)
    return {state: counts[state] for state in STATES if counts[state]}


def n_evaluated(record: StudyRecord) -> int:
    """Evaluations that have their result: finished or pruned."""
    return sum(trial.state in ("COMPLETE", "PRUNED") for trial in record.trials)


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
    evaluated = {
        trial.point for trial in record.trials if trial.state in ("COMPLETE", "PRUNED")
    } - {None}
    return tuple(
        Failure(
            trial,
            trial.reason or ("no reason was recorded"),
            was_repeated=trial.state == "FAIL" and trial.point in evaluated,
        )
        for trial in record.trials
        if trial.state == "FAIL" or trial.is_diverged
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
    return [_trial_row(record, trial) for trial in record.trials]


def _trial_row(record: StudyRecord, trial: TrialRecord) -> dict[str, Any]:
    values: Mapping[str, Any] = dict(zip(record.metrics, trial.values, strict=False))
    return {
        "number": trial.number,
        "state": trial.state,
        **{name: values.get(name) for name in record.metrics},
        **{f"param.{name}": value for name, value in trial.params.items()},
        "run_time_s": trial.run_time_s,
        "reason": trial.reason,
    }
