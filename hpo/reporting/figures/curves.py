"""A factor's two panels: training loss and evaluation accuracy over samples seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hpo.reporting.design import Design, Factor, Level
from hpo.reporting.figures.style import (
    NEUTRAL,
    faded,
    label,
    line_style,
    log_ticks,
    new_figure,
    rounded,
)
from hpo.reporting.records import Curves

if TYPE_CHECKING:
    import plotly.graph_objects as go

MAX_POINTS = 200
MAX_MARKED = 40
Points = list[tuple[float, float]]


class Panel(NamedTuple):
    """One level's series in one panel: mean, lowest and highest replicate at each x."""

    x: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    n: tuple[int, ...]
    replicates: tuple[tuple[int, Points], ...]


class LevelCurves(NamedTuple):
    """One line of the legend with its series in both panels."""

    name: str
    style: dict[str, Any]
    loss: Panel
    accuracy: Panel


def has_curves(design: Design) -> bool:
    """Whether any run left curves."""
    return any(
        run.trial is not None and run.trial.curves is not None
        for level in design.levels()
        for run in level.runs
    )


def plot_factor(design: Design, factor: Factor, *, with_replicates: bool = False) -> go.Figure:
    """Draw the two panels of one factor.

    Args:
        design: The study with its runs' curves.
        factor: One of its factors.
        with_replicates: Add single replicates as traces that are hidden at first; their ``meta``
            is ``replicate``.
    """
    return _draw(_gather(design, factor), with_replicates)


def gather_panel(series: Iterable[tuple[int, Points]]) -> Panel:
    """Mean and range over replicates at each x, averaged in equal bins where there are too many.

    At an x that a replicate does not have (it ended early), the others alone are averaged; ``n``
    tells how many they were.
    """
    kept = [(replicate, _finite(points)) for replicate, points in series]
    positions = sorted({x for _, points in kept for x, _ in points})
    if len(positions) > MAX_POINTS:
        width = positions[-1] / MAX_POINTS
        kept = [(replicate, _binned(points, width)) for replicate, points in kept]
    at: dict[float, list[float]] = {}
    for _, points in kept:
        for position, y in points:
            at.setdefault(position, []).append(y)
    x = sorted(at)
    return Panel(
        x=tuple(x),
        mean=tuple(math.fsum(at[position]) / len(at[position]) for position in x),
        low=tuple(min(at[position]) for position in x),
        high=tuple(max(at[position]) for position in x),
        n=tuple(len(at[position]) for position in x),
        replicates=tuple(kept),
    )


def _gather(design: Design, factor: Factor) -> list[LevelCurves]:
    neutral = {"color": NEUTRAL, "dash": "solid"}
    lines = [_level_curves(design.baseline, _baseline_name(factor), neutral)]
    for index, level in enumerate(factor.levels):
        lines.append(_level_curves(level, level.label, line_style(index)))
    return [line for line in lines if line.loss.x or line.accuracy.x]


def _baseline_name(factor: Factor) -> str:
    name = factor.baseline_label
    return name if name == "baseline" else f"{name} (baseline)"


def _level_curves(level: Level, name: str, style: dict[str, Any]) -> LevelCurves:
    return LevelCurves(
        name,
        style,
        gather_panel(_series(level, _loss_points)),
        gather_panel(_series(level, _accuracy_points)),
    )


def _series(level: Level, read: Callable[[Curves], Points]) -> list[tuple[int, Points]]:
    return [
        (run.replicate, read(run.trial.curves))
        for run in level.runs
        if run.trial is not None and run.trial.curves is not None
    ]


def _loss_points(curves: Curves) -> Points:
    """Losses of logged batches; of epochs where no batches were logged."""
    if curves.batch_samples:
        return list(zip(curves.batch_samples, curves.batch_train_loss, strict=True))
    return list(zip(curves.samples, curves.train_loss, strict=False))


def _accuracy_points(curves: Curves) -> Points:
    return [
        (samples, 100 * accuracy)
        for samples, accuracy in zip(curves.samples, curves.evaluation_accuracy, strict=False)
    ]


def _finite(points: Points) -> Points:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _binned(points: Points, width: float) -> Points:
    bins: dict[int, list[float]] = {}
    for x, y in points:
        bins.setdefault(min(int(x / width), MAX_POINTS - 1), []).append(y)
    return [((index + 0.5) * width, math.fsum(ys) / len(ys)) for index, ys in bins.items()]


def _draw(lines: Sequence[LevelCurves], with_replicates: bool) -> go.Figure:
    figure = new_figure(height=620, hovermode="closest", meta={"panels": 2})
    figure.update_layout(
        xaxis={"anchor": "y2", "title": {"text": "samples seen"}, "rangemode": "tozero"},
        yaxis={"domain": [0.54, 1.0], "title": {"text": "training loss"}},
        yaxis2={"domain": [0.0, 0.46], "title": {"text": "evaluation accuracy, %"}},
    )
    figure.update_layout(yaxis=_loss_scale(lines))
    for line in lines:
        _draw_panel(figure, line, line.loss, "y", with_replicates)
        _draw_panel(figure, line, line.accuracy, "y2", with_replicates)
    return figure


def _loss_scale(lines: Sequence[LevelCurves]) -> dict[str, Any]:
    """A logarithmic axis where one level's losses would flatten all others."""
    means = [value for line in lines for value in line.loss.mean]
    if not means or min(means) <= 0 or max(means) / min(means) < 30:
        return {"type": "linear"}
    return log_ticks(min(means), max(means))


def _draw_panel(
    figure: go.Figure, line: LevelCurves, panel: Panel, axis: str, with_replicates: bool
) -> None:
    if not panel.x:
        return
    common = {"x": rounded(panel.x), "yaxis": axis, "legendgroup": line.name}
    name = label(line.name, 30)
    if max(panel.n) > 1:
        band = [*panel.high, *reversed(panel.low)]
        figure.add_scatter(
            **common | {"x": rounded([*panel.x, *reversed(panel.x)])},
            y=rounded(band, 5),
            name=name,
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=faded(line.style["color"], 0.18),
            hoverinfo="skip",
            showlegend=False,
        )
    figure.add_scatter(
        **common,
        y=rounded(panel.mean, 5),
        name=name,
        mode=_mode(len(panel.x)),
        marker={"size": 5},
        line={**line.style, "width": 2.2},
        customdata=panel.n,
        hovertemplate="%{y:.4g} at %{x:,} samples, mean of %{customdata}<extra>"
        + name
        + "</extra>",
        showlegend=axis == "y",
    )
    if with_replicates:
        _draw_replicates(figure, line, panel, axis)


def _mode(n: int) -> str:
    """Few points are marked; a single one would be no line at all."""
    return "lines+markers" if n <= MAX_MARKED else "lines"


def _draw_replicates(figure: go.Figure, line: LevelCurves, panel: Panel, axis: str) -> None:
    for replicate, points in panel.replicates:
        name = label(f"{line.name}, replicate {replicate}", 50)
        figure.add_scatter(
            x=rounded([x for x, _ in points]),
            y=rounded([y for _, y in points], 5),
            yaxis=axis,
            legendgroup=line.name,
            name=name,
            meta="replicate",
            visible=False,
            mode=_mode(len(points)),
            marker={"size": 4},
            line={**line.style, "width": 1},
            opacity=0.7,
            hovertemplate="%{y:.4g} at %{x:,} samples<extra>" + name + "</extra>",
            showlegend=False,
        )
