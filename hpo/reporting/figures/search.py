"""Figures of a search's course: values by step, when trials ran, several studies compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from hpo.reporting.analysis import Analysis
from hpo.reporting.figures.choice import with_the_best
from hpo.reporting.figures.style import (
    BLUE,
    ENDING_COLORS,
    NEUTRAL,
    ORANGE,
    VERMILLION,
    label,
    line_style,
    new_figure,
    rounded,
    spread_indices,
)
from hpo.reporting.records import StudyRecord, TrialRecord
from hpo.reporting.trials import ENDING_WORDS, ENDINGS, ending
from hpo.reporting.units import Unit, duration, metric_label

if TYPE_CHECKING:
    import plotly.graph_objects as go

MAX_STEPS = 60


class Lines(NamedTuple):
    """Several trials' series in one trace, with gaps between them."""

    x: list[float | None]
    y: list[float | None]
    text: list[str]
    n_trials: int


class Bar(NamedTuple):
    """One trial in the timeline."""

    row: str | int
    start: str
    milliseconds: float
    hover: str


def has_intermediate(record: StudyRecord) -> bool:
    """Whether any trial reported values by step."""
    return any(trial.intermediate for trial in record.trials)


def plot_intermediate(analysis: Analysis) -> go.Figure:
    """Reported values over steps: finished, pruned and running trials, and the best one."""
    record, unit, best = analysis.record, analysis.units[0], analysis.best
    reported = [trial for trial in record.trials if trial.intermediate]
    shown = with_the_best(analysis, reported)
    opacity = 0.75 if len(shown) < 100 else 0.4
    figure = new_figure(height=420, hovermode="closest")
    figure.update_xaxes(title={"text": "step (epochs completed)"})
    title = label(metric_label(record)) + (f",{unit.suffix}" if unit.suffix else "")
    figure.update_yaxes(title={"text": title})
    for name, states, style in (
        ("finished", ("COMPLETE",), {"color": BLUE}),
        ("pruned", ("PRUNED",), {"color": ORANGE}),
        ("running or failed", ("RUNNING", "FAIL"), {"color": NEUTRAL}),
    ):
        group = [trial for trial in shown if trial.state in states]
        _draw_lines(figure, name, gather_lines(group, unit), {**style, "width": 1.2}, opacity)
    _draw_lines(
        figure, "best trial", gather_lines(best[:1], unit), {"color": VERMILLION, "width": 3}, 1.0
    )
    return figure


def gather_lines(trials: Sequence[TrialRecord], unit: Unit) -> Lines:
    """The reported values of trials, one after another; long series are thinned evenly."""
    x: list[float | None] = []
    y: list[float | None] = []
    text: list[str] = []
    with_reports = [trial for trial in trials if trial.intermediate]
    for trial in with_reports:
        keep = spread_indices(len(trial.intermediate), MAX_STEPS)
        points = [trial.intermediate[index] for index in keep]
        x += [*(step for step, _ in points), None]
        y += [*rounded([value * unit.factor for _, value in points], 5), None]
        text += [f"trial {trial.number}"] * (len(points) + 1)
    return Lines(x, y, text, len(with_reports))


def has_timeline(record: StudyRecord) -> bool:
    """Whether any trial tells when it started."""
    return any(trial.started and trial.ended for trial in record.trials)


def plot_timeline(record: StudyRecord) -> go.Figure:
    """One bar a trial, coloured by what became of it; one row a worker, or else a trial."""
    workers = sorted({trial.worker for trial in record.trials if trial.worker})
    height = 130 + 30 * len(workers) if workers else 380
    figure = new_figure(height=height, barmode="overlay", showlegend=True)
    figure.update_xaxes(type="date")
    if workers:
        rows = [label(worker, 26) for worker in reversed(workers)]
        figure.update_yaxes(type="category", categoryorder="array", categoryarray=rows, ticks="")
    else:
        figure.update_yaxes(title={"text": "trial"})
    shown = [trial for trial in record.trials if trial.worker or not workers]
    for kind in ENDINGS:
        bars = gather_bars([trial for trial in shown if ending(trial) == kind])
        if bars:
            _draw_bars(figure, ENDING_WORDS.get(kind, kind), bars, ENDING_COLORS[kind])
    return figure


def gather_bars(trials: Sequence[TrialRecord]) -> list[Bar]:
    """The trials that ran and ended."""
    return [
        Bar(
            row=label(trial.worker, 26) if trial.worker else trial.number,
            start=trial.started.isoformat(sep=" ", timespec="milliseconds"),
            milliseconds=(trial.ended - trial.started).total_seconds() * 1000,
            hover=f"trial {trial.number}, {duration(trial.run_time_s)}"
            + (f"<br>{label(trial.reason)}" if trial.reason else ""),
        )
        for trial in trials
        if trial.started and trial.ended
    ]


def comparable(records: Sequence[StudyRecord]) -> bool:
    """Whether best values can share an axis: several studies of one metric and one direction."""
    kinds = {(record.directions, record.metrics[0]) for record in records}
    return len(records) > 1 and len(kinds) == 1 and len(records[0].directions) == 1


def plot_comparison(analyses: Sequence[Analysis], *, over: str) -> go.Figure | None:
    """Best value so far of several studies.

    Args:
        analyses: Studies that `comparable` accepts.
        over: ``epochs`` trained (trials, where a study does not tell its epochs) or ``seconds``.
    """
    runs = [analysis.progress for analysis in analyses if analysis.progress is not None]
    if not any(run.values for run in runs):
        return None
    first, unit = analyses[0].record, analyses[0].units[0]
    if over == "epochs" and not all(run.is_counted for run in runs if run.values):
        over = "trials"
    figure = new_figure(height=420, hovermode="closest", showlegend=True)
    figure.update_xaxes(title={"text": _AXES[over]}, rangemode="tozero")
    title = f"best {label(metric_label(first))}" + (f",{unit.suffix}" if unit.suffix else "")
    figure.update_yaxes(title={"text": title})
    for index, (analysis, run) in enumerate(zip(analyses, runs, strict=True)):
        positions: Sequence[float] = getattr(run, over)
        _draw_best(figure, analysis.record, _steps(positions, run.values, unit), line_style(index))
    return figure


_AXES = {
    "epochs": "epochs trained, over all trials",
    "trials": "trials ended",
    "seconds": "seconds in which trials ran",
}


def _steps(
    positions: Sequence[float], values: Sequence[float], unit: Unit
) -> tuple[list[float | None], list[float | None]]:
    """Only where the best value changes, and the end."""
    keep = [i for i in range(len(values)) if i == 0 or values[i] != values[i - 1]]
    keep += [len(values) - 1] if values and keep[-1] != len(values) - 1 else []
    y = rounded([values[i] * unit.factor for i in keep])
    return rounded([positions[i] for i in keep]), y


def _draw_best(
    figure: go.Figure,
    record: StudyRecord,
    points: tuple[list[float | None], list[float | None]],
    style: dict[str, Any],
) -> None:
    name = label(record.name, 34)
    figure.add_scatter(
        x=points[0],
        y=points[1],
        name=name,
        mode="lines+markers",
        marker={"size": 5},
        line={**style, "shape": "hv", "width": 2},
        hovertemplate="%{y:.5g} at %{x:,.6~g}<extra>" + name + "</extra>",
    )


def _draw_lines(
    figure: go.Figure, name: str, lines: Lines, style: dict[str, Any], opacity: float
) -> None:
    if not lines.n_trials:
        return
    has_single = any(y is None for y in lines.y[1:2])
    figure.add_scatter(
        x=lines.x,
        y=lines.y,
        text=lines.text,
        name=f"{name} ({lines.n_trials:,})" if name != "best trial" else name,
        mode="lines+markers" if has_single or _is_short(lines) else "lines",
        marker={"size": 4},
        line=style,
        opacity=opacity,
        hovertemplate="%{text}: %{y:.5g} at step %{x}<extra></extra>",
    )


def _is_short(lines: Lines) -> bool:
    """Whether some series has a single point, which a line alone would not show."""
    gaps = [-1, *(index for index, value in enumerate(lines.x) if value is None)]
    return any(second - first == 2 for first, second in pairwise(gaps))


def _draw_bars(figure: go.Figure, name: str, bars: Sequence[Bar], color: str) -> None:
    figure.add_bar(
        name=name,
        orientation="h",
        x=[math.ceil(bar.milliseconds) for bar in bars],
        y=[bar.row for bar in bars],
        base=[bar.start for bar in bars],
        marker={"color": color, "line": {"width": 0.5, "color": "rgba(255,255,255,0.6)"}},
        hovertext=[bar.hover for bar in bars],
        hovertemplate="%{hovertext}<extra>" + name + "</extra>",
    )
