"""The Optuna objective around the MLP trainer: suggests, trains, reports each epoch, prunes.

This is the file to edit: add a parameter to search_spaces.yaml and use it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna

import hpo
from hpo.training.data import require_data
from hpo.training.settings import MLPSettings
from hpo.training.trainer import EpochMetrics, fit, preload

METRICS = ("accuracy", "parameters", "seconds")  # what the study file may name under `metrics`


def objective(trial: optuna.Trial) -> float | tuple[float, ...]:
    """Train one MLP; its evaluation accuracy after the last epoch, a fraction of 1.

    With `metrics:` in the study file, the values named there: accuracy, parameters, seconds.
    """
    settings = MLPSettings.from_mapping(hpo.suggest(trial))
    trial.set_user_attr("settings", settings.to_dict())
    training = fit(settings, device=hpo.device())
    trial.set_user_attr("engine", training.engine)
    try:
        for epoch in training:
            if not epoch.is_finite:
                trial.set_user_attr("reason", "diverged")
                raise optuna.TrialPruned
            last = epoch
            report(trial, epoch, is_last=epoch.epoch == settings.epochs)
    finally:
        hpo.keep_curves(trial, training.curves)
    if hpo.wants_weights(trial):
        hpo.keep_weights(trial, training.state_dict())
    return hpo.values(
        trial,
        accuracy=last.evaluation_accuracy,
        parameters=training.n_parameters,
        seconds=last.seconds,
    )


def report(trial: optuna.Trial, epoch: EpochMetrics, *, is_last: bool) -> None:
    """Report an epoch and prune; Optuna has neither for several objective values.

    After the last epoch nothing is left to save: the trial is complete, however good it is.
    """
    if len(trial.study.directions) > 1:
        return
    trial.report(epoch.evaluation_accuracy, step=epoch.epoch)
    if not is_last and trial.should_prune():
        raise optuna.TrialPruned


def check(settings: Mapping[str, Any]) -> None:
    """Refuse settings that the trainer would refuse and data that is not there, before a study."""
    require_data(MLPSettings.from_mapping(settings))


def prepare(settings: Mapping[str, Any]) -> None:
    """Load the data and the kernels once per worker, before its first trial is timed."""
    preload(MLPSettings.from_mapping(settings), hpo.device())
