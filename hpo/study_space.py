"""The parameters of a study in Optuna's words, and asking a trial for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution, CategoricalDistribution

from hpo.study_files.study_file import StudyFile

if TYPE_CHECKING:
    from optuna.trial import BaseTrial


def distributions_of(file: StudyFile) -> dict[str, BaseDistribution]:
    """Every parameter that the study file declares; a factor's choices are its level labels."""
    if file.method == "controlled":
        return {factor: CategoricalDistribution(labels) for factor, labels in file.levels().items()}
    return {} if file.search_space is None else file.search_space.distributions()


def suggest_settings(file: StudyFile, trial: BaseTrial) -> dict[str, Any]:
    """Ask a trial for the study's parameters; all settings of the trial, with its `seed`."""
    if file.method == "controlled":
        levels = file.levels().items()
        params = {factor: trial.suggest_categorical(factor, labels) for factor, labels in levels}
    elif file.search_space is not None:
        params = file.search_space.suggest(trial)
    else:
        params = {}
    seed = {"seed": trial.user_attrs["seed"]} if "seed" in trial.user_attrs else {}
    return {**seed, **file.settings(params)}
