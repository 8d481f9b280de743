"""Several studies side by side: a table of their best values, and best value so far over cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpo.reporting.figures.search import comparable, plot_comparison
from hpo.reporting.html import Html, join, paragraph, plot, section, table
from hpo.reporting.progress import busy_seconds
from hpo.reporting.records import StudyRecord
from hpo.reporting.trials import best_trials, counts_text, ending_counts
from hpo.reporting.units import duration, metric_label, unit_of

if TYPE_CHECKING:
    import plotly.graph_objects as go


def comparison(records: Sequence[StudyRecord]) -> tuple[Html, dict[str, go.Figure]]:
    """The section and its figures by key."""
    parts: list[Html] = [_table(records)]
    figures: dict[str, go.Figure] = {}
    if comparable(records):
        for over in ("epochs", "seconds"):
            figure = plot_comparison(records, over=over)
            if figure is not None:
                figures[f"compared-{over}"] = figure
                parts.append(plot(f"compared-{over}", figure, _CAPTIONS[over]))
    else:
        parts.append(
            paragraph(
                "The studies have different metrics, directions or several objectives, so their "
                "values share no axis.",
                class_="soft",
            )
        )
    return section("Comparison", *parts), figures


_CAPTIONS = {
    "epochs": "Epochs of pruned and failed trials count too.",
    "seconds": "Pauses in which no trial ran do not count. Times depend on devices and workers.",
}


def _table(records: Sequence[StudyRecord]) -> Html:
    headers = ("study", "method", "metric", "best", "trials", "epochs trained", "time")
    return table(headers, [_row(record) for record in records], numeric=(3, 5, 6))


def _row(record: StudyRecord) -> list[object]:
    best = best_trials(record)
    epochs = sum(trial.n_epochs or 0 for trial in record.trials)
    return [
        record.name,
        record.method,
        ", ".join(metric_label(record, index) for index in range(len(record.metrics))),
        _best(record) if best else "–",
        counts_text(ending_counts(record), len(record.warm_starts)) or "none",
        f"{epochs:,}" if epochs else "–",
        duration(busy_seconds(record.trials).total),
    ]


def _best(record: StudyRecord) -> Html | str:
    best = best_trials(record)
    if len(record.directions) > 1:
        return f"front of {len(best)}"
    return join((unit_of(record).value(best[0].values[0]),))
