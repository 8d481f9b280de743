"""Figures of a study, each by check, gather, draw; all in one look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo.reporting.analysis import Analysis

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["study_figures"]


def study_figures(analysis: Analysis, *, with_replicates: bool = False) -> dict[str, go.Figure]:
    """Every figure that the study's data can fill, by a stable id, in reading order.

    A figure holds a few thousand points at most, whatever the study's size.

    Args:
        analysis: The study.
        with_replicates: Add the single replicates of controlled studies as hidden traces.
    """
    if analysis.record.is_controlled:
        figures = _controlled_figures(analysis, with_replicates)
    else:
        figures = _search_figures(analysis)
    return {**figures, **_timeline(analysis)}


def _controlled_figures(analysis: Analysis, with_replicates: bool) -> dict[str, go.Figure]:
    from hpo.reporting.figures import curves, effects
    from hpo.reporting.figures.style import figure_id

    design, summary = analysis.design, analysis.effects
    figures: dict[str, go.Figure] = {}
    if design is None or summary is None:
        return figures
    if effects.has_effects(summary):
        figures["effects"] = effects.plot_effects(summary, analysis.units[0])
    for factor in design.factors:
        if curves.has_curves(design):
            figure = curves.plot_factor(design, factor, with_replicates=with_replicates)
            figures[figure_id("factor", factor.name)] = figure
    if summary.baseline.n_complete or effects.has_effects(summary):
        figures["run-times"] = effects.plot_run_times(summary)
    return figures


def _search_figures(analysis: Analysis) -> dict[str, go.Figure]:
    from hpo.reporting.figures import importances, parallel, points, search
    from hpo.reporting.figures.style import figure_id

    has_one, has_best = len(analysis.record.directions) == 1, bool(analysis.best)
    figures: dict[str, go.Figure | None] = {}
    if has_best and has_one:
        figures["history"] = points.plot_history(analysis)
    if has_best and not has_one:
        for pair, figure in points.plot_fronts(analysis).items():
            figures[f"pareto-{pair}"] = figure
    if search.has_intermediate(analysis.record):
        figures["intermediate"] = search.plot_intermediate(analysis)
    if has_best:
        figures["importances"] = importances.plot_importances(analysis)
        figures["parallel"] = parallel.plot_parallel(analysis)
    if has_best and has_one:
        for name, figure in points.plot_slices(analysis).items():
            figures[figure_id("slice", name)] = figure
    return {name: figure for name, figure in figures.items() if figure is not None}


def _timeline(analysis: Analysis) -> dict[str, go.Figure]:
    from hpo.reporting.figures import search

    record = analysis.record

    return {"timeline": search.plot_timeline(record)} if search.has_timeline(record) else {}
