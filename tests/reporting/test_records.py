from __future__ import annotations

import math

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from hpo.ledger.points import Book
from hpo.reporting.records import planned_count, read_study

from .made_article import article_file, make_article
from .made_searches import make_search
from .made_studies import TrialPlan, make_study, ours, read_made


def test_a_record_carries_what_hpo_wrote_about_a_trial() -> None:
    record = make_article()
    trial = record.trials[1]
    assert record.is_ours
    assert record.method == "controlled"
    assert record.environment["torch"] == "2.14.1"
    assert (trial.factor, trial.level, trial.replicate) == ("hidden_layers", "128-64-64", 0)
    assert trial.settings["hidden_layers"] == [128, 64, 64]
    assert trial.seed == 1
    assert trial.curves is not None
    assert trial.curves.evaluation_accuracy[-1] == trial.values[0]
    assert trial.n_epochs == 14


def test_a_study_made_by_stock_optuna_is_read() -> None:
    study = optuna.create_study(direction="minimize")
    study.optimize(lambda trial: (trial.suggest_float("x", -1, 1)) ** 2, n_trials=3)
    record = read_made(study, {})
    assert not record.is_ours
    assert record.method == "optuna"
    assert record.metrics == ("objective value",)
    assert not record.is_maximized
    assert [trial.values for trial in record.trials] == [(t.value,) for t in study.trials]
    assert all(trial.run_time_s is not None for trial in record.trials)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_metric_names_given_to_optuna_come_before_those_of_the_file() -> None:
    study = make_study([TrialPlan(0.5)], attributes=ours({"metrics": ["accuracy"]}))
    assert read_made(study, {}).metrics == ("objective value",)
    study.set_metric_names(["f1"])
    assert read_made(study, {}).metrics == ("f1",)


def test_the_trainers_metric_is_named_with_and_without_curves() -> None:
    plan = TrialPlan(0.5, attributes={"engine": "torch"})
    study = make_study([plan], attributes=ours({"metrics": ["accuracy"]}))
    assert read_made(study, {}).metrics == ("accuracy",)


def test_damaged_curves_are_cut_to_what_belongs_together() -> None:
    study = make_study([TrialPlan(0.5)])
    curves = {
        "batches": {"samples": [1, 2, 3], "train_loss": [0.5, None]},
        "epochs": {"samples": 5, "train_loss": [10**400]},
    }
    read = read_made(study, {0: curves}).trials[0].curves
    assert read is not None
    assert read.batch_samples == (1, 2)
    assert read.batch_train_loss[0] == 0.5
    assert math.isnan(read.batch_train_loss[1])
    assert read.samples == ()
    assert math.isnan(read.train_loss[0])


def test_attributes_of_a_wrong_type_are_left_out() -> None:
    attributes = {"settings": [1], "run_time_s": "long"}
    study = make_study([TrialPlan(0.5, attributes=attributes, run_time_s=4)])
    trial = read_made(study, {}).trials[0]
    assert trial.settings == {}
    assert trial.run_time_s == 4


def test_what_a_trial_evaluates_is_the_ledgers_word() -> None:
    study = make_study([TrialPlan(0.5, attributes={"point": 3, "attempt": 9, "seed": [1]})] * 2)
    book = Book(point=7, attempt=2, fate="DONE", factor="lr", level="0.1", replicate=1, seed=4)
    first, second = read_study(study, {}, books={0: book}).trials
    assert {name: getattr(first, name) for name in vars(book)} == vars(book)
    assert {getattr(second, name) for name in vars(book)} == {None, True}


def test_a_running_trial_has_no_values_and_no_end() -> None:
    record = make_search(30)
    last = record.trials[-1]
    assert (last.state, last.values, last.ended) == ("RUNNING", (), None)


def test_planned_evaluations_count_the_baseline_once_per_replicate() -> None:
    assert planned_count(article_file(5)) == (1 + 17) * 5
    assert planned_count({"method": "tpe", "n_trials": 60}) == 60
    assert planned_count({"method": "grid"}) is None


def test_constraints_decide_whether_a_trial_is_feasible() -> None:
    study = optuna.create_study()
    trial = study.ask({"x": FloatDistribution(0, 1)})
    trial.set_constraint("size", 1.0)
    study.tell(trial, 0.5, state=TrialState.COMPLETE)
    assert not read_made(study, {}).trials[0].is_feasible
