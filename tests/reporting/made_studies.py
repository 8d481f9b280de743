"""Small synthetic studies as hpo would have left them, to be read by reports."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hpo.ledger.points import Book
from hpo.ledger.sources import Source
from hpo.reporting.records import StudyRecord, read_study

START = datetime(2026, 3, 1, 12, 0, 0)


@dataclass
class TrialPlan:
    """One trial to be added to a synthetic study."""

    value: float | tuple[float, ...] | None
    params: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, BaseDistribution] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    intermediate: Mapping[int, float] = field(default_factory=dict)
    state: TrialState = TrialState.COMPLETE
    start_s: float = 0.0
    run_time_s: float = 10.0


def make_study(
    plans: list[TrialPlan],
    *,
    name: str = "study",
    directions: tuple[str, ...] = ("maximize",),
    attributes: Mapping[str, Any] | None = None,
) -> optuna.Study:
    study = optuna.create_study(
        study_name=name, directions=[StudyDirection[d.upper()] for d in directions]
    )
    for key, value in (attributes or {}).items():
        study.set_user_attr(key, value)
    study.add_trials([_trial(number, plan) for number, plan in enumerate(plans)])
    return study


def _trial(number: int, plan: TrialPlan) -> FrozenTrial:
    values = [plan.value] if isinstance(plan.value, (int, float)) else plan.value
    start = START + timedelta(seconds=plan.start_s)
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=plan.state,
        value=None,
        values=list(values) if values is not None else None,
        datetime_start=start,
        datetime_complete=start + timedelta(seconds=plan.run_time_s)
        if plan.state.is_finished()
        else None,
        params=dict(plan.params),
        distributions=dict(plan.distributions),
        user_attrs=dict(plan.attributes),
        system_attrs={},
        intermediate_values=dict(plan.intermediate),
    )


def ours(file: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "hpo_plan_id": "0123456789abcdef",
        "hpo_study": dict(file),
        "hpo_objective": "def objective(trial):\n    return 0.0\n",
        "hpo_environment": {"python": "3.11.4", "torch": "2.14.1", "hpo-service": "0.1.0"},
    }


def read_made(
    study: optuna.Study, curves: Mapping[int, Mapping[str, Any]], *, storage: str = ""
) -> StudyRecord:
    """The record of a synthetic study; its attributes say what the ledger would know of it."""
    ours = study.user_attrs
    names = ("hpo_plan_id", "hpo_study", "hpo_objective", "hpo_environment")
    source = Source(*(ours[name] for name in names)) if "hpo_plan_id" in ours else None
    books = {
        t.number: _book(t)
        for t in study.trials
        if "point" in t.user_attrs or (source and "warm_start" not in t.user_attrs)
    }
    return read_study(study, curves, source=source, books=books, storage=storage)


def _book(trial: FrozenTrial) -> Book:
    made = trial.user_attrs
    fate = "FAILED" if trial.state == TrialState.FAIL else "DONE"
    return Book(
        point=made.get("point", trial.number),
        attempt=made.get("attempt", 1),
        fate=made.get("fate", fate) if trial.state.is_finished() else None,
        closes_point=trial.state.is_finished() and made.get("closes_point", True),
        **{key: made.get(key) for key in ("factor", "level", "replicate", "seed")},
    )


def make_curves(
    final: float, *, epochs: int, batch_size: int, noise: random.Random
) -> dict[str, Any]:
    """Curves that end near ``final``; a loss every 40 batches of a 60,000 image epoch."""
    logged = range(0, 60_000 * epochs, 40 * batch_size)
    shape = [(epoch, 1 - 0.5 * math.exp(-epoch)) for epoch in range(1, epochs + 1)]
    accuracy = [final * share + noise.gauss(0, 0.0008) for _, share in shape]
    accuracy[-1] = final
    loss = [2.2 * math.exp(-s / 20_000) + 0.04 + abs(noise.gauss(0, 0.02)) for s in logged]
    return {
        "batches": {"samples": list(logged), "train_loss": loss},
        "epochs": {
            "epoch": [epoch for epoch, _ in shape],
            "samples": [60_000 * epoch for epoch, _ in shape],
            "train_loss": [0.3 / epoch for epoch, _ in shape],
            "evaluation_loss": [0.3 / epoch + 0.05 for epoch, _ in shape],
            "evaluation_accuracy": accuracy,
            "seconds": [9.5 * epoch for epoch, _ in shape],
        },
    }
