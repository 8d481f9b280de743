"""Made-up searches: by hpo, by stock Optuna, with several objectives."""

from __future__ import annotations

import math
import random
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from hpo.reporting.records import StudyRecord

from .made_studies import TrialPlan, make_curves, make_study, ours, read_made

SEARCH_SPACE: dict[str, BaseDistribution] = {
    "hidden_layers": CategoricalDistribution(["128", "128-64-64", "256-128-128-64-64"]),
    "activation": CategoricalDistribution(["relu", "sigmoid", "tanh"]),
    "learning_rate": FloatDistribution(1e-4, 1.0, log=True),
    "batch_size": CategoricalDistribution([16, 64, 256]),
    "dropout": FloatDistribution(0.0, 0.5, step=0.1),
    "n_units": IntDistribution(16, 512, log=True),
}


def make_search(
    n_trials: int = 60,
    *,
    name: str = "mnist-tpe",
    seed: int = 3,
    n_workers: int = 4,
    by_hpo: bool = True,
    epochs: int = 14,
) -> StudyRecord:
    """A search with pruned, failed, diverged and running trials."""
    draw = random.Random(seed)
    plans: list[TrialPlan] = []
    curves: dict[int, dict[str, Any]] = {}
    clock = [0.0] * n_workers
    for number in range(n_trials):
        plan, series = _search_run(draw, number, n_trials, epochs)
        worker = number % n_workers
        plan.start_s = clock[worker]
        clock[worker] += plan.run_time_s + 0.2
        if by_hpo:
            attributes = {
                "worker": f"node-{worker}",
                "device": f"cuda:{worker % 2}",
                "point": number,
            }
            plan.attributes = {**plan.attributes, **attributes}
            curves[number] = series
        else:
            plan.attributes = {}
        plans.append(plan)
    study = make_study(
        plans, name=name, attributes=ours(search_file(name, n_trials)) if by_hpo else None
    )
    return read_made(study, curves)


def search_file(name: str, n_trials: int) -> dict[str, Any]:
    return {
        "study": name,
        "objective": "objective.py:objective",
        "method": "tpe",
        "directions": ["maximize"],
        "n_trials": n_trials,
        "seed": 1,
        "pruner": {"name": "hyperband", "arguments": {"min_resource": 1, "max_resource": 14}},
        "fixed": {"dataset": "mnist", "epochs": 14, "optimizer": "adadelta"},
        "metrics": ["accuracy"],
    }


def _search_run(
    draw: random.Random, number: int, n_trials: int, epochs: int
) -> tuple[TrialPlan, dict[str, Any]]:
    params: dict[str, Any] = {
        "hidden_layers": draw.choice(["128", "128-64-64", "256-128-128-64-64"]),
        "activation": draw.choice(["relu", "sigmoid", "tanh"]),
        "learning_rate": 10 ** draw.uniform(-4, 0),
        "batch_size": draw.choice([16, 64, 256]),
        "dropout": round(draw.randrange(6) * 0.1, 1),
        "n_units": draw.randrange(16, 513),
    }
    final = 0.975 - 0.01 * (math.log10(params["learning_rate"]) + 1) ** 2 - 0.02 * params["dropout"]
    final += draw.gauss(0, 0.003)
    kept = epochs if number % 3 == 0 else draw.randrange(1, epochs)
    series = make_curves(final, epochs=epochs, batch_size=256, noise=draw)
    accuracy = series["epochs"]["evaluation_accuracy"][:kept]
    series["epochs"] = {key: values[:kept] for key, values in series["epochs"].items()}
    attributes: dict[str, Any] = {
        "seed": number,
        "settings": {**params, "epochs": epochs, "optimizer": "adadelta"},
        "run_time_s": 0.9 * kept,
    }
    state = TrialState.COMPLETE if kept == epochs else TrialState.PRUNED
    if number == 11:
        state, attributes["reason"] = TrialState.FAIL, "ValueError: learning_rate is too large"
    if number == 13:
        attributes["reason"] = "diverged"
        state = TrialState.PRUNED
    if number == n_trials - 1:
        state = TrialState.RUNNING
    value = accuracy[-1] if state in (TrialState.COMPLETE, TrialState.PRUNED) else None
    intermediate = dict(enumerate(accuracy, start=1))
    plan = TrialPlan(
        value, params, SEARCH_SPACE, attributes, intermediate, state, run_time_s=0.9 * kept
    )
    return plan, series


def make_front(n_trials: int = 40, *, n_objectives: int = 2) -> StudyRecord:
    """A study with several objectives, as stock Optuna makes it."""
    draw = random.Random(5)
    plans = []
    for number in range(n_trials):
        x = draw.random()
        values = (x + 0.1 * draw.random(), (1 - x) ** 2 + 0.1 * draw.random(), draw.random())
        plans.append(
            TrialPlan(
                values[:n_objectives],
                {"x": x},
                {"x": FloatDistribution(0, 1)},
                start_s=10.0 * number,
            )
        )
    directions = ("minimize", "minimize", "maximize")[:n_objectives]
    return read_made(make_study(plans, name="front", directions=directions), {})
