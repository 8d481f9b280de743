"""A record as an Optuna study in memory, for optuna.visualization.

Parameter names and choices are escaped in it, since plotly reads markup in labels.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hpo.reporting.figures.style import label
from hpo.reporting.records import StudyRecord, TrialRecord
from hpo.reporting.units import metric_label

if TYPE_CHECKING:
    import optuna

_LONGEST = 500


def as_study(record: StudyRecord, trials: Sequence[TrialRecord]) -> optuna.Study:
    """Some of a record's trials as a study in memory; its names and choices are escaped."""
    import optuna

    with quiet_optuna():
        study = optuna.create_study(
            study_name=label(record.name),
            directions=[optuna.study.StudyDirection[name.upper()] for name in record.directions],
        )
        study.set_metric_names([label(metric_label(record, i)) for i in range(len(record.metrics))])
        study.add_trials([_as_trial(trial) for trial in trials])
    return study


def as_minimized_study(record: StudyRecord) -> optuna.Study:
    """The study with every value turned so that less is better, as PED-ANOVA takes it."""
    signs = [-1 if direction == "maximize" else 1 for direction in record.directions]
    trials = [
        replace(trial, values=tuple(s * v for s, v in zip(signs, trial.values, strict=False)))
        for trial in record.trials
    ]
    return as_study(replace(record, directions=("minimize",) * len(signs)), trials)


def _as_trial(trial: TrialRecord) -> optuna.trial.FrozenTrial:
    import optuna

    state = optuna.trial.TrialState[trial.state]
    is_told = trial.state == "COMPLETE"
    distributions = {safe_name(name): _safe(kind) for name, kind in trial.distributions.items()}
    finished = state.is_finished()
    return optuna.trial.FrozenTrial(
        number=trial.number,
        trial_id=trial.number,
        state=state,
        value=None,
        values=list(trial.values) if is_told else None,
        datetime_start=None if trial.state == "WAITING" else trial.started or datetime.min,
        datetime_complete=(trial.ended or trial.started or datetime.min) if finished else None,
        params={safe_name(name): safe_choice(value) for name, value in trial.params.items()},
        distributions=distributions,
        user_attrs={},
        system_attrs={},
        intermediate_values={},
    )


def safe_name(name: str) -> str:
    """A parameter's name as the study in memory has it."""
    return label(name, _LONGEST)


def safe_choice(value: Any) -> Any:
    """A categorical's choice as the study in memory has it."""
    return label(value, _LONGEST) if isinstance(value, str) else value


def _safe(distribution: Any) -> Any:
    import optuna

    if not isinstance(distribution, optuna.distributions.CategoricalDistribution):
        return distribution
    return optuna.distributions.CategoricalDistribution(
        [safe_choice(c) for c in distribution.choices]
    )


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """No "new study created" for a study that only a figure sees, no notes on experiments."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # The importances' evaluator reminds of what _as_minimized_study takes care of.
            warnings.filterwarnings("ignore", message="PedAnova", category=UserWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)
