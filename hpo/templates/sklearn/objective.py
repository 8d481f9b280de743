"""Choose and tune a classifier of scikit-learn for the handwritten digits that come with it.

The study file says what is searched; `make_model` makes a classifier of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import optuna
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import hpo

FOLDS = StratifiedKFold(n_splits=3, shuffle=True, random_state=0)  # the same for every trial


def objective(trial: optuna.Trial) -> float:
    """Mean accuracy over three folds, a fraction of 1."""
    images, labels = load_data()
    model = make_model(hpo.suggest(trial))
    return float(cross_val_score(model, images, labels, cv=FOLDS).mean())


def make_model(settings: Mapping[str, Any]) -> ClassifierMixin:
    """The classifier that the settings describe."""
    if settings["classifier"] == "forest":
        return RandomForestClassifier(
            n_estimators=settings["n_estimators"],
            max_depth=settings["max_depth"],
            random_state=settings["seed"] % 2**32,
        )
    return make_pipeline(StandardScaler(), SVC(C=settings["C"], gamma=settings["gamma"]))


@cache
def load_data() -> tuple[Any, Any]:
    """1,797 images of 8 x 8 pixels and their digits; loaded once per worker."""
    images, labels = load_digits(return_X_y=True)
    return images, labels
