"""The layout of a controlled study: a record goes in; baseline, factors, levels and runs come out.

Every planned run is there, whatever became of it, so that nothing missing can be hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hpo.reporting.records import StudyRecord, TrialRecord
from hpo.reporting.trials import ending
from hpo.study_files import factors

Outcome = Literal["complete", "running", "diverged", "failed", "missing"]
Cell = tuple[str | None, str | None, int]


@dataclass(frozen=True)
class Run:
    """One planned run, a level at one replicate, and the trial that decides it (None: none yet)."""

    replicate: int
    outcome: Outcome
    trial: TrialRecord | None = None
    n_failed_attempts: int = 0


@dataclass(frozen=True)
class Level:
    """One level with its runs by replicate; the baseline's own has no factor."""

    factor: str | None
    label: str
    settings: Mapping[str, Any]
    runs: tuple[Run, ...]

    def complete(self) -> dict[int, TrialRecord]:
        """Replicate to trial, of the runs that ended well."""
        return {
            run.replicate: run.trial for run in self.runs if run.trial and run.outcome == "complete"
        }


@dataclass(frozen=True)
class Factor:
    """One factor: the label the baseline has in it, and its other levels in the file's order."""

    name: str
    baseline_label: str
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class Design:
    """The whole study; the baseline's runs are shared by all factors."""

    baseline: Level
    factors: tuple[Factor, ...]
    n_replicates: int

    def levels(self) -> tuple[Level, ...]:
        """The baseline and every level of every factor."""
        return (self.baseline, *(level for factor in self.factors for level in factor.levels))


def read_design(record: StudyRecord) -> Design:
    """Sort the trials of a controlled study into its design.

    Levels and replicates come from the study file, then from the trials (a study may hold more
    replicates than the file it was last run with).
    """
    cells = _cells(record.trials)
    vary = _vary(record, cells)
    found = 1 + max((replicate for _, _, replicate in cells), default=-1)
    n_replicates = max(int(record.file.get("replicates") or 1), found)

    def level(factor: str | None, label: str, settings: Mapping[str, Any]) -> Level:
        key = label if factor else None
        runs = (_run(r, cells.get((factor, key, r), [])) for r in range(n_replicates))
        return Level(factor, label, settings, tuple(runs))

    baseline = {**(record.file.get("fixed") or {}), **(record.file.get("baseline") or {})}
    found_factors = tuple(
        Factor(
            name=name,
            baseline_label=_baseline_label(record, name, levels, baseline),
            levels=tuple(level(name, label, settings) for label, settings in levels.items()),
        )
        for name, levels in vary.items()
    )
    return Design(level(None, "baseline", baseline), found_factors, n_replicates)


def _cells(trials: tuple[TrialRecord, ...]) -> dict[Cell, list[TrialRecord]]:
    cells: dict[Cell, list[TrialRecord]] = {}
    for trial in trials:
        if trial.replicate is not None:
            # The baseline's trials share one key, whatever text stands as their level.
            level = trial.level if trial.factor else None
            cells.setdefault((trial.factor, level, trial.replicate), []).append(trial)
    return cells


def _vary(
    record: StudyRecord, cells: Mapping[Cell, list[TrialRecord]]
) -> dict[str, dict[str, Mapping[str, Any]]]:
    vary: dict[str, dict[str, Mapping[str, Any]]] = {
        str(factor): {str(label): settings for label, settings in levels.items()}
        for factor, levels in (record.file.get("vary") or {}).items()
    }
    for factor, level, _ in cells:
        if factor and level:
            vary.setdefault(factor, {}).setdefault(level, {})
    return vary


def _run(replicate: int, trials: list[TrialRecord]) -> Run:
    failed = [trial for trial in trials if ending(trial) == "failed"]
    kinds: tuple[tuple[Outcome, list[TrialRecord]], ...] = (
        ("complete", [trial for trial in trials if trial.is_complete]),
        ("running", [trial for trial in trials if trial.state in ("RUNNING", "WAITING")]),
        ("diverged", [trial for trial in trials if trial.state in ("PRUNED", "COMPLETE")]),
        ("failed", [trial for trial in failed if trial.closes_point]),
    )
    for outcome, chosen in kinds:
        if chosen:
            n_earlier = len(failed) - (outcome == "failed")
            return Run(replicate, outcome, chosen[-1], n_earlier)
    return Run(replicate, "missing", n_failed_attempts=len(failed))


def _baseline_label(
    record: StudyRecord,
    factor: str,
    levels: Mapping[str, Mapping[str, Any]],
    baseline: Mapping[str, Any],
) -> str:
    """The first choice of the factor's categorical is the baseline's."""
    for trial in record.trials:
        choices = getattr(trial.distributions.get(factor), "choices", ())
        if choices:
            return str(choices[0])
    return factors.baseline_label(factor, levels, baseline)
