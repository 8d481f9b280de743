"""The head of a study's part: what it is, how far it got, what it found in a few numbers."""

from __future__ import annotations

from hpo.reporting.analysis import Analysis
from hpo.reporting.html import Html, join, paragraph, tag
from hpo.reporting.records import StudyRecord
from hpo.reporting.trials import ENDING_WORDS
from hpo.reporting.units import duration, metric_label, plural


def overview(analysis: Analysis) -> Html:
    """Cards and, where something is missing, a warning."""
    parts = analysis.incomplete
    warning = paragraph("Incomplete: ", "; ".join(parts), ".", class_="warning") if parts else ""
    cards = (
        tag("div", tag("b", big), tag("span", small), class_="card")
        for big, small in _cards(analysis)
    )
    return join(
        (
            paragraph(_sentence(analysis.record), class_="soft"),
            warning,
            tag("div", *cards, class_="cards"),
        )
    )


def _sentence(record: StudyRecord) -> str:
    goals = ", ".join(
        f"{direction} {metric_label(record, index)}"
        for index, direction in enumerate(record.directions)
    )
    made = (
        f"made by hpo {record.version}".rstrip() if record.is_ours else "made by Optuna without hpo"
    )
    return f"Method {record.method}; {goals}; {made}."


def _cards(analysis: Analysis) -> list[tuple[str, str]]:
    record = analysis.record
    cards = [
        (f"{n:,}", "finished" if kind == "complete" else ENDING_WORDS.get(kind, kind))
        for kind, n in analysis.endings.items()
    ]
    if record.warm_starts:
        cards.append((f"{len(record.warm_starts):,}", "warm-start trials"))
    if record.n_planned is not None:
        cards.insert(0, (f"{record.n_planned:,}", "evaluations planned"))
    cards += [] if record.is_controlled else _best_cards(analysis)
    cards.append((duration(analysis.busy_s), "in which trials ran"))
    if analysis.n_epochs:
        cards.append((f"{analysis.n_epochs:,}", "epochs trained"))
    saved = analysis.pruning
    if saved:
        cards.append((f"{100 * saved.saved:.0f} %", "of the planned epochs saved by pruning"))
    return cards


def _best_cards(analysis: Analysis) -> list[tuple[str, str]]:
    record, best = analysis.record, analysis.best
    if not best:
        return [("none", "no trial finished")]
    if len(record.directions) > 1:
        return [(plural(len(best), "trial"), "on the Pareto front")]
    value = analysis.units[0].value(best[0].values[0])
    return [(value, f"best {metric_label(record)}, trial {best[0].number}")]
