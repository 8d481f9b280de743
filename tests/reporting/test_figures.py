from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from hpo.reporting.analysis import analyze
from hpo.reporting.design import read_design
from hpo.reporting.figures import study_figures
from hpo.reporting.figures.choice import MAX_LINES, with_the_best
from hpo.reporting.figures.curves import MAX_POINTS, gather_panel
from hpo.reporting.figures.effects import axis_limit, gather_effects
from hpo.reporting.figures.search import comparable, gather_lines, plot_comparison
from hpo.reporting.figures.style import figure_id, label, log_ticks, spread_indices
from hpo.reporting.records import StudyRecord
from hpo.reporting.summary import summarize
from hpo.reporting.units import PERCENT, PLAIN

from .made_article import make_article
from .made_searches import make_front, make_search
from .made_studies import TrialPlan, make_study, ours, read_made


def n_points(figure: Any) -> int:
    return sum(len(trace.x) for trace in figure.data)


def test_a_controlled_study_has_its_effects_two_panels_a_factor_and_run_times() -> None:
    figures = study_figures(analyze(make_article()))
    assert list(figures) == [
        "effects",
        "factor-hidden_layers",
        "factor-activation",
        "factor-loss",
        "factor-batch_size",
        "factor-epochs",
        "factor-learning_rate",
        "factor-regularization",
        "run-times",
        "timeline",
    ]
    axes = {trace.yaxis for trace in figures["factor-loss"].data}
    assert axes == {"y", "y2"}


def test_a_search_has_its_figures_under_stable_names() -> None:
    names = list(study_figures(analyze(make_search())))
    assert names[:4] == ["history", "intermediate", "importances", "parallel"]
    assert names[-1] == "timeline"
    assert {"slice-learning_rate", "slice-hidden_layers"} <= set(names)


def test_several_objectives_have_a_front_for_each_pair() -> None:
    names = list(study_figures(analyze(make_front(n_objectives=3))))
    assert [name for name in names if name.startswith("pareto")] == [
        "pareto-0-1",
        "pareto-0-2",
        "pareto-1-2",
    ]


def test_importances_of_a_maximized_objective_are_those_of_its_best_trials() -> None:
    plans = [
        TrialPlan(
            (float(n % 2), float(n % 2)),
            {"good": "yes" if n % 2 else "no", "idle": str(n % 3)},
            {
                "good": CategoricalDistribution(["no", "yes"]),
                "idle": CategoricalDistribution(["0", "1", "2"]),
            },
        )
        for n in range(30)
    ]
    study = make_study(plans, directions=("maximize", "minimize"))
    for trace in study_figures(analyze(read_made(study, {})))["importances"].data:
        values = dict(zip(trace.y, trace.x, strict=True))
        assert values["good"] > 0.9 > values["idle"]


def test_published_figures_stay_small(large: StudyRecord) -> None:
    for record in (make_article(), large):
        for name, figure in study_figures(analyze(record)).items():
            assert n_points(figure) < 20_000, name
            assert len(figure.to_json()) < 1_000_000, name


@pytest.mark.parametrize(
    "plans",
    [
        [],
        [TrialPlan(None, state=TrialState.RUNNING)],
        [TrialPlan(None, state=TrialState.FAIL)],
        [TrialPlan(0.5)],
        [TrialPlan(math.inf), TrialPlan(0.5)],
        [TrialPlan(0.5, state=TrialState.PRUNED, intermediate={1: 0.5})],
    ],
)
def test_a_study_with_hardly_any_data_has_the_figures_that_it_can_fill(
    plans: list[TrialPlan],
) -> None:
    for figure in study_figures(analyze(read_made(make_study(plans), {}))).values():
        json.loads(figure.to_json())


def test_a_users_markup_is_text_in_every_label_of_every_figure() -> None:
    evil = "<b>x</b><a href='https://example.com'>y</a>%{x}"
    plans = [
        TrialPlan(
            number / 10,
            {evil: evil if number % 2 else "plain"},
            {evil: CategoricalDistribution(["plain", evil])},
            {"worker": evil, "reason": evil},
            {1: 0.1, 2: number / 10},
            start_s=20.0 * number,
        )
        for number in range(6)
    ]
    study = make_study(plans, name=evil)
    figures = study_figures(analyze(read_made(study, {})))
    assert len(figures) >= 5
    for name, figure in figures.items():
        text = figure.to_json()
        assert "<a " not in text, name
        assert "<b>x" not in text, name


def test_labels_are_escaped_shortened_and_on_one_line() -> None:
    assert label("a\n <b>") == "a &lt;b&gt;"
    assert label("x" * 80, 10) == "x" * 9 + "…"
    assert label("%{y}") == "&#37;{y}"


def test_figure_names_are_fit_for_files_and_told_apart() -> None:
    assert figure_id("slice", "learning_rate") == "slice-learning_rate"
    one, other = figure_id("slice", "Größe/a"), figure_id("slice", "Größe/b")
    assert one != other
    assert all(name.replace("-", "").replace("_", "").isascii() for name in (one, other))
    assert "/" not in one


def test_mean_and_range_over_replicates() -> None:
    panel = gather_panel([(0, [(1.0, 2.0), (2.0, 4.0)]), (1, [(1.0, 4.0), (2.0, math.nan)])])
    assert panel.x == (1.0, 2.0)
    assert panel.mean == (3.0, 4.0)
    assert panel.low == (2.0, 4.0)
    assert panel.high == (4.0, 4.0)
    assert panel.n == (2, 1)


def test_long_series_are_averaged_in_equal_bins() -> None:
    points = [(float(x), float(x)) for x in range(1, 10_001)]
    panel = gather_panel([(0, points)])
    assert len(panel.x) == MAX_POINTS
    assert math.fsum(panel.mean) / len(panel.mean) == pytest.approx(5000, rel=0.01)
    assert all(abs(x - y) < 26 for x, y in zip(panel.x, panel.mean, strict=True))


def test_a_single_epoch_is_seen_as_points() -> None:
    curves = {"epochs": {"samples": [60_000], "train_loss": [0.5], "evaluation_accuracy": [0.9]}}
    file = {"method": "controlled", "baseline": {"a": 1}, "vary": {"a": {"2": {"a": 2}}}}
    plans = [
        TrialPlan(0.9, attributes={"replicate": 0}),
        TrialPlan(0.9, attributes={"replicate": 0, "factor": "a", "level": "2"}),
    ]
    record = read_made(make_study(plans, attributes=ours(file)), {0: curves, 1: curves})
    traces = study_figures(analyze(record))["factor-a"].data
    assert len(traces) == 4
    assert {trace.mode for trace in traces} == {"lines+markers"}


def test_the_forest_has_a_header_for_each_factor_and_a_row_for_each_level() -> None:
    record = make_article()
    info = gather_effects(summarize(read_design(record), is_maximized=True), PERCENT)
    assert len(info.ticks) == 7 + 17
    assert len(info.effects) == 17
    huge = [effect for effect in info.effects if effect.beyond]
    assert any(effect.beyond == "−86.65" for effect in huge)
    assert all(abs(effect.mean) <= info.limit for effect in info.effects)


def test_the_axis_ends_below_effects_that_would_hide_the_others() -> None:
    assert axis_limit([0.1, 0.2, 0.3, 87.0]) == pytest.approx(0.336)
    assert axis_limit([0.01, 0.2, 0.3, 0.5]) == pytest.approx(0.56)
    assert axis_limit([0.1, 0.2, 2.0, 2.1, 2.2, 2.3]) == pytest.approx(2.576)
    assert axis_limit([]) == 1.0


def test_intermediate_values_of_trials_are_parted_by_gaps() -> None:
    record = make_search(30)
    lines = gather_lines(record.trials[:3], PLAIN)
    assert lines.n_trials == 3
    assert lines.x.count(None) == 3
    assert len(lines.x) == len(lines.y) == len(lines.text)


def test_of_many_trials_the_best_are_always_drawn() -> None:
    record = make_search(900)
    complete = [trial for trial in record.trials if trial.is_complete]
    reported = [trial for trial in record.trials if trial.intermediate]
    analysis = analyze(record)
    shown = with_the_best(analysis, reported)
    assert len(shown) == MAX_LINES
    assert analysis.best[0] in shown
    assert with_the_best(analysis, complete[:5]) == complete[:5]


def test_studies_of_one_metric_and_direction_are_compared() -> None:
    one, other = make_search(30), make_search(20, name="random", seed=8)
    assert comparable([one, other])
    assert not comparable([one])
    assert not comparable([one, make_front()])
    figure = plot_comparison([analyze(one), analyze(other)], over="epochs")
    assert figure is not None
    assert [trace.name for trace in figure.data] == ["mnist-tpe", "random"]
    assert "epochs" in figure.layout.xaxis.title.text


def test_studies_that_tell_no_epochs_are_compared_over_trials() -> None:
    plans = [TrialPlan(n / 10, start_s=20.0 * n) for n in range(4)]
    records = [read_made(make_study(plans, name=name), {}) for name in ("a", "b")]
    figure = plot_comparison([analyze(record) for record in records], over="epochs")
    assert figure is not None
    assert figure.layout.xaxis.title.text == "trials ended"


@given(st.integers(1, 3000), st.integers(2, 400))
def test_thinned_indices_keep_both_ends(n: int, limit: int) -> None:
    indices = spread_indices(n, limit)
    assert len(indices) <= limit
    assert indices == sorted(set(indices))
    assert (indices[0], indices[-1]) == (0, n - 1)


@given(st.floats(1e-9, 1e9), st.floats(1.01, 1e9))
@example(62.0, 162.0)
def test_logarithmic_axes_have_ticks_within_their_range_or_around_it(
    low: float, ratio: float
) -> None:
    ticks = log_ticks(low, low * ratio)
    assert 2 <= len(ticks["tickvals"]) <= 14
    assert ticks["tickvals"] == sorted(ticks["tickvals"])
    assert len(set(ticks["ticktext"])) == len(ticks["ticktext"])
