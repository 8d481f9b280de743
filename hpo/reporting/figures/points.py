"""Figures with one marker a finished trial: values over time, over parameters, over each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

from optuna.distributions import CategoricalDistribution

from hpo.ranking import losses
from hpo.reporting.analysis import Analysis
from hpo.reporting.figures.choice import evenly
from hpo.reporting.figures.style import (
    BLUE,
    NEUTRAL,
    VERMILLION,
    label,
    log_ticks,
    new_figure,
    rounded,
)
from hpo.reporting.records import TrialRecord
from hpo.reporting.units import metric_label

if TYPE_CHECKING:
    import plotly.graph_objects as go

INFEASIBLE = "#B0B0B0"


class Steps(NamedTuple):
    """The best value so far: the trials that changed it, and the end of the study."""

    x: tuple[int, ...]
    y: tuple[float, ...]


class Slice(NamedTuple):
    """Values over one parameter, and how its axis is marked."""

    x: tuple[float, ...] | tuple[str, ...]
    y: tuple[float, ...]
    numbers: tuple[int, ...]
    axis: dict[str, Any]


def plot_history(analysis: Analysis) -> go.Figure:
    """Every finished trial's value and the best value so far, over trial numbers."""
    shown, best = evenly(analysis.complete), gather_best(analysis)
    figure = new_figure(height=380, hovermode="closest", showlegend=True)
    figure.update_xaxes(title={"text": "trial"})
    figure.update_yaxes(_value_axis(analysis))
    marker = {"color": NEUTRAL, "size": 5, "opacity": 0.9}
    feasible = [trial for trial in shown if trial.is_feasible]
    _draw_markers(figure, "finished trials", [t.number for t in feasible], feasible, marker)
    figure.add_scatter(
        name="best so far",
        x=best.x,
        y=rounded(best.y),
        mode="lines",
        line={"color": VERMILLION, "shape": "hv", "width": 2.5},
        hovertemplate="best so far: %{y}<extra></extra>",
    )
    infeasible = [trial for trial in shown if not trial.is_feasible]
    if infeasible:
        marker = {**marker, "color": INFEASIBLE, "symbol": "circle-open"}
        _draw_markers(figure, "infeasible", [t.number for t in infeasible], infeasible, marker)
    return figure


def gather_best(analysis: Analysis) -> Steps:
    """The best value of feasible trials so far, over trial numbers."""
    record, lowest = analysis.record, math.inf
    changes: list[tuple[int, float]] = []
    for trial in analysis.complete:
        loss = losses(trial.values, record.directions)[0]
        if trial.is_feasible and loss < lowest:
            lowest = loss
            changes.append((trial.number, trial.values[0]))
    if changes:
        changes.append((record.trials[-1].number, changes[-1][1]))
    return Steps(tuple(x for x, _ in changes), tuple(y for _, y in changes))


def plot_slices(analysis: Analysis) -> dict[str, go.Figure]:
    """Value over each parameter, one figure each."""
    shown = evenly(analysis.complete)
    names = dict.fromkeys(name for trial in shown for name in trial.params)
    return {name: _draw_slice(analysis, gather_slice(shown, name), name) for name in names}


def gather_slice(trials: Sequence[TrialRecord], name: str) -> Slice:
    """The trials that have a parameter; a categorical's choices stand side by side."""
    having = [trial for trial in trials if name in trial.params]
    y = tuple(trial.values[0] for trial in having)
    numbers = tuple(trial.number for trial in having)
    distribution = having[0].distributions.get(name)
    if isinstance(distribution, CategoricalDistribution):
        # By number: two choices may look alike, such as 1 and "1".
        places = {repr(choice): str(at) for at, choice in enumerate(distribution.choices)}
        named = tuple(places[repr(trial.params[name])] for trial in having)
        return Slice(named, y, numbers, _choices_axis(distribution.choices))
    x = tuple(float(f"{trial.params[name]:.6g}") for trial in having)
    is_log = getattr(distribution, "log", False)
    return Slice(x, y, numbers, log_ticks(min(x), max(x)) if is_log else {})


def _choices_axis(choices: Sequence[Any]) -> dict[str, Any]:
    places = [str(at) for at in range(len(choices))]
    texts = [label(choice, 12) for choice in choices]
    return {
        "type": "category",
        "categoryarray": places,
        "tickvals": places,
        "ticktext": texts,
        "title_standoff": 4,
    }


def plot_fronts(analysis: Analysis) -> dict[str, go.Figure]:
    """The Pareto front, one figure for each pair of objectives."""
    pairs = combinations(range(len(analysis.record.metrics)), 2)
    return {f"{x}-{y}": _draw_front(analysis, x, y) for x, y in pairs}


def _draw_slice(analysis: Analysis, points: Slice, name: str) -> go.Figure:
    figure = new_figure(height=300, hovermode="closest")
    figure.update_xaxes(title={"text": label(name)}, **points.axis)
    figure.update_yaxes(_value_axis(analysis))
    figure.add_scatter(
        x=points.x,
        y=rounded(points.y),
        mode="markers",
        marker={"color": BLUE, "size": 6, "opacity": 0.6},
        text=points.numbers,
        hovertemplate="trial %{text}: %{y}<extra></extra>",
    )
    return figure


def _draw_front(analysis: Analysis, x: int, y: int) -> go.Figure:
    best = {trial.number for trial in analysis.best}
    others = [trial for trial in analysis.complete if trial.number not in best]
    figure = new_figure(height=420, hovermode="closest", showlegend=True)
    figure.update_xaxes(title={"text": label(analysis.record.metrics[x])})
    figure.update_yaxes(title={"text": label(analysis.record.metrics[y])})
    for name, group, color, size in (
        ("infeasible", [trial for trial in others if not trial.is_feasible], INFEASIBLE, 5),
        ("other trials", [trial for trial in others if trial.is_feasible], BLUE, 6),
        ("Pareto front", analysis.best, VERMILLION, 9),
    ):
        if group:
            at = [trial.values[x] for trial in group]
            marker = {"color": color, "size": size, "opacity": 0.8}
            _draw_markers(figure, name, at, group, marker, objective=y)
    return figure


def _draw_markers(
    figure: go.Figure,
    name: str,
    x: Sequence[float],
    trials: Sequence[TrialRecord],
    marker: dict[str, Any],
    objective: int = 0,
) -> None:
    figure.add_scatter(
        name=name,
        x=rounded(x),
        y=rounded([trial.values[objective] for trial in trials]),
        mode="markers",
        marker=marker,
        text=[trial.number for trial in trials],
        hovertemplate="trial %{text}: %{y}<extra></extra>",
    )


def _value_axis(analysis: Analysis) -> dict[str, Any]:
    """The first objective's name, in per cent where its values are fractions."""
    tick_format = None if analysis.units[0].factor == 1 else ".4~%"
    title = {"text": label(metric_label(analysis.record))}
    return {"title": title, "tickformat": tick_format}
