"""Markdown notes for optuna-dashboard: a record goes in, a study's or a trial's note comes out."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from hpo.control_characters import visible
from hpo.reporting.analysis import Analysis
from hpo.reporting.records import StudyRecord, TrialRecord
from hpo.reporting.study_text import study_file_text
from hpo.reporting.summary import LevelSummary, Summary
from hpo.reporting.texts import commands, yaml_text
from hpo.reporting.trials import best_settings, counts_text
from hpo.reporting.units import Unit, duration, metric_label, plural, probability, unit_of
from hpo.reporting.usage import usage

MAX_FRONT = 10


def study_note(analysis: Analysis) -> str:
    """Method, progress, the best trial or the effects and claims, and the commands."""
    record = analysis.record
    counts = counts_text(analysis.endings, len(record.warm_starts)) or "no trial"
    lines = [
        f"**{_text(record.method)}** study by hpo {_text(record.version)}: "
        f"{_text(_goals(record))}; {counts}.",
    ]
    if analysis.incomplete:
        lines.append(f"**Incomplete:** {_text('; '.join(analysis.incomplete))}.")
    lines += _effects(analysis) if record.is_controlled else _best(analysis)
    lines += ["### Commands", _fence("\n".join(c for c, _ in commands(analysis)), "sh")]
    if record.file:
        lines += ["### Settings, as study.yaml", _fence(study_file_text(record.file), "yaml")]
    return "\n\n".join(lines) + "\n"


def trial_note(record: StudyRecord, number: int) -> str:
    """A trial's value and settings, and how to train it again.

    Raises:
        KeyError: There is no such trial.
    """
    trial = next((trial for trial in record.all_trials if trial.number == number), None)
    if trial is None:
        raise KeyError(number)
    lines = [f"Trial {number}: {_values(record, trial)} in {duration(trial.run_time_s)}."]
    if trial.reason:
        lines.append(f"Reason: {_text(trial.reason)}")
    lines.append(_fence(yaml_text(best_settings(record, trial)), "yaml"))
    again = usage(record, trial)
    lines += [again.purpose, _fence(again.text, again.language)]
    return "\n\n".join(lines) + "\n"


def _goals(record: StudyRecord) -> str:
    return ", ".join(
        f"{direction} {metric_label(record, index)}"
        for index, direction in enumerate(record.directions)
    )


def _values(record: StudyRecord, trial: TrialRecord) -> str:
    shown = (
        f"{metric_label(record, index)} {unit_of(record, index).value(value)}"
        for index, value in enumerate(trial.values)
    )
    return _text(", ".join(shown)) or trial.state


def _best(analysis: Analysis) -> list[str]:
    record, best, saved = analysis.record, analysis.best, analysis.pruning
    if not best:
        return ["No trial has finished."]
    if len(record.directions) > 1:
        rows = [(trial.number, _values(record, trial)) for trial in best[:MAX_FRONT]]
        title = f"### Pareto front, {plural(len(best), 'trial')}"
        return [title, _table(("trial", "values"), rows)]
    lines = [f"### Best: trial {best[0].number}, {_values(record, best[0])}"]
    lines.append(_fence(yaml_text(best_settings(record, best[0])), "yaml"))
    if saved:
        lines.append(
            f"Pruning ended {plural(saved.n_pruned, 'trial')} early and saved"
            f" {100 * saved.saved:.0f} % of {saved.planned:,} epochs."
        )
    return lines


def _effects(analysis: Analysis) -> list[str]:
    summary, unit = analysis.effects, analysis.units[0]
    if summary is None:
        return []
    change = f"change, {unit.difference}" if unit.difference else "change"
    headers = ("level", "runs", "final", change, "95 % interval", "p (Holm)", "verdict", "run time")
    lines = ["### Effects", _table(headers, _effect_rows(summary, unit))]
    if analysis.claims:
        rows = [(claim.answer, claim.says) for claim in analysis.claims]
        lines += ["### Claims", _table(("answer", "claim"), rows)]
    return lines


def _effect_rows(summary: Summary, unit: Unit) -> Iterable[Sequence[object]]:
    yield ("baseline", *_measured(summary.baseline, unit), "", "", "", "", "")
    for factor in summary.factors:
        for level in factor.levels:
            change, ratio = level.change, level.time_ratio
            yield (
                f"{factor.factor.name}: {level.level.label}",
                *_measured(level, unit),
                unit.change(change.mean),
                unit.interval(change.low, change.high),
                probability(level.p_adjusted),
                level.verdict,
                f"×{ratio.mean:.2f}" if ratio.mean > 0 else "–",
            )


def _measured(level: LevelSummary, unit: Unit) -> tuple[str, str]:
    return f"{level.n_complete} of {len(level.level.runs)}", unit.value(level.final)


def _table(headers: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join(_text(cell) for cell in cells) + " |"

    return "\n".join([line(headers), line("---" for _ in headers), *(line(row) for row in rows)])


def _text(value: object) -> str:
    """Text that Markdown and HTML leave as it is, on one line."""
    flat = visible(" ".join(str(value).split()))
    return re.sub(r"([\\`*_\[\]|#~])", r"\\\1", html.escape(flat, quote=False))


def _fence(text: str, language: str) -> str:
    """A code block with a fence longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{visible(text).rstrip()}\n{fence}"
