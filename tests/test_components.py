"""Samplers and pruners: what a file may say, and what Optuna gets."""

from __future__ import annotations

import importlib.util
from typing import Any

import optuna
import pytest
from optuna.pruners import (
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    SuccessiveHalvingPruner,
)

from hpo.errors import MissingPackage
from hpo.plan import make_plan, sampler_seed
from hpo.samplers.tpe import FastTPESampler
from hpo.spaces.search_space import SearchSpace
from hpo.study_files import component_rules, components
from hpo.study_files.component_rules import read_pruner
from hpo.study_files.components import (
    SAMPLERS,
    make_pruner,
    make_sampler,
    pruner_names,
    why_stock_tpe,
)
from hpo.study_files.study_file import StudyFile
from hpo.yaml_files.faults import path_text

optuna.logging.set_verbosity(optuna.logging.WARNING)
CONDITIONAL = {
    "optimizer": {"choices": ["sgd", "adam"]},
    "momentum": {"low": 0.0, "high": 0.9, "when": {"optimizer": "sgd"}},
    "lr": {"low": 1e-4, "high": 1.0, "log": True},
}
FLAT = {"lr": CONDITIONAL["lr"], "x": {"low": 0.0, "high": 1.0}, "n": {"low": 1, "high": 5}}


def study(method: str, space: dict[str, Any] | None = None, **fields: Any) -> StudyFile:
    fields = {"directions": ("maximize",), "n_trials": 12, **fields}
    fields |= {"search_space": SearchSpace.from_data(space)} if space else {}
    return StudyFile.model_validate(
        {"study": "s", "objective": "o.py:f", "method": method} | fields
    )


def pruner_faults(value: Any, epochs: int | None = None) -> dict[str, str]:
    return {path_text(path): text for path, text in read_pruner(value, epochs)[1]}


def sampler_faults(method: str, **arguments: Any) -> dict[str, str]:
    found = component_rules.sampler_faults(method, arguments)
    return {path_text(path): text for path, text in found}


def test_every_pruner_of_optuna_has_a_name() -> None:
    assert pruner_names() == {
        "none": "NopPruner",
        "hyperband": "HyperbandPruner",
        "median": "MedianPruner",
        "patient": "PatientPruner",
        "percentile": "PercentilePruner",
        "successive_halving": "SuccessiveHalvingPruner",
        "threshold": "ThresholdPruner",
        "wilcoxon": "WilcoxonPruner",
    }


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("median", MedianPruner),
        ({"median": None}, MedianPruner),
        ({"median": {"n_startup_trials": 3, "n_min_trials": 2}}, MedianPruner),
        ({"percentile": {"percentile": 25}}, optuna.pruners.PercentilePruner),
        ({"threshold": {"lower": 0.5}}, optuna.pruners.ThresholdPruner),
        ({"wilcoxon": {"p_threshold": 0.2}}, optuna.pruners.WilcoxonPruner),
        ("successive_halving", SuccessiveHalvingPruner),
        ({"hyperband": {"max_resource": 9}}, HyperbandPruner),
        ({"patient": {"wrapped_pruner": "median", "patience": 3}}, PatientPruner),
        ({"patient": {"wrapped_pruner": None, "patience": 3}}, PatientPruner),
    ],
)
def test_every_pruner_can_be_written_stored_and_made(written: Any, kind: type) -> None:
    pruner, findings = read_pruner(written, None)
    assert not findings
    assert read_pruner(pruner, None) == (pruner, [])
    stored = study("tpe", pruner=pruner).model_dump(mode="json")
    assert type(make_pruner(StudyFile.model_validate(stored))) is kind


def test_no_pruner_is_optunas_nop_pruner() -> None:
    assert read_pruner("none", None) == (None, [])
    assert read_pruner(None, None) == (None, [])
    assert type(make_pruner(study("tpe"))) is NopPruner


def test_a_pruner_inside_a_pruner_gets_its_arguments() -> None:
    written = {"patient": {"patience": 2, "wrapped_pruner": {"median": {"n_warmup_steps": 4}}}}
    read, _ = read_pruner(written, None)
    pruner = make_pruner(study("tpe", pruner=read))
    assert isinstance(pruner, PatientPruner)
    assert isinstance(pruner._wrapped_pruner, MedianPruner)
    assert pruner._wrapped_pruner._n_warmup_steps == 4


def test_resources_are_decided_once_from_the_fixed_epochs() -> None:
    hyperband, _ = read_pruner("hyperband", 27)
    halving, _ = read_pruner({"successive_halving": {"min_resource": "auto"}}, 27)
    nested, _ = read_pruner({"patient": {"wrapped_pruner": "hyperband", "patience": 1}}, 9)
    assert hyperband == {"hyperband": {"max_resource": 27}}
    assert halving == {"successive_halving": {"min_resource": 1}}
    assert nested["patient"]["wrapped_pruner"] == {"hyperband": {"max_resource": 9}}
    assert (
        "needs 'max_resource'"
        in pruner_faults({"hyperband": {"max_resource": "auto"}})["hyperband"]
    )


@pytest.mark.parametrize(
    ("written", "place", "message"),
    [
        ("hyperbnd", "", "unknown pruner 'hyperbnd'. Did you mean 'hyperband'?"),
        (3, "", "must be a name or {name: {argument: value}}, but got 3."),
        ({"median": {}, "none": {}}, "", "must be a name or {name: {argument: value}}"),
        ({"median": 3}, "median", "must be a mapping of arguments, but got 3."),
        ({"median": {"n_startup": 3}}, "median.n_startup", "Did you mean 'n_startup_trials'?"),
        ({"median": {"n_startup_trials": 2.5}}, "median.n_startup_trials", "a whole number"),
        ({"median": {"n_startup_trials": True}}, "median.n_startup_trials", "a whole number"),
        ({"median": {"interval_steps": 0}}, "median", "Optuna refuses this"),
        ({"percentile": {}}, "percentile", "the percentile pruner needs 'percentile'."),
        ({"threshold": {}}, "threshold", "Optuna refuses this"),
        ({"patient": {"patience": 3}}, "patient", "needs 'wrapped_pruner'."),
        (
            {"patient": {"wrapped_pruner": {"media": {}}, "patience": 3}},
            "patient.wrapped_pruner.media",
            "Did you mean 'median'?",
        ),
        ({"hyperband": {"max_resource": 2.5}}, "hyperband.max_resource", "whole number"),
        (
            {"hyperband": {"min_resource": 9, "max_resource": 3}},
            "hyperband.max_resource",
            "`min_resource <= max_resource` must hold, but got 9 and 3.",
        ),
        (
            {"hyperband": {"max_resource": 9, "reduction_factor": 1}},
            "hyperband.reduction_factor",
            "must be at least 2, but got 1.",
        ),
    ],
)
def test_a_wrong_pruner_is_refused_at_its_place(written: Any, place: str, message: str) -> None:
    assert message in pruner_faults(written)[place]


def test_wrong_arguments_of_samplers_are_refused() -> None:
    assert "Did you mean 'n_startup_trials'" in sampler_faults("tpe", n_startup=1)["n_startup"]
    assert (
        "must be a whole number" in sampler_faults("tpe", n_startup_trials="3")["n_startup_trials"]
    )
    assert "must be at least 0" in sampler_faults("tpe", n_startup_trials=-1)["n_startup_trials"]
    assert "the study's key `seed`" in sampler_faults("random", seed=3)["seed"]
    assert "unknown argument" in sampler_faults("tpe", gamma=3)["gamma"]
    assert "Optuna refuses this" in sampler_faults("tpe", prior_weight=2.0)[""]
    assert "Optuna refuses this" in sampler_faults("nsga2", population_size=1)[""]


def test_tpe_models_conditional_parameters_in_groups() -> None:
    flat = make_sampler(study("tpe", FLAT), 1)
    conditional = make_sampler(study("tpe", CONDITIONAL), 1)
    assert isinstance(flat, optuna.samplers.TPESampler)
    assert isinstance(conditional, optuna.samplers.TPESampler)
    assert (flat._multivariate, flat._group, flat._constant_liar) == (True, False, True)
    assert (conditional._multivariate, conditional._group) == (True, True)


def test_with_several_directions_tpe_keeps_optunas_default() -> None:
    sampler = make_sampler(study("tpe", FLAT, directions=("maximize", "minimize")), 1)
    assert isinstance(sampler, optuna.samplers.TPESampler)
    assert sampler._multivariate is None


def test_the_files_arguments_win_over_the_defaults() -> None:
    written = {"multivariate": False, "n_startup_trials": 3}
    sampler = make_sampler(study("tpe", CONDITIONAL, sampler=written), 1)
    assert isinstance(sampler, optuna.samplers.TPESampler)
    assert (sampler._multivariate, sampler._group, sampler._n_startup_trials) == (False, False, 3)


def objective(file: StudyFile, trial: optuna.Trial) -> tuple[float, ...]:
    space = file.search_space
    assert space is not None
    value = sum(float(v) for v in space.suggest(trial).values() if not isinstance(v, str))
    return tuple(value * sign for sign in (1, -1)[: len(file.directions)])


@pytest.mark.parametrize("method", SAMPLERS)
@pytest.mark.parametrize("n_directions", [1, 2])
@pytest.mark.filterwarnings("ignore:The balance properties of Sobol")
def test_every_sampler_runs_with_a_new_sampler_for_each_point(
    method: str, n_directions: int
) -> None:
    if method == "cmaes" and n_directions > 1:
        pytest.skip("refused by the study file")
    file = study(method, FLAT, directions=("maximize", "minimize")[:n_directions])
    storage = optuna.storages.InMemoryStorage()
    for point in make_plan(file).points:
        sampler = make_sampler(file, sampler_seed(file, point.number, 0))
        optuna_study = optuna.create_study(
            storage=storage,
            study_name="s",
            sampler=sampler,
            directions=list(file.directions),
            load_if_exists=True,
        )
        trial = optuna_study.ask()
        optuna_study.tell(trial, objective(file, trial))
    found = [tuple(trial.params.values()) for trial in optuna_study.trials]
    assert len(set(found[:10])) == 10  # later ones may settle on one best point


def test_qmc_points_come_from_one_sequence_whatever_their_own_seeds() -> None:
    file = study("qmc", FLAT, sampler={"scramble": True})
    samplers = [make_sampler(file, seed) for seed in (1, 2)]
    assert all(isinstance(s, optuna.samplers.QMCSampler) and s._seed == 1 for s in samplers)


def test_a_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        return None

    monkeypatch.setattr(components, "find_spec", absent)
    with pytest.raises(MissingPackage, match=r"pip install 'hpo-service\[samplers\]'"):
        make_sampler(study("cmaes", FLAT), 1)
    assert importlib.util.find_spec("cmaes") is not None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"space": None}, "the objective decides the search space"),
        ({"space": CONDITIONAL}, "the search space has conditions"),
        ({"directions": ("maximize", "minimize")}, "there are several directions"),
        ({"arguments": {"n_startup_trials": 3}}, None),
        ({"arguments": {"multivariate": False}}, "the sampler is given multivariate"),
    ],
)
def test_the_fast_tpe_is_taken_where_it_does_the_same(
    changes: dict[str, Any], reason: str | None
) -> None:
    arguments = changes.get("arguments", {})
    file = study(
        "tpe",
        changes.get("space", FLAT),
        sampler=arguments,
        directions=changes.get("directions", ("maximize",)),
    )
    assert why_stock_tpe(file) == reason
    assert isinstance(make_sampler(file, 1), FastTPESampler) == (reason is None)
