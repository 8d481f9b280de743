"""The article's design filled with made-up values; two of its runs have no result."""

from __future__ import annotations

import random
from typing import Any

from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from hpo.reporting.records import StudyRecord
from hpo.spaces.parameters import label_of

from .made_studies import TrialPlan, make_curves, make_study, ours, read_made

ARTICLE_VARY: dict[str, dict[str, dict[str, Any]]] = {
    "hidden_layers": {
        "128-64-64": {"hidden_layers": [128, 64, 64]},
        "256-128-128-64-64": {"hidden_layers": [256, 128, 128, 64, 64]},
    },
    "activation": {"sigmoid": {"activation": "sigmoid"}, "tanh": {"activation": "tanh"}},
    "loss": {"mse": {"loss": "mse"}, "cross_entropy": {"loss": "cross_entropy"}},
    "batch_size": {"16": {"batch_size": 16}, "256": {"batch_size": 256}},
    "epochs": {"25": {"epochs": 25}},
    "learning_rate": {"0.1": {"learning_rate": 0.1}, "10": {"learning_rate": 10.0}},
    "regularization": {
        "L1 1e-5": {"l1": 1e-5},
        "L1 1e-4": {"l1": 1e-4},
        "L2 1e-4": {"weight_decay": 1e-4},
        "L2 1e-2": {"weight_decay": 1e-2},
        "dropout 0.2": {"dropout": 0.2},
        "dropout 0.5": {"dropout": 0.5},
    },
}
ARTICLE_BASELINE: dict[str, Any] = {
    "hidden_layers": [128],
    "activation": "relu",
    "loss": "nll",
    "batch_size": 64,
    "epochs": 14,
    "learning_rate": 1.0,
    "optimizer": "adadelta",
}
ARTICLE_EFFECTS = {
    ("activation", "sigmoid"): -0.0105,
    ("activation", "tanh"): -0.0022,
    ("loss", "mse"): -0.0071,
    ("batch_size", "16"): -0.0040,
    ("batch_size", "256"): 0.0004,
    ("epochs", "25"): 0.0006,
    ("learning_rate", "0.1"): -0.0031,
    ("learning_rate", "10"): -0.8665,
    ("regularization", "L2 1e-2"): -0.0390,
    ("regularization", "dropout 0.2"): 0.0012,
}


def make_article(
    *, replicates: int = 5, with_faults: bool = True, name: str = "article"
) -> StudyRecord:
    """The article's design, filled with made-up values; two of its runs have no result."""
    noise = random.Random(7)
    seeds = [noise.gauss(0.977, 0.0006) for _ in range(replicates)]
    cells = [(None, None), *((f, lv) for f, levels in ARTICLE_VARY.items() for lv in levels)]
    plans: list[TrialPlan] = []
    curves: dict[int, dict[str, Any]] = {}
    clock = [0.0, 0.0]
    for replicate in range(replicates):
        for factor, level in cells:
            number, worker = len(plans), len(plans) % 2
            plan, series = _article_run(factor, level, replicate, seeds[replicate], noise)
            plan.start_s = clock[worker]
            plan.attributes = {**plan.attributes, "worker": f"host-{worker}", "point": number}
            if with_faults and (level, replicate) == ("10", 2):
                plan.state, plan.value = TrialState.PRUNED, None
                plan.attributes = {**plan.attributes, "reason": "diverged"}
            if with_faults and (level, replicate) == ("L1 1e-4", 3):
                plan.state, plan.value, plan.intermediate = TrialState.FAIL, None, {}
                plan.attributes = {**plan.attributes, "reason": "out of memory on cuda:0"}
            else:
                curves[number] = series
            clock[worker] += plan.run_time_s + 1
            plans.append(plan)
    study = make_study(plans, name=name, attributes=ours(article_file(replicates)))
    return read_made(study, curves)


def article_file(replicates: int) -> dict[str, Any]:
    return {
        "study": "article",
        "objective": "objective.py:objective",
        "method": "controlled",
        "directions": ["maximize"],
        "baseline": ARTICLE_BASELINE,
        "vary": ARTICLE_VARY,
        "replicates": replicates,
        "seed": 1,
        "metrics": ["accuracy"],
        "claims": [
            {"worst": {"loss": "mse"}, "says": "Mean square error is the worst loss."},
            {"alike": {"loss": "cross_entropy"}, "within": 0.2, "says": "Both are alike."},
            {"best": {"learning_rate": 1.0}, "says": "A learning rate of 1.0 is best."},
            {"worst": {"learning_rate": 10.0}, "says": "A learning rate of 10.0 is worst."},
            {"better": [{"batch_size": 64}, {"batch_size": 16}]},
            {"slowest": {"batch_size": 16}, "says": "The smallest batches take longest."},
            {"alike": {"hidden_layers": ["128", "128-64-64"]}, "within": 0.2},
        ],
    }  # fmt: skip


def _article_run(
    factor: str | None, level: str | None, replicate: int, base: float, noise: random.Random
) -> tuple[TrialPlan, dict[str, Any]]:
    changed = ARTICLE_VARY[factor][level] if factor and level else {}
    settings = {**ARTICLE_BASELINE, **changed}
    effect = ARTICLE_EFFECTS.get((factor or "", level or ""), 0.0)
    final = base + effect + noise.gauss(0, 0.0004)
    if level == "cross_entropy":
        final = base + 0.0001
    series = make_curves(
        final, epochs=settings["epochs"], batch_size=settings["batch_size"], noise=noise
    )
    accuracy = series["epochs"]["evaluation_accuracy"]
    distributions = {
        name: CategoricalDistribution(
            ["baseline" if name == "regularization" else _label(name), *levels]
        )
        for name, levels in ARTICLE_VARY.items()
    }
    params = {name: kind.choices[0] for name, kind in distributions.items()}
    if factor and level:
        params[factor] = level
    run_time = 133.9 * settings["epochs"] / 14 * (64 / settings["batch_size"]) ** 0.15
    run_time *= 1 + noise.gauss(0, 0.02)
    attributes = {
        "factor": factor,
        "level": level,
        "replicate": replicate,
        "seed": 1 + replicate,
        "device": "cpu",
        "engine": "torch",
        "settings": settings,
        "run_time_s": run_time,
        "peak_memory_mib": 512.0,
    }
    intermediate = dict(enumerate(accuracy, start=1))
    plan = TrialPlan(final, params, distributions, attributes, intermediate, run_time_s=run_time)
    return plan, series


def _label(name: str) -> str:
    value = ARTICLE_BASELINE[name]
    return label_of(value)
