"""Several studies side by side: a table of their best values, and best value so far over cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpo.reporting.analysis import Analysis
from hpo.reporting.figures.search import comparable, plot_comparison
from hpo.reporting.html import Html, paragraph, plot, section, table
from hpo.reporting.trials import counts_text
from hpo.reporting.units import duration, metric_label

if TYPE_CHECKING:
    import plotly.graph_objects as go


def comparison(analyses: Sequence[Analysis]) -> tuple[Html, dict[str, go.Figure]]:
    """The section and its figures by key."""
    parts: list[Html] = [_table(analyses)]
    figures: dict[str, go.Figure] = {}
    if comparable([analysis.record for analysis in analyses]):
        for over in ("epochs", "seconds"):
            figure = plot_comparison(analyses, over=over)
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


def _table(analyses: Sequence[Analysis]) -> Html:
    headers = ("study", "method", "metric", "best", "trials", "epochs trained", "time")
    return table(headers, [_row(analysis) for analysis in analyses], numeric=(3, 5, 6))


def _row(analysis: Analysis) -> list[object]:
    record = analysis.record
    return [
        record.name,
        record.method,
        ", ".join(metric_label(record, index) for index in range(len(record.metrics))),
        _best(analysis) if analysis.best else "–",
        counts_text(analysis.endings, len(record.warm_starts)) or "none",
        f"{analysis.n_epochs:,}" if analysis.n_epochs else "–",
        duration(analysis.busy_s),
    ]


def _best(analysis: Analysis) -> str:
    if analysis.winner is None:
        return f"front of {len(analysis.best)}"
    return analysis.units[0].value(analysis.winner.values[0])
