"""The fast TPE sampler: Optuna's own class is the oracle for everything it suggests."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any, Literal

import numpy as np
import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, TPESampler
from optuna.samplers._tpe._truncnorm import _log_gauss_mass
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.databases.storage import open_storage
from hpo.samplers import tpe
from hpo.samplers.columns import MAX_TABLE_SIZE, log_normal_mass
from hpo.samplers.history import TrialHistory
from hpo.samplers.tpe import FastTPESampler, Histories

Space = dict[str, BaseDistribution]
Params = list[dict[str, Any]]

SPACES: dict[str, Space] = {
    "float": {f"x{i}": FloatDistribution(-1.0, 3.0) for i in range(4)},
    "log": {f"x{i}": FloatDistribution(1e-4, 1.0, log=True) for i in range(3)},
    "categorical": {f"c{i}": CategoricalDistribution(["a", "b", "c"]) for i in range(4)},
    "stepped": {
        "dropout": FloatDistribution(0.0, 0.5, step=0.1),
        "width": IntDistribution(32, 512, step=32),
        "units": IntDistribution(1, 300),
        "batch": IntDistribution(1, 1024, log=True),
        "large": IntDistribution(0, 10 * MAX_TABLE_SIZE),
    },
    "mixed": {
        "learning_rate": FloatDistribution(1e-4, 1.0, log=True),
        "dropout": FloatDistribution(0.0, 0.5, step=0.1),
        "momentum": FloatDistribution(0.0, 0.99),
        "activation": CategoricalDistribution(["relu", "tanh", "sigmoid"]),
        "layers": IntDistribution(1, 5),
        "only": CategoricalDistribution(["one"]),
    },
}


def draw(space: Space, chance: Random) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, d in space.items():
        if isinstance(d, CategoricalDistribution):
            found[name] = chance.choice(d.choices)
        elif isinstance(d, FloatDistribution | IntDistribution):
            low, high = (math.log(d.low), math.log(d.high)) if d.log else (d.low, d.high)
            value = chance.uniform(low, high)
            value = min(max(math.exp(value) if d.log else value, d.low), d.high)
            if d.step is not None and not d.log:
                value = d.low + round((value - d.low) / d.step) * d.step
            found[name] = round(value) if isinstance(d, IntDistribution) else value
    return found


def stored_trials(space: Space, n: int, chance: Random) -> list[FrozenTrial]:
    """Complete, pruned with and without reports, and failed ones that lack a parameter."""
    trials = []
    for number in range(n):
        state = {3: TrialState.PRUNED, 9: TrialState.FAIL}.get(number % 10, TrialState.COMPLETE)
        params, distributions = draw(space, chance), dict(space)
        if state == TrialState.FAIL:
            del params[min(space)], distributions[min(space)]
        reports = {step: chance.random() for step in range(chance.randrange(4))}
        if number % 20 == 13:
            reports[5] = math.nan
        trials.append(
            create_trial(
                state=state,
                # Rounded, so that some are equal: the earlier one is the better then.
                value=round(chance.random(), 2) if state == TrialState.COMPLETE else None,
                params=params,
                distributions=distributions,
                intermediate_values=reports,
            )
        )
    return trials


def proposals(
    make: Callable[[int], BaseSampler],
    space: Space,
    n_stored: int,
    n_asked: int,
    *,
    direction: Literal["minimize", "maximize"] = "minimize",
    storage: Any = None,
    prepare: Callable[[optuna.Study], None] = lambda study: None,
) -> Params:
    """Parameters of trials asked for one after another, with others running all the while."""
    chance = Random(f"{sorted(space)} {n_stored}")
    study = optuna.create_study(direction=direction, storage=storage, study_name="s")
    study.add_trials(stored_trials(space, n_stored, chance))
    study.sampler = TPESampler(seed=1, multivariate=True)
    running = [study.ask(space) for _ in range(3)]
    prepare(study)
    found = []
    for seed in range(n_asked):
        study.sampler = make(seed)
        trial = study.ask(space)
        found.append(trial.params)
        state = TrialState.PRUNED if seed % 5 == 4 else TrialState.COMPLETE
        if state == TrialState.PRUNED:
            trial.report(chance.random(), seed % 3)
        study.tell(trial, chance.random() if state == TrialState.COMPLETE else None, state=state)
        if seed % 20 == 19 and running:
            study.tell(running.pop(), chance.random())
    return found


def stock(seed: int, **arguments: Any) -> BaseSampler:
    return TPESampler(seed=seed, multivariate=True, constant_liar=True, **arguments)


def fast(space: Space, **arguments: Any) -> Callable[[int], BaseSampler]:
    histories: Histories = {}
    return lambda seed: FastTPESampler(space, histories, seed=seed, **arguments)


@pytest.mark.parametrize("kind", SPACES)
@pytest.mark.parametrize(("n_stored", "n_asked"), [(0, 40), (60, 30), (300, 15)])
def test_it_suggests_what_optunas_own_suggests(kind: str, n_stored: int, n_asked: int) -> None:
    space = SPACES[kind]
    expected = proposals(stock, space, n_stored, n_asked)
    assert proposals(fast(space), space, n_stored, n_asked) == expected


def test_it_suggests_the_same_from_a_large_study() -> None:
    space = SPACES["mixed"]
    expected = proposals(stock, space, 2000, 8, direction="maximize")
    assert proposals(fast(space), space, 2000, 8, direction="maximize") == expected


def test_it_passes_arguments_on() -> None:
    space, arguments = SPACES["mixed"], {"n_startup_trials": 3, "n_ei_candidates": 7}
    expected = proposals(lambda seed: stock(seed, **arguments), space, 5, 30)
    assert proposals(fast(space, **arguments), space, 5, 30) == expected


def test_on_a_database_it_learns_what_other_processes_have_done(sqlite_url: str) -> None:
    space = SPACES["mixed"]

    def add_from_elsewhere(study: optuna.Study) -> None:
        storage = open_storage(sqlite_url)
        other = optuna.load_study(study_name="s", storage=storage.optuna)
        other.add_trials(stored_trials(space, 20, Random(7)))
        storage.close()

    expected = proposals(
        stock,
        space,
        20,
        12,
        prepare=lambda study: study.add_trials(stored_trials(space, 20, Random(7))),
    )
    storage = open_storage(sqlite_url, create=True)
    found = proposals(
        fast(space), space, 20, 12, storage=storage.optuna, prepare=add_from_elsewhere
    )
    storage.close()
    assert found == expected


def test_with_hyperband_it_suggests_the_same() -> None:
    space = SPACES["mixed"]

    def hyperband(study: optuna.Study) -> None:
        study.pruner = optuna.pruners.HyperbandPruner(1, 9)

    expected = proposals(stock, space, 100, 20, prepare=hyperband)
    assert proposals(fast(space), space, 100, 20, prepare=hyperband) == expected


def break_a_constraint(study: optuna.Study, space: Space) -> None:
    trial = study.ask(space)
    trial.set_constraint("limit", 1.0)
    study.tell(trial, -10.0)


def leave_a_parameter_out(study: optuna.Study, space: Space) -> None:
    study.tell(study.ask({name: space[name] for name in sorted(space)[1:]}), 0.5)


def add_a_parameter(study: optuna.Study, space: Space) -> None:
    study.tell(study.ask(space | {"another": FloatDistribution(0.0, 1.0)}), 0.5)


@pytest.mark.parametrize("do", [break_a_constraint, leave_a_parameter_out, add_a_parameter])
def test_a_study_with_other_trials_is_left_to_optunas_own(
    do: Callable[[optuna.Study, Space], None],
) -> None:
    space = SPACES["float"]
    expected = proposals(stock, space, 40, 12, prepare=lambda study: do(study, space))
    assert proposals(fast(space), space, 40, 12, prepare=lambda s: do(s, space)) == expected


def test_where_rounding_could_decide_optunas_estimators_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space = SPACES["categorical"]
    expected = proposals(stock, space, 60, 30)
    exact = tpe.log_density

    def imprecise(*arguments: Any) -> Any:
        density = exact(*arguments)
        return density + 1e-9 * np.arange(len(density))

    monkeypatch.setattr(tpe, "log_density", imprecise)
    assert proposals(fast(space), space, 60, 30) == expected


def test_a_finished_trial_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    space, make, read = SPACES["float"], fast(SPACES["float"]), []
    take_in = TrialHistory._take_in

    def noted(self: TrialHistory, study: optuna.Study, trial: FrozenTrial) -> None:
        read.append(trial.number)
        take_in(self, study, trial)

    monkeypatch.setattr(TrialHistory, "_take_in", noted)
    study = optuna.create_study()
    for seed in range(15):
        study.sampler = make(seed)
        study.tell(study.ask(space), 1.0)
    assert read == list(range(14))


def test_the_mass_of_a_normal_distribution_is_optunas() -> None:
    bounds = np.array([-60.0, -9.0, -3.0, -1.0, -0.01, 0.0, 0.02, 1.0, 4.0, 10.0, 50.0])
    low, high = (side.ravel() for side in np.meshgrid(bounds, bounds))
    is_interval = low < high
    low, high = low[is_interval], high[is_interval]
    assert log_normal_mass(low, high) == pytest.approx(_log_gauss_mass(low, high), rel=1e-10)
