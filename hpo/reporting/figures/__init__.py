"""Figures of a study, each by check, gather, draw; all in one look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo.reporting.records import StudyRecord

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["study_figures"]


def study_figures(record: StudyRecord, *, with_replicates: bool = False) -> dict[str, go.Figure]:
    """Every figure that the study's data can fill, by a stable id, in reading order.

    A figure holds a few thousand points at most, whatever the study's size.

    Args:
        record: The study.
        with_replicates: Add the single replicates of controlled studies as hidden traces.
    """
    return {
        **(_controlled_figures(record, with_replicates) if record.is_controlled else {}),
        **({} if record.is_controlled else _search_figures(record)),
        **_timeline(record),
    }


def _controlled_figures(record: StudyRecord, with_replicates: bool) -> dict[str, go.Figure]:
    from hpo.reporting.design import read_design
    from hpo.reporting.figures import curves, effects
    from hpo.reporting.figures.style import figure_id
    from hpo.reporting.summary import summarize
    from hpo.reporting.units import unit_of

    design = read_design(record)
    summary = summarize(design, is_maximized=record.is_maximized)
    figures = {}
    if effects.has_effects(summary):
        figures["effects"] = effects.plot_effects(summary, unit_of(record))
    for factor in design.factors:
        if curves.has_curves(design):
            figure = curves.plot_factor(design, factor, with_replicates=with_replicates)
            figures[figure_id("factor", factor.name)] = figure
    if summary.baseline.n_complete or effects.has_effects(summary):
        figures["run-times"] = effects.plot_run_times(summary)
    return figures


def _search_figures(record: StudyRecord) -> dict[str, go.Figure]:
    from hpo.reporting.figures import search, stock
    from hpo.reporting.figures.style import figure_id
    from hpo.reporting.trials import best_trials

    best = best_trials(record)
    if not best:
        return (
            {"intermediate": search.plot_intermediate(record)}
            if search.has_intermediate(record)
            else {}
        )
    figures: dict[str, go.Figure | None] = {}
    if len(record.directions) == 1:
        figures["history"] = stock.plot_history(record)
    else:
        for pair, figure in stock.plot_pareto_fronts(record).items():
            figures[f"pareto-{pair}"] = figure
    if search.has_intermediate(record):
        figures["intermediate"] = search.plot_intermediate(record)
    figures["importances"] = stock.plot_importances(record)
    figures["parallel"] = stock.plot_parallel(record, best)
    if len(record.directions) == 1:
        for name, figure in stock.plot_slices(record).items():
            figures[figure_id("slice", name)] = figure
    return {name: figure for name, figure in figures.items() if figure is not None}


def _timeline(record: StudyRecord) -> dict[str, go.Figure]:
    from hpo.reporting.figures import search

    return {"timeline": search.plot_timeline(record)} if search.has_timeline(record) else {}
