"""Parallel coordinates: values and parameters of each finished trial as one line over axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from optuna.distributions import BaseDistribution, CategoricalDistribution

from hpo.ranking import best_of, losses
from hpo.reporting.analysis import Analysis
from hpo.reporting.figures.choice import has_varied_parameters, with_the_best
from hpo.reporting.figures.style import BAD_TO_GOOD, blend, label, new_figure, spread_indices
from hpo.reporting.records import TrialRecord
from hpo.reporting.units import metric_label

if TYPE_CHECKING:
    import plotly.graph_objects as go

N_SHADES = 12
FOOT = 0.12  # share of an axis below its values, for trials without the parameter
NONE = "none"


class Axis(NamedTuple):
    """One axis from 0 to 1.

    Attributes:
        name: Its label.
        crossings: Where each trial's line crosses it, and what the trial has there.
        ticks: Marked places with their texts.
    """

    name: str
    crossings: tuple[tuple[float, str], ...]
    ticks: tuple[tuple[float, str], ...]


class Grades(NamedTuple):
    """What the lines' colours mean.

    Attributes:
        title: What is graded.
        worst: The grade drawn in the bad colour.
        best: The grade drawn in the good one.
        of_trials: Each trial's.
        marks: Grades marked on the scale; None leaves that to plotly.
    """

    title: str
    worst: float
    best: float
    of_trials: tuple[float, ...]
    marks: list[int] | None = None

    def shade(self, index: int) -> int:
        """From 0, the worst, to N_SHADES."""
        return round(N_SHADES * _share(self.of_trials[index], self.worst, self.best))


class Parallel(NamedTuple):
    """All axes and the trials with their grades."""

    axes: tuple[Axis, ...]
    trials: tuple[TrialRecord, ...]
    grades: Grades


class _Scale(NamedTuple):
    """Where a value stands on an axis, how it is written, and which values are marked."""

    place: Callable[[Any], float]
    text: Callable[[Any], str]
    marks: Sequence[Any]


def plot_parallel(analysis: Analysis) -> go.Figure | None:
    """Draw at most MAX_LINES trials; None where finished trials do not differ."""
    if not has_varied_parameters(analysis):
        return None
    return _draw(gather_parallel(analysis, with_the_best(analysis, analysis.complete)))


def gather_parallel(analysis: Analysis, trials: Sequence[TrialRecord]) -> Parallel:
    """An axis for each objective, then one for each parameter by name."""
    record = analysis.record
    metrics = [metric_label(record, index) for index in range(len(record.metrics))]
    axes = []
    for index, name in enumerate(metrics if len(metrics) > 1 else ["value"]):
        values = {trial.number: trial.values[index] for trial in trials}
        axes.append(_axis(name, trials, values, _linear(list(values.values()))))
    for name in sorted({name for trial in trials for name in trial.params}):
        params = {trial.number: trial.params[name] for trial in trials if name in trial.params}
        kind = next(t.distributions.get(name) for t in trials if name in t.params)
        axes.append(_axis(name, trials, params, _scale_of(kind, list(params.values()))))
    grade = _by_value if len(metrics) == 1 else _by_rank
    return Parallel(tuple(axes), tuple(trials), grade(record.directions, trials))


def _axis(name: str, trials: Sequence[TrialRecord], values: dict[int, Any], scale: _Scale) -> Axis:
    """An axis; trials without a value cross it at its foot."""
    foot = FOOT if len(values) < len(trials) else 0.0

    def crossing(value: Any) -> tuple[float, str]:
        return foot + (1 - foot) * scale.place(value), scale.text(value)

    at_foot = (0.0, NONE)
    crossings = (crossing(values[t.number]) if t.number in values else at_foot for t in trials)
    ticks = map(crossing, scale.marks)
    return Axis(name, tuple(crossings), (*([at_foot] if foot else []), *ticks))


def _scale_of(kind: BaseDistribution | None, values: Sequence[Any]) -> _Scale:
    if isinstance(kind, CategoricalDistribution):
        seen = {repr(value) for value in values}
        return _choices([choice for choice in kind.choices if repr(choice) in seen])
    return _logarithmic(values) if getattr(kind, "log", False) else _linear(values)


def _choices(choices: Sequence[Any]) -> _Scale:
    places = {repr(choice): _share(at, 0, len(choices) - 1) for at, choice in enumerate(choices)}
    return _Scale(lambda choice: places[repr(choice)], str, choices)


def _linear(values: Sequence[float]) -> _Scale:
    low, high = min(values), max(values)
    marks = [low + (high - low) * quarter / 4 for quarter in range(5)] if high > low else [low]
    return _Scale(lambda value: _share(value, low, high), "{:.3g}".format, marks)


def _logarithmic(values: Sequence[float]) -> _Scale:
    low, high = min(values), max(values)
    decades = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    marks = sorted({low, high, *(10.0**decade for decade in decades)})

    def place(value: float) -> float:
        return _share(math.log10(value), math.log10(low), math.log10(high))

    return _Scale(place, "{:.3g}".format, marks)


def _by_value(directions: Sequence[str], trials: Sequence[TrialRecord]) -> Grades:
    values = sorted((trial.values[0] for trial in trials), key=lambda v: losses([v], directions))
    return Grades("value", values[-1], values[0], tuple(trial.values[0] for trial in trials))


def _by_rank(directions: Sequence[str], trials: Sequence[TrialRecord]) -> Grades:
    """By Pareto rank: the front, what is the front without it, and so on."""
    ranks: dict[int, int] = {}
    left = list(trials)
    while left:
        rank = len(set(ranks.values()))
        ranks |= {trial.number: rank for trial in best_of(left, directions)}
        left = [trial for trial in left if trial.number not in ranks]
    found = tuple(float(ranks[trial.number]) for trial in trials)
    worst = max(ranks.values())
    return Grades("Pareto rank", worst, 0.0, found, spread_indices(worst + 1, 6))


def _share(value: float, low: float, high: float) -> float:
    """How far a value is on the way from one end to the other, either of which may be larger."""
    return (value - low) / (high - low) if high != low else 0.5


def _draw(info: Parallel) -> go.Figure:
    """The lines in a few shades, the good ones on top; room for each axis at any page's width."""
    n_axes = len(info.axes)
    figure = new_figure(
        height=460,
        hovermode="closest",
        showlegend=False,
        margin={"r": 8, "l": 44},
        meta={"min_width": 130 + 84 * n_axes},
        annotations=[_tick(at, place, text) for at, axis in enumerate(info.axes)
                     for place, text in axis.ticks],
        shapes=[_axis_line(at) for at in range(n_axes)],
    )  # fmt: skip
    names = [label(axis.name, 20) for axis in info.axes]
    figure.update_xaxes(
        tickvals=list(range(n_axes)),
        ticktext=names,
        tickangle=40,
        range=[-0.2, n_axes - 0.8],
        showgrid=False,
        showline=False,
        ticks="",
    )
    figure.update_yaxes(range=[-0.08, 1.08], visible=False, fixedrange=True)
    for shade in range(N_SHADES + 1):
        for is_feasible in (False, True):
            _draw_shade(figure, info, shade, is_feasible=is_feasible)
    if info.grades.best != info.grades.worst:
        _draw_scale(figure, info.grades)
    return figure


def _draw_scale(figure: go.Figure, grades: Grades) -> None:
    """The scale of colours: a trace without points has one, too."""
    is_reversed = grades.best < grades.worst
    scale = [(1 - at if is_reversed else at, color) for at, color in BAD_TO_GOOD]
    figure.add_scatter(
        x=[None],
        y=[None],
        mode="markers",
        marker={
            "cmin": min(grades.best, grades.worst),
            "cmax": max(grades.best, grades.worst),
            "color": [grades.best],
            "colorscale": sorted(scale),
            "colorbar": {"title": {"text": grades.title}, "tickvals": grades.marks},
            "showscale": True,
        },
        hoverinfo="skip",
    )


def _draw_shade(figure: go.Figure, info: Parallel, shade: int, *, is_feasible: bool) -> None:
    """All lines of one colour in one trace, with gaps between them."""
    drawn = [
        index
        for index, trial in enumerate(info.trials)
        if info.grades.shade(index) == shade and trial.is_feasible == is_feasible
    ]
    if not drawn:
        return
    x: list[int | None] = []
    y: list[float | None] = []
    text: list[str] = []
    for index in drawn:
        crossed = [axis.crossings[index] for axis in info.axes]
        x += [*range(len(crossed)), None]
        y += [*(round(place, 4) for place, _ in crossed), None]
        number = info.trials[index].number
        names = (axis.name for axis in info.axes)
        text += [
            f"trial {number}, {label(name, 30)}: {label(has, 30)}"
            for name, (_, has) in zip(names, crossed, strict=True)
        ]
        text.append("")
    figure.add_scatter(
        x=x,
        y=y,
        text=text,
        mode="lines",
        line={"color": blend(shade / N_SHADES), "width": 1.4,
              "dash": "solid" if is_feasible else "dot"},
        opacity=0.6,
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _tick(axis: int, place: float, text: str) -> dict[str, Any]:
    return {
        "x": axis,
        "y": place,
        "text": label(text, 12),
        "showarrow": False,
        "xanchor": "right",
        "xshift": -4,
        "font": {"size": 10},
    }


def _axis_line(axis: int) -> dict[str, Any]:
    line = {"color": "#888", "width": 1}
    return {"type": "line", "x0": axis, "x1": axis, "y0": 0, "y1": 1, "line": line,
            "layer": "below"}  # fmt: skip
