from __future__ import annotations

from typing import Any

from optuna.trial import TrialState

from hpo.reporting.design import Design, read_design

from .made_article import make_article
from .made_studies import TrialPlan, make_study, ours, read_made

FILE: dict[str, Any] = {
    "method": "controlled",
    "baseline": {"width": 1.0},
    "vary": {"width": {"2": {"width": 2}, "3": {"width": 3}}, "noise": {"high": {"sigma": 1}}},
    "replicates": 2,
}


def run(level: str | None, replicate: int, value: float | None = 0.5, **more: Any) -> TrialPlan:
    state = more.pop("state", TrialState.COMPLETE)
    factor = None if level is None else "noise" if level == "high" else "width"
    attributes = {"factor": factor, "level": level, "replicate": replicate, **more}
    return TrialPlan(value, attributes=attributes, state=state)


def design_of(*plans: TrialPlan) -> Design:
    return read_design(read_made(make_study(list(plans), attributes=ours(FILE)), {}))


def outcomes(design: Design, factor: int, level: int) -> list[str]:
    return [run.outcome for run in design.factors[factor].levels[level].runs]


def test_every_planned_run_is_there_before_any_trial_is() -> None:
    design = design_of()
    assert [len(level.runs) for level in design.levels()] == [2, 2, 2, 2]
    assert {run.outcome for level in design.levels() for run in level.runs} == {"missing"}


def test_each_run_tells_what_became_of_it() -> None:
    design = design_of(
        run("2", 0, None, state=TrialState.FAIL, reason="out of memory"),
        run("2", 1, None, state=TrialState.PRUNED, reason="diverged"),
        run("3", 0, None, state=TrialState.RUNNING),
        run(None, 1),
    )
    assert outcomes(design, 0, 0) == ["failed", "diverged"]
    assert outcomes(design, 0, 1) == ["running", "missing"]
    assert [run.outcome for run in design.baseline.runs] == ["missing", "complete"]


def test_a_retried_run_counts_with_its_finished_trial_and_remembers_the_failure() -> None:
    design = design_of(run("2", 0, None, state=TrialState.FAIL), run("2", 0, 0.7), run("2", 1, 0.8))
    first = design.factors[0].levels[0].runs[0]
    assert (first.outcome, first.n_failed_attempts) == ("complete", 1)
    assert first.trial is not None
    assert first.trial.values == (0.7,)


def test_a_run_that_was_given_back_is_missing_not_failed() -> None:
    back = {"fate": "RELEASED", "closes_point": False}
    design = design_of(run("2", 0, None, state=TrialState.FAIL, **back))
    (first, _) = design.factors[0].levels[0].runs
    assert (first.outcome, first.n_failed_attempts) == ("missing", 0)


def test_the_baselines_trials_need_no_level_name() -> None:
    plan = TrialPlan(0.5, attributes={"factor": None, "level": "baseline", "replicate": 0})
    assert design_of(plan).baseline.runs[0].outcome == "complete"


def test_a_factor_that_is_no_setting_calls_its_baseline_baseline() -> None:
    width, noise = design_of().factors
    assert width.baseline_label == "1"
    assert noise.baseline_label == "baseline"


def test_replicates_that_the_file_no_longer_names_are_kept() -> None:
    assert design_of(run(None, 4)).n_replicates == 5


def test_the_articles_design_has_seven_factors_in_the_files_order() -> None:
    design = read_design(make_article())
    names = [factor.name for factor in design.factors]
    assert names[:3] == ["hidden_layers", "activation", "loss"]
    assert len(design.levels()) == 18
    assert sum(run.outcome == "complete" for level in design.levels() for run in level.runs) == 88
