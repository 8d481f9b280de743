"""optuna.visualization's figures of a record, in our look."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hpo.reporting.figures.memory_study import (
    as_minimized_study,
    as_study,
    quiet_optuna,
    safe_choice,
    safe_name,
)
from hpo.reporting.figures.style import (
    BAD_TO_GOOD,
    BLUE,
    NEUTRAL,
    VERMILLION,
    blend,
    label,
    log_ticks,
    spread_indices,
    template,
)
from hpo.reporting.records import StudyRecord, TrialRecord
from hpo.reporting.units import metric_label, unit_of

if TYPE_CHECKING:
    import optuna
    import plotly.graph_objects as go

MAX_LINES = 300
MAX_MARKERS = 2000


def plot_history(record: StudyRecord) -> go.Figure:
    """Every finished trial's value and the best value so far, over trial numbers."""
    from optuna.visualization import plot_optimization_history

    figure = _restyled(plot_optimization_history(as_study(record, record.trials)), height=380)
    _thin(figure)
    for trace, color in zip(figure.data, (NEUTRAL, VERMILLION, NEUTRAL), strict=False):
        trace.marker.color = color
        trace.line.color = color
    figure.data[0].update(name="finished trials", marker={"size": 5, "opacity": 0.9})
    figure.data[1].update(name="best so far", line={"shape": "hv", "width": 2.5})
    figure.update_layout(
        xaxis_title_text="trial", yaxis_title_text=_title(record), yaxis_tickformat=_tick(record)
    )
    return figure


def plot_importances(record: StudyRecord) -> go.Figure | None:
    """Parameter importances by PED-ANOVA; None where the trials cannot tell them."""
    from optuna.visualization import plot_param_importances

    if not has_varied_parameters(record):
        return None
    try:
        with quiet_optuna():
            figure = plot_param_importances(as_minimized_study(record))
    except (ValueError, RuntimeError):
        # Too few trials, or all of one value: the evaluator says so by raising.
        return None
    n_bars = max((len(trace.y) for trace in figure.data), default=0)
    if n_bars == 0:
        return None
    figure = _restyled(figure, height=110 + 34 * n_bars * len(figure.data))
    for trace, color in zip(figure.data, (BLUE, VERMILLION, NEUTRAL), strict=False):
        trace.marker.color = color
        trace.textposition = "auto"
    figure.update_layout(
        xaxis_title_text="share of the variation", yaxis_title_text="", xaxis_rangemode="tozero"
    )
    return figure


def plot_parallel(record: StudyRecord, best: Sequence[TrialRecord]) -> go.Figure | None:
    """Parameters and value of each finished trial as one line; of many trials, some."""
    from optuna.visualization import plot_parallel_coordinate

    complete = [trial for trial in record.trials if trial.is_complete]
    if not complete or not has_varied_parameters(record):
        return None
    shown = chosen_trials(record, complete, best)
    figure = plot_parallel_coordinate(as_study(record, shown), target_name="value")
    figure = _restyled(figure, height=460)
    if len(record.directions) == 1:
        _recolor_by_value(figure, is_maximized=record.is_maximized)
    else:
        _recolor_by_rank(figure)
    _tidy_parallel(figure)
    return figure


def plot_slices(record: StudyRecord) -> dict[str, go.Figure]:
    """Value over each parameter, one figure each."""
    from optuna.visualization import plot_slice

    complete = [trial for trial in record.trials if trial.is_complete]
    complete = [complete[index] for index in spread_indices(len(complete), MAX_MARKERS)]
    study = as_study(record, complete)
    names = dict.fromkeys(name for trial in complete for name in trial.params)
    return {name: _slice(record, plot_slice(study, [safe_name(name)]), name) for name in names}


def plot_pareto_fronts(record: StudyRecord) -> dict[str, go.Figure]:
    """The Pareto front, one figure for each pair of objectives."""
    from optuna.visualization import plot_pareto_front

    study = as_study(record, record.trials)
    figures = {}
    for x in range(len(record.metrics)):
        for y in range(x + 1, len(record.metrics)):

            def targets(trial: optuna.trial.FrozenTrial, x: int = x, y: int = y) -> list[float]:
                return [trial.values[x], trial.values[y]]

            names = [label(record.metrics[index]) for index in (x, y)]
            figure = plot_pareto_front(study, targets=targets, target_names=names)
            figures[f"{x}-{y}"] = _pareto(figure)
    return figures


def chosen_trials(
    record: StudyRecord, trials: Sequence[TrialRecord], best: Sequence[TrialRecord]
) -> list[TrialRecord]:
    """At most MAX_LINES trials: the best ones (a third) and others evenly spread over the study."""
    if len(trials) <= MAX_LINES:
        return list(trials)
    first = {trial.number for trial in best[: MAX_LINES // 3]}
    if len(record.directions) == 1:
        ranked = sorted(trials, key=lambda trial: _rank(record, trial))
        first |= {trial.number for trial in ranked[: MAX_LINES // 3]}
    others = [trial for trial in trials if trial.number not in first]
    first |= {others[i].number for i in spread_indices(len(others), MAX_LINES - len(first))}
    return [trial for trial in trials if trial.number in first]


def has_varied_parameters(record: StudyRecord) -> bool:
    """Whether finished trials differ in any parameter."""
    points = {repr(sorted(t.params.items())) for t in record.trials if t.is_complete}
    return len(points) > 1


def _rank(record: StudyRecord, trial: TrialRecord) -> float:
    values = trial.values or tuple(value for _, value in trial.intermediate[-1:]) or (0.0,)
    return -values[0] if record.is_maximized else values[0]


def _restyled(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(
        template=template(is_dark=False),
        title=None,
        plot_bgcolor=None,
        height=height,
        width=None,
    )
    return figure


def _title(record: StudyRecord) -> str:
    return label(metric_label(record))


def _tick(record: StudyRecord) -> str | None:
    return None if unit_of(record).factor == 1 else ".4~%"


def _thin(figure: go.Figure) -> None:
    """Keep at most MAX_MARKERS points of a trace; changes of a running best are always kept."""
    for trace in figure.data:
        n = len(trace.x)
        if n <= MAX_MARKERS:
            continue
        keep = set(spread_indices(n, MAX_MARKERS // 2))
        if trace.mode == "lines":
            keep |= {i for i in range(1, n) if trace.y[i] != trace.y[i - 1]}
        indices = sorted(keep)
        trace.update(x=[trace.x[i] for i in indices], y=[trace.y[i] for i in indices])


def _recolor_by_value(figure: go.Figure, *, is_maximized: bool) -> None:
    """From grey (bad) to vermillion (good), the good ones on top; the first axis is the value."""

    def goodness(trace: go.Scatter) -> float:
        return float(trace.y[0] if is_maximized else 1 - trace.y[0])

    lines = sorted((trace for trace in figure.data if trace.mode == "lines"), key=goodness)
    for line in lines:
        line.update(line={"color": blend(goodness(line)), "width": 1.4}, opacity=0.6)
    others = _recolored_bars(figure, is_reversed=not is_maximized)
    figure.data = (*lines, *others)


def _recolor_by_rank(figure: go.Figure) -> None:
    """The same scale over Pareto ranks; Optuna draws the worst first, each in its own colour."""
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    ranks = list(dict.fromkeys(line.line.color for line in lines))
    for line in lines:
        share = ranks.index(line.line.color) / max(len(ranks) - 1, 1)
        line.update(line={"color": blend(share), "width": 1.4}, opacity=0.6)
    _recolored_bars(figure, is_reversed=True)


def _recolored_bars(figure: go.Figure, *, is_reversed: bool) -> list[go.Scatter]:
    scale = sorted((1 - at if is_reversed else at, color) for at, color in BAD_TO_GOOD)
    others = [trace for trace in figure.data if trace.mode != "lines"]
    for trace in others:
        trace.marker.update(colorscale=scale, reversescale=False)
    return others


def _tidy_parallel(figure: go.Figure) -> None:
    """Room for each axis's labels, whatever the page's width; names slant, long labels are cut."""
    n_axes = len(figure.layout.xaxis.tickvals or ())
    figure.update_layout(
        xaxis={"tickangle": 40, "ticks": "", "showline": False},
        margin={"r": 8, "l": 44},
        meta={"min_width": 130 + 84 * n_axes},
    )
    for note in figure.layout.annotations:
        text = html.unescape(note.text)
        note.update(text=label(text, 12), font={"color": None, "size": 10})


def _slice(record: StudyRecord, figure: go.Figure, name: str) -> go.Figure:
    figure = _restyled(figure, height=300)
    labels = {repr(choice): str(choice) for choice in _choices(record, name)}
    for trace in figure.data:
        trace.update(marker={"color": BLUE, "size": 6, "opacity": 0.6, "showscale": False})
        if labels:
            trace.x = [labels.get(x, x) for x in trace.x]
    if labels:
        names = list(labels.values())
        short = [label(choice, 12) for choice in _raw_choices(record, name)]
        figure.update_xaxes(
            type="category", categoryarray=names, tickvals=names, ticktext=short, title_standoff=4
        )
    elif figure.layout.xaxis.type == "log":
        x = [value for trace in figure.data for value in trace.x]
        figure.update_xaxes(log_ticks(min(x), max(x)))
    figure.update_layout(yaxis_title_text=_title(record), yaxis_tickformat=_tick(record))
    return figure


def _choices(record: StudyRecord, name: str) -> tuple[Any, ...]:
    return tuple(map(safe_choice, _raw_choices(record, name)))


def _raw_choices(record: StudyRecord, name: str) -> tuple[Any, ...]:
    for trial in record.trials:
        if name in trial.distributions:
            return tuple(getattr(trial.distributions[name], "choices", ()))
    return ()


def _pareto(figure: go.Figure) -> go.Figure:
    figure = _restyled(figure, height=420)
    styles: dict[str, tuple[str, str, int]] = {
        "Best Trial": ("Pareto front", VERMILLION, 9),
        "Infeasible Trial": ("infeasible", "#B0B0B0", 5),
    }
    for trace in figure.data:
        kind = trace.hovertemplate.split("<extra>")[1].split("<")[0]
        name, color, size = styles.get(kind, ("other trials", BLUE, 6))
        trace.update(name=name, showlegend=True)
        trace.marker = {"color": color, "size": size, "opacity": 0.8}
    figure.data = tuple(trace for trace in figure.data if trace.x)
    return figure
