"""A study's numbers as plain data, for `--format json`: what the page shows, without its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpo.reporting.analysis import Analysis
from hpo.reporting.claims import ClaimResult
from hpo.reporting.summary import Difference, FactorSummary, LevelSummary
from hpo.reporting.texts import commands
from hpo.reporting.trials import Failure, best_settings, state_counts, trial_rows, workers


def study_numbers(analysis: Analysis) -> dict[str, Any]:
    """Everything the report tells of one study; values in the metric's own unit, times in s."""
    record = analysis.record
    return {
        "study": record.name,
        "method": record.method,
        "metrics": record.metrics,
        "directions": record.directions,
        "planned": record.n_planned,
        "states": state_counts(record),
        "endings": analysis.endings,
        "warm_starts": len(record.warm_starts),
        "incomplete": analysis.incomplete,
        "busy_s": analysis.busy_s,
        "epochs_trained": analysis.n_epochs,
        "best": [
            {
                "trial": trial.number,
                "values": trial.values,
                "settings": best_settings(record, trial),
            }
            for trial in analysis.best
        ],
        **(_controlled(analysis) if record.is_controlled else _search(analysis)),
        "failures": _without_result(analysis.failures),
        "interruptions": _without_result(analysis.interruptions),
        "workers": workers(record),
        "version": record.version,
        "environment": record.environment,
        "commands": [command for command, _ in commands(analysis)],
        "settings": record.file,
        "trials": trial_rows(record),
    }


def _without_result(found: Sequence[Failure]) -> list[dict[str, Any]]:
    return [
        {
            "trial": failure.trial.number,
            "ending": failure.ending,
            "reason": failure.reason,
            "evaluated_later": failure.was_repeated,
        }
        for failure in found
    ]


def _search(analysis: Analysis) -> dict[str, Any]:
    saved = analysis.pruning
    data: dict[str, Any] = {"pruning": saved and {**saved._asdict(), "saved": saved.saved}}
    if analysis.progress is not None:
        data["best_so_far"] = analysis.progress._asdict()
    return data


def _controlled(analysis: Analysis) -> dict[str, Any]:
    summary = analysis.effects
    if summary is None:
        return {}
    return {
        "replicates": summary.n_replicates,
        "comparisons": summary.n_comparisons,
        "baseline": _level(summary.baseline),
        "factors": [_factor(factor) for factor in summary.factors],
        "claims": [_claim(claim) for claim in analysis.claims],
    }


def _factor(factor: FactorSummary) -> dict[str, Any]:
    return {
        "factor": factor.factor.name,
        "baseline": factor.factor.baseline_label,
        "comparisons": factor.n_comparisons,
        "levels": [
            {
                **_level(level),
                "change": _difference(level.change),
                "best_change": _difference(level.best_change),
                "time_ratio": _difference(level.time_ratio),
                "p_holm": level.p_adjusted,
                "verdict": level.verdict,
            }
            for level in factor.levels
        ],
    }


def _level(level: LevelSummary) -> dict[str, Any]:
    return {
        "level": level.level.label,
        "settings": level.level.settings,
        "complete": level.n_complete,
        "final": level.final,
        "best": level.best,
        "run_time_s": level.run_time_s,
        "runs": [
            {
                "replicate": run.replicate,
                "outcome": run.outcome,
                "trial": run.trial.number if run.trial else None,
                "value": run.trial.values[0] if run.trial and run.outcome == "complete" else None,
                "reason": run.trial.reason if run.trial else "",
                "failed_attempts": run.n_failed_attempts,
            }
            for run in level.level.runs
        ],
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "pairs": difference.n,
        "mean": difference.mean,
        "low": difference.low,
        "high": difference.high,
        "p": difference.p,
        "note": difference.note,
    }


def _claim(claim: ClaimResult) -> dict[str, Any]:
    return {
        "says": claim.says,
        "tested": claim.rule,
        "answer": claim.answer,
        "because": claim.because,
        "comparisons": [
            {
                "first": comparison.first,
                "second": comparison.second,
                "of": "run time ratio" if comparison.is_time else "value difference",
                **_difference(comparison.difference),
            }
            for comparison in claim.comparisons
        ],
    }
