"""What the figures of a search are drawn from."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from hpo.reporting.analysis import Analysis, analyze
from hpo.reporting.figures.parallel import N_SHADES, gather_parallel, plot_parallel
from hpo.reporting.figures.points import gather_best, gather_slice, plot_fronts, plot_history
from hpo.reporting.records import StudyRecord, TrialRecord

from .made_searches import make_front, make_search
from .made_studies import TrialPlan, make_study, read_made

RATE = FloatDistribution(1e-4, 1.0, log=True)
KIND = CategoricalDistribution(["near", "far", None, 1, "1"])


def analysis_of(*plans: TrialPlan, directions: tuple[str, ...] = ("maximize",)) -> Analysis:
    return analyze(read_made(make_study(list(plans), directions=directions), {}))


def with_params(value: float, **params: Any) -> TrialPlan:
    kinds = {"rate": RATE, "kind": KIND, "x": FloatDistribution(0.0, 10.0)}
    return TrialPlan(value, params, {name: kinds[name] for name in params})


def test_the_best_value_so_far_steps_where_it_changes_and_reaches_the_last_trial() -> None:
    pruned = TrialPlan(0.9, state=TrialState.PRUNED)
    plans = [TrialPlan(0.5), TrialPlan(0.4), pruned, TrialPlan(0.7), pruned]
    assert gather_best(analysis_of(*plans)) == ((0, 3, 4), (0.5, 0.7, 0.7))
    assert gather_best(analysis_of(*plans, directions=("minimize",))).y == (0.5, 0.4, 0.4)


def test_infeasible_trials_are_drawn_apart_and_never_the_best_so_far() -> None:
    trials = (
        TrialRecord(0, "COMPLETE", (0.9,), is_feasible=False),
        TrialRecord(1, "COMPLETE", (0.5,)),
    )
    analysis = analyze(StudyRecord("s", ("maximize",), ("value",), trials))
    assert gather_best(analysis).y == (0.5, 0.5)
    traces = {trace.name: list(trace.y) for trace in plot_history(analysis).data}
    assert traces == {"finished trials": [0.5], "best so far": [0.5, 0.5], "infeasible": [0.9]}


def test_choices_that_look_alike_have_places_of_their_own() -> None:
    plans = [with_params(n / 10, kind=kind) for n, kind in enumerate(["1", 1, None])]
    points = gather_slice(analysis_of(*plans).complete, "kind")
    assert points.x == ("4", "3", "2")
    assert points.axis["ticktext"] == ["near", "far", "None", "1", "1"]


def test_a_slice_holds_the_trials_that_have_the_parameter() -> None:
    plans = [with_params(0.1, rate=0.01), with_params(0.2, x=1.0), with_params(0.3, rate=0.1)]
    points = gather_slice(analysis_of(*plans).complete, "rate")
    assert (points.x, points.y, points.numbers) == ((0.01, 0.1), (0.1, 0.3), (0, 2))
    assert points.axis["type"] == "log"


def test_lines_cross_axes_from_the_lowest_to_the_highest_value() -> None:
    plans = [with_params(v, rate=r) for v, r in ((0.1, 0.001), (0.2, 0.01), (0.3, 0.1))]
    analysis = analysis_of(*plans)
    value, rate = gather_parallel(analysis, analysis.complete).axes
    assert [place for place, _ in value.crossings] == pytest.approx([0.0, 0.5, 1.0])
    assert [place for place, _ in rate.crossings] == pytest.approx([0.0, 0.5, 1.0])
    assert [text for _, text in rate.ticks] == ["0.001", "0.01", "0.1"]


def test_trials_without_a_parameter_cross_at_the_foot_of_its_axis() -> None:
    analysis = analysis_of(with_params(0.1, x=5.0), with_params(0.2, kind="far"))
    _, kind, x = gather_parallel(analysis, analysis.complete).axes
    assert kind.crossings[0] == (0.0, "none")
    assert x.crossings == ((0.56, "5"), (0.0, "none"))
    assert x.ticks[0] == (0.0, "none")


@pytest.mark.parametrize(("direction", "shades"), [("maximize", [0, 12]), ("minimize", [12, 0])])
def test_good_trials_have_the_good_colour_in_either_direction(
    direction: str, shades: list[int]
) -> None:
    plans = (with_params(0.1, x=1.0), with_params(0.9, x=2.0))
    analysis = analysis_of(*plans, directions=(direction,))
    grades = gather_parallel(analysis, analysis.complete).grades
    assert [grades.shade(index) for index in range(2)] == shades
    assert N_SHADES == 12


def test_several_objectives_are_graded_by_pareto_rank() -> None:
    plans = [
        TrialPlan(values, {"x": values[0]}, {"x": FloatDistribution(0, 9)})
        for values in ((1.0, 1.0), (2.0, 2.0), (1.0, 3.0), (3.0, 3.0))
    ]
    analysis = analysis_of(*plans, directions=("minimize", "minimize"))
    grades = gather_parallel(analysis, analysis.complete).grades
    assert grades.of_trials == (0.0, 1.0, 1.0, 2.0)
    assert (grades.best, grades.worst) == (0.0, 2.0)


def test_a_few_traces_hold_all_lines_with_gaps_between_them() -> None:
    analysis = analyze(make_search(900))
    figure = plot_parallel(analysis)
    assert figure is not None
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    assert len(lines) <= N_SHADES + 1
    assert sum(list(trace.x).count(None) for trace in lines) == 300
    assert all(len(trace.x) == len(trace.y) == len(trace.text) for trace in lines)


def test_the_front_is_drawn_over_the_others() -> None:
    analysis = analyze(make_front())
    (figure,) = plot_fronts(analysis).values()
    assert [trace.name for trace in figure.data] == ["other trials", "Pareto front"]
    assert len(figure.data[1].x) == len(analysis.best)
