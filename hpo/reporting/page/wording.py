"""Sentences and cards of the page: an analysed study goes in, plain text comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from hpo.reporting.analysis import Analysis
from hpo.reporting.design import Run
from hpo.reporting.figures.choice import MAX_LINES, MAX_MARKERS
from hpo.reporting.records import StudyRecord, TrialRecord
from hpo.reporting.summary import LevelSummary, Summary
from hpo.reporting.trials import ENDING_WORDS, Failure
from hpo.reporting.units import duration, metric_label, plural

MAX_FAILURES = 50
MAX_FRONT_ROWS = 30

VERDICT_KINDS = {
    "better": "good",
    "worse": "bad",
    "within the noise of the seeds": "plain",
    "noise is unknown": "open",
    "not measured": "open",
}
ANSWER_KINDS = {"holds": "yes", "does not hold": "no", "cannot be told": "unsure"}


def sentence(record: StudyRecord) -> str:
    """Method, goals and origin."""
    goals = ", ".join(
        f"{direction} {metric_label(record, index)}"
        for index, direction in enumerate(record.directions)
    )
    made = (
        f"made by hpo {record.version}".rstrip() if record.is_ours else "made by Optuna without hpo"
    )
    return f"Method {record.method}; {goals}; {made}."


def cards(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """How far the study got and what it found: a few numbers, and what they count."""
    record = analysis.record
    if record.n_planned is not None:
        yield f"{record.n_planned:,}", "evaluations planned"
    for kind, n in analysis.endings.items():
        yield f"{n:,}", "finished" if kind == "complete" else ENDING_WORDS.get(kind, kind)
    if record.warm_starts:
        yield f"{len(record.warm_starts):,}", "warm-start trials"
    if not record.is_controlled:
        yield _best_card(analysis)
    yield duration(analysis.busy_s), "in which trials ran"
    if analysis.n_epochs:
        yield f"{analysis.n_epochs:,}", "epochs trained"
    if analysis.pruning:
        yield f"{100 * analysis.pruning.saved:.0f} %", "of the planned epochs saved by pruning"


def _best_card(analysis: Analysis) -> tuple[str, str]:
    winner = analysis.winner
    if not analysis.best:
        return "none", "no trial finished"
    if winner is None:
        return plural(len(analysis.best), "trial"), "on the Pareto front"
    value = analysis.units[0].value(winner.values[0])
    return value, f"best {metric_label(analysis.record)}, trial {winner.number}"


def effect_notes(summary: Summary) -> str:
    """What the verdicts rest on, with the number of comparisons."""
    if summary.n_replicates == 1:
        return (
            f"{plural(summary.n_comparisons, 'comparison')} with the baseline. There is one"
            " replicate: the noise of the seeds is unknown, so no difference can be told from"
            " chance."
        )
    n_factors = len(summary.factors)
    chance = 100 * (1 - 0.95**n_factors)
    return (
        f"{plural(summary.n_comparisons, 'comparison')} with the baseline in"
        f" {plural(n_factors, 'factor')}, {summary.n_replicates} replicates. Replicate r of a level"
        " is compared with replicate r of the baseline, which had the same seed. Intervals are"
        " Student t-intervals (95 %) of the paired difference of final values, each for itself;"
        " verdicts take Holm's correction over the levels of a factor (5 %). Nothing corrects"
        " across factors: were there no effect at all, a false verdict somewhere would come up in"
        f" about {chance:.0f} % of such studies."
    )


def run_problem(run: Run) -> str:
    """What became of a run without a result."""
    number = f" (trial {run.trial.number})" if run.trial else ""
    reason = run.trial.reason if run.trial else ""
    told = f": {reason}" if reason and reason != run.outcome else ""
    return f"replicate {run.replicate} {run.outcome}{number}{told}"


def problems(summary: Summary) -> list[tuple[str, str]]:
    """Levels with runs without a result, and what became of these."""
    levels = [summary.baseline, *(level for factor in summary.factors for level in factor.levels)]
    return [
        (level_name(level), "; ".join(map(run_problem, level.problems)))
        for level in levels
        if level.problems
    ]


def not_timed(summary: Summary) -> str:
    """The levels whose run times cannot be compared with the baseline's."""
    levels = (level for factor in summary.factors for level in factor.levels)
    other = "no pair on one kind of device"
    return ", ".join(level_name(level) for level in levels if level.time_ratio.note == other)


def level_name(level: LevelSummary) -> str:
    """The level with its factor."""
    return f"{level.level.factor}: {level.level.label}" if level.level.factor else "baseline"


def thinned(n: int, kind: str, more: str = "") -> str:
    """A figure's caption, which says so where it does not draw all trials.

    Args:
        n: Trials that could be drawn.
        kind: `lines` or `markers`.
        more: What else the caption says.
    """
    limit = MAX_LINES if kind == "lines" else MAX_MARKERS
    if n <= limit:
        return more
    chosen = "the best and an even choice of the others" if kind == "lines" else "evenly chosen"
    return f"{limit:,} of {n:,} trials are drawn, {chosen}. {more}".strip()


def slices(names: Iterable[str]) -> list[str]:
    """The figures that show the value over one parameter."""
    return [name for name in names if name.startswith("slice-")]


def front_headers(analysis: Analysis) -> list[str]:
    """Columns of the table of a Pareto front."""
    record = analysis.record
    metrics = [metric_label(record, index) for index in range(len(record.metrics))]
    return ["trial", *metrics, *_parameters(analysis)]


def front_rows(analysis: Analysis) -> Iterator[list[object]]:
    """The first trials of a Pareto front, with values and parameters."""
    for trial in analysis.best[:MAX_FRONT_ROWS]:
        values = [u.value(value) for u, value in zip(analysis.units, trial.values, strict=True)]
        params = (trial.params.get(name, "–") for name in _parameters(analysis))
        yield [trial.number, *values, *map(shown_value, params)]


def front_caption(best: Sequence[TrialRecord]) -> str:
    """What a shortened table of a front leaves out."""
    if len(best) <= MAX_FRONT_ROWS:
        return ""
    return f"The first {MAX_FRONT_ROWS} of {len(best):,} trials on the front."


def _parameters(analysis: Analysis) -> list[str]:
    return list(dict.fromkeys(name for trial in analysis.best for name in trial.params))


def shown_value(value: object) -> str:
    """A parameter's value with sensible digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def failures_caption(found: Sequence[Failure]) -> str:
    """What a shortened list of failures leaves out."""
    if len(found) <= MAX_FAILURES:
        return ""
    reasons = Counter(failure.reason for failure in found)
    most = "; ".join(f"{n:,} × {reason}" for reason, n in reasons.most_common(5))
    return f"The first {MAX_FAILURES} of {len(found):,}. Most frequent: {most}."


def facts(record: StudyRecord) -> list[tuple[str, str]]:
    """Where and with what the study ran; what is not known is left out."""
    seeds = sorted({trial.seed for trial in record.trials if trial.seed is not None})
    peaks = [trial.peak_memory_mib for trial in record.trials if trial.peak_memory_mib]
    versions = ", ".join(f"{name} {version}" for name, version in record.environment.items())
    many = f"{len(seeds):,} different ones, one for each point"
    told = [
        ("objective", str(record.file.get("objective", ""))),
        ("study seed", str(record.file.get("seed", ""))),
        ("trial seeds", many if len(seeds) > 12 else ", ".join(map(str, seeds))),
        ("devices", _counted(trial.device for trial in record.trials)),
        ("engines", _counted(trial.engine for trial in record.trials)),
        ("largest memory of a trial", f"{max(peaks):,.0f} MiB" if peaks else ""),
        ("storage", record.storage),
        ("versions", versions or "not recorded"),
    ]
    return [(name, text) for name, text in told if text]


def _counted(texts: Iterable[str]) -> str:
    counts = Counter(text for text in texts if text)
    return ", ".join(f"{text} ({plural(n, 'trial')})" for text, n in sorted(counts.items()))
