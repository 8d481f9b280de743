"""The forest plot of a controlled study's effects, and its run times: one row a level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from hpo.reporting.figures.style import BLUE, NEUTRAL, VERMILLION, label, new_figure, rounded
from hpo.reporting.summary import LevelSummary, Summary
from hpo.reporting.units import Unit, duration

if TYPE_CHECKING:
    import plotly.graph_objects as go

ROW_PX = 25
VERDICT_MARKS = {
    "better": (BLUE, "triangle-right"),
    "worse": (VERMILLION, "triangle-left"),
    "within the noise of the seeds": (NEUTRAL, "circle"),
    "noise is unknown": (NEUTRAL, "circle-open"),
}


class Effect(NamedTuple):
    """One row of the forest plot in shown units; an end beyond the axis is cut at it."""

    row: int
    verdict: str
    mean: float
    low: float
    high: float
    hover: str
    beyond: str


class ForestInfo(NamedTuple):
    """Rows from top to bottom; ``ticks`` holds a header for each factor, then its levels."""

    ticks: tuple[str, ...]
    effects: tuple[Effect, ...]
    limit: float
    unit: str


class RunTime(NamedTuple):
    """One row of the run times: its mean and the single runs, in seconds."""

    row: int
    mean: float
    runs: tuple[float, ...]
    hover: str


class RunTimeInfo(NamedTuple):
    """Rows from top to bottom; the first is the baseline."""

    ticks: tuple[str, ...]
    rows: tuple[RunTime, ...]


def has_effects(summary: Summary) -> bool:
    """Whether any level can be compared with the baseline."""
    return any(level.change.n for factor in summary.factors for level in factor.levels)


def plot_effects(summary: Summary, unit: Unit) -> go.Figure:
    """Draw each level's paired difference from the baseline with its 95 % interval."""
    return _draw_effects(gather_effects(summary, unit))


def plot_run_times(summary: Summary) -> go.Figure:
    """Draw the mean run time of the baseline and of each level, and the single runs."""
    return _draw_run_times(_gather_run_times(summary))


def gather_effects(summary: Summary, unit: Unit) -> ForestInfo:
    """Rows of the forest plot; the axis ends where a few huge effects would hide the others."""
    ticks: list[str] = []
    placed: list[tuple[int, LevelSummary]] = []
    for factor in summary.factors:
        ticks.append(f"<b>{label(factor.factor.name, 24)}</b>")
        for level in factor.levels:
            placed.append((len(ticks), level))
            ticks.append(label(level.level.label, 24))
    limit = axis_limit([_reach(level) * unit.factor for _, level in placed if level.change.n])
    effects = tuple(_effect(row, level, unit, limit) for row, level in placed if level.change.n > 0)
    return ForestInfo(tuple(ticks), effects, limit, unit.difference)


def axis_limit(reaches: Sequence[float]) -> float:
    """Where the axis ends: below effects, a quarter at most, over three times the next one."""
    known = sorted(reach for reach in reaches if math.isfinite(reach) and reach > 0)
    if not known:
        return 1.0
    for low, high in pairwise(known[max(3 * len(known) // 4 - 1, 0) :]):
        if high > 3 * low:
            return 1.12 * low
    return 1.12 * known[-1]


def _reach(level: LevelSummary) -> float:
    change = level.change
    ends = (change.mean, change.low, change.high)
    return max(abs(end) for end in ends if math.isfinite(end))


def _effect(row: int, level: LevelSummary, unit: Unit, limit: float) -> Effect:
    change = level.change
    mean = change.mean * unit.factor
    low, high = (
        end * unit.factor if math.isfinite(end) else mean for end in (change.low, change.high)
    )
    interval = unit.interval(change.low, change.high)
    hover = (
        f"{label(level.level.factor)}: {label(level.level.label)}<br>"
        f"{unit.change(change.mean)} {unit.difference}, 95 % interval {interval}<br>"
        f"{change.n} pairs, {level.verdict}"
    )
    return Effect(
        row=row,
        verdict=level.verdict,
        mean=min(max(mean, -limit), limit),
        low=min(max(low, -limit), limit),
        high=min(max(high, -limit), limit),
        hover=hover,
        beyond=unit.change(change.mean) if abs(mean) > limit else "",
    )


def _draw_effects(info: ForestInfo) -> go.Figure:
    figure = _rows_figure(info.ticks)
    title = "difference from the baseline" + (f", {info.unit}" if info.unit else "")
    figure.update_xaxes(
        title={"text": title},
        range=[-1.04 * info.limit, 1.04 * info.limit],
        zeroline=True,
        zerolinewidth=2,
    )
    for verdict, (color, symbol) in VERDICT_MARKS.items():
        effects = [effect for effect in info.effects if effect.verdict == verdict]
        if effects:
            _draw_verdict(figure, verdict, effects, {"color": color, "symbol": symbol, "size": 10})
    return figure


def _draw_verdict(
    figure: go.Figure, verdict: str, effects: Sequence[Effect], marker: dict[str, Any]
) -> None:
    figure.add_scatter(
        name=verdict,
        x=rounded([effect.mean for effect in effects]),
        y=[effect.row for effect in effects],
        error_x={
            "type": "data",
            "symmetric": False,
            "visible": verdict != "noise is unknown",
            "array": rounded([effect.high - effect.mean for effect in effects]),
            "arrayminus": rounded([effect.mean - effect.low for effect in effects]),
            "thickness": 2,
            "width": 4,
            "color": marker["color"],
        },
        mode="markers+text",
        marker=marker,
        text=[effect.beyond for effect in effects],
        textposition=["middle right" if effect.mean < 0 else "middle left" for effect in effects],
        hovertext=[effect.hover for effect in effects],
        hovertemplate="%{hovertext}<extra></extra>",
        cliponaxis=False,
    )


def _gather_run_times(summary: Summary) -> RunTimeInfo:
    ticks, rows = ["<b>baseline</b>"], [_run_time(0, summary.baseline)]
    for factor in summary.factors:
        ticks.append(f"<b>{label(factor.factor.name, 24)}</b>")
        for level in factor.levels:
            rows.append(_run_time(len(ticks), level))
            ticks.append(label(level.level.label, 24))
    return RunTimeInfo(tuple(ticks), tuple(row for row in rows if row.runs))


def _run_time(row: int, level: LevelSummary) -> RunTime:
    times = (trial.run_time_s for trial in level.level.complete().values())
    hover = f"{label(level.level.label)}: {duration(level.run_time_s)}"
    if level.level.factor and math.isfinite(level.time_ratio.mean):
        hover += f", {level.time_ratio.mean:.2f} times the baseline"
    return RunTime(row, level.run_time_s, tuple(time for time in times if time is not None), hover)


def _draw_run_times(info: RunTimeInfo) -> go.Figure:
    figure = _rows_figure(info.ticks)
    figure.update_xaxes(title={"text": "run time of one training, s"}, rangemode="tozero")
    figure.add_bar(
        name="mean",
        orientation="h",
        x=rounded([row.mean for row in info.rows], 4),
        y=[row.row for row in info.rows],
        marker={"color": [NEUTRAL if row.row == 0 else BLUE for row in info.rows], "opacity": 0.55},
        hovertext=[row.hover for row in info.rows],
        hovertemplate="%{hovertext}<extra></extra>",
    )
    runs = [(time, row.row) for row in info.rows for time in row.runs]
    figure.add_scatter(
        name="single runs",
        mode="markers",
        x=rounded([time for time, _ in runs], 4),
        y=[row for _, row in runs],
        marker={"color": NEUTRAL, "size": 6, "symbol": "line-ns-open"},
        hovertemplate="%{x:.4g} s<extra></extra>",
    )
    figure.update_layout(showlegend=False)
    return figure


def _rows_figure(ticks: Sequence[str]) -> go.Figure:
    figure = new_figure(height=120 + ROW_PX * len(ticks), showlegend=True)
    figure.update_yaxes(
        tickvals=list(range(len(ticks))),
        ticktext=list(ticks),
        range=[len(ticks) - 0.4, -0.6],
        ticks="",
        showgrid=False,
    )
    return figure
