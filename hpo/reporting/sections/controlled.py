"""The findings of a controlled study: claims, effects, each factor's curves, run times."""

from __future__ import annotations

import math
from collections.abc import Iterable

from hpo.reporting.analysis import Analysis
from hpo.reporting.claims import ClaimResult
from hpo.reporting.design import Design, Factor, Run
from hpo.reporting.figures.style import figure_id
from hpo.reporting.html import Html, chip, join, paragraph, plot, section, table, tag
from hpo.reporting.records import StudyRecord
from hpo.reporting.sections.drawn import Drawn
from hpo.reporting.summary import FactorSummary, LevelSummary, Summary
from hpo.reporting.units import Unit, metric_label, plural, probability, significant

VERDICT_KINDS = {
    "better": "good",
    "worse": "bad",
    "within the noise of the seeds": "plain",
    "noise is unknown": "open",
    "not measured": "open",
}
ANSWER_KINDS = {"holds": "yes", "does not hold": "no", "cannot be told": "unsure"}


def controlled(analysis: Analysis, drawn: Drawn) -> Html:
    """Everything that only a controlled study has."""
    record, design, summary = analysis.record, analysis.design, analysis.effects
    if design is None or summary is None:
        return Html()
    unit = analysis.units[0]
    return join(
        (
            section("Claims", _claims(analysis.claims, unit)),
            section("Effects", *_effects(record, summary, unit, drawn)),
            section("Factor by factor", *_factors(design, drawn)),
            section("Run times", *_run_times(summary, drawn)),
        )
    )


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


def _claims(claims: Iterable[ClaimResult], unit: Unit) -> Html:
    return join(_claim(claim, unit) for claim in claims)


def _claim(claim: ClaimResult, unit: Unit) -> Html:
    rule = f"Tested: {claim.rule}. " if claim.says != claim.rule else ""
    figures = "; ".join(comparison.text(unit) for comparison in claim.comparisons)
    because = f"{claim.because} " if claim.because else ""
    answer = chip(claim.answer, ANSWER_KINDS[claim.answer])
    told = paragraph(rule, because, figures, "." if figures else "", class_="soft")
    return tag(
        "div", paragraph(answer, Html(" &nbsp;"), tag("b", claim.says)), told, class_="claim"
    )


def _effects(record: StudyRecord, summary: Summary, unit: Unit, drawn: Drawn) -> list[Html]:
    headers = ["level", "runs", f"final{unit.suffix and ','}{unit.suffix}", "best", "change",
               "95 % interval", "p (Holm)", "verdict", "run time"]  # fmt: skip
    note = paragraph(effect_notes(summary), class_="soft")
    values = f"Values are the {metric_label(record)} ({record.directions[0]})"
    units = f"; changes are in {unit.difference}" if unit.difference else ""
    figure = drawn.plot(
        "effects",
        "Mean of the paired differences with its 95 % interval. Where an effect is far larger than "
        "the others it stands at the edge with its value.",
    )
    rows = table(
        headers, _rows(summary, unit), numeric=(1, 2, 3, 4, 5, 6, 8), caption=values + units + "."
    )
    return [note, figure, rows, *_problems(summary)]


def _rows(summary: Summary, unit: Unit) -> list[list[object] | Html]:
    rows: list[list[object] | Html] = [_baseline_row(summary.baseline, unit)]
    for factor in summary.factors:
        rows.append(_factor_row(factor))
        rows += [_level_row(level, unit) for level in factor.levels]
    return rows


def _baseline_row(level: LevelSummary, unit: Unit) -> list[object]:
    return [tag("b", "baseline"), *_measured(level, unit), "", "", "", "", ""]


def _factor_row(factor: FactorSummary) -> Html:
    label = factor.factor.baseline_label
    note = "" if label == "baseline" else tag("span", f" (baseline {label})", class_="soft")
    return tag("tr", tag("td", factor.factor.name, note, colspan=9), class_="group")


def _level_row(level: LevelSummary, unit: Unit) -> list[object]:
    change = level.change
    ratio = level.time_ratio.mean
    return [
        level.level.label,
        *_measured(level, unit),
        unit.change(change.mean),
        unit.interval(change.low, change.high),
        probability(level.p_adjusted),
        chip(level.verdict, VERDICT_KINDS[level.verdict]),
        f"×{significant(ratio, 3)}" if math.isfinite(ratio) else "–",
    ]


def _measured(level: LevelSummary, unit: Unit) -> list[object]:
    n, planned = level.n_complete, len(level.level.runs)
    runs = f"{n}" if n == planned else tag("b", f"{n} of {planned}")
    plain = Unit(unit.factor, "", "", unit.digits)
    return [runs, plain.value(level.final), plain.value(level.best)]


def _problems(summary: Summary) -> list[Html]:
    levels = [summary.baseline, *(level for factor in summary.factors for level in factor.levels)]
    rows = [
        (_level_name(level), "; ".join(run_problem(run) for run in level.problems))
        for level in levels
        if level.problems
    ]
    if not rows:
        return []
    return [tag("h4", "Runs without a result"), table(("level", "runs"), rows)]


def _level_name(level: LevelSummary) -> str:
    return f"{level.level.factor}: {level.level.label}" if level.level.factor else "baseline"


def _factors(design: Design, drawn: Drawn) -> list[Html]:
    parts = []
    for factor in design.factors:
        parts += _factor(factor, drawn)
    if not any(parts):
        return []
    note = paragraph(
        "Lines are means over replicates, bands reach from the lowest to the highest replicate. "
        "Series of more than 200 points are averaged in 200 equal bins of samples seen.",
        class_="soft",
    )
    return [note, *parts]


def _factor(factor: Factor, drawn: Drawn) -> list[Html]:
    name = figure_id("factor", factor.name)
    figure = drawn.figures.get(name)
    if figure is None:
        return []
    box: object = ""
    if any(trace.meta == "replicate" for trace in figure.data):
        key = drawn.key(name)
        box = tag(
            "label",
            tag("input", type="checkbox", data_replicates=key),
            "single replicates",
            class_="switch",
        )
    return [tag("h4", factor.name), plot(drawn.key(name), figure, controls=box)]


def _run_times(summary: Summary, drawn: Drawn) -> list[Html]:
    figure = drawn.plot(
        "run-times",
        "Bars are means, strokes single runs. Ratios compare paired runs on one kind of device.",
    )
    excluded = [
        _level_name(level)
        for factor in summary.factors
        for level in factor.levels
        if level.time_ratio.note == "no pair on one kind of device"
    ]
    note = (
        f"Not compared, since they ran on other devices than the baseline: {', '.join(excluded)}."
    )
    return [figure, paragraph(note, class_="soft") if excluded else Html()] if figure else []
