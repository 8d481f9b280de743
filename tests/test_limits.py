from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from hpo.study_files.study_file import StudyFile
from hpo.workers import limits
from tests.support import study_file


def study_with(
    *values: float | None, direction: Literal["minimize", "maximize"] = "minimize", steps: int = 0
) -> optuna.Study:
    """A study of finished trials; None is a pruned one."""
    study = optuna.create_study(direction=direction)
    for value in values:
        study.add_trial(
            create_trial(
                state=TrialState.PRUNED if value is None else TrialState.COMPLETE,
                value=value,
                intermediate_values=dict.fromkeys(range(1, steps + 1), 0.0),
            )
        )
    return study


def reached(file: StudyFile, study: optuna.Study, *added: int) -> str | None:
    """What is said where all trials but the `added` ones evaluate points."""
    numbers = {trial.number for trial in study.trials} - set(added)
    return limits.reached(file, study, lambda: numbers)


@pytest.mark.parametrize(
    ("keys", "values", "said"),
    [
        ({"target": 0.5}, [0.7, 0.6], None),
        ({"target": 0.5}, [0.7, 0.5], "the target 0.5 was reached by trial 1"),
        ({"target": 0.5}, [None, None], None),
        ({"stop_when_stalled": 2}, [0.7, 0.8], None),
        ({"stop_when_stalled": 2}, [0.7, 0.8, None], "the last 2 trials brought nothing better"),
        ({"stop_when_stalled": 2}, [0.7, 0.8, 0.6, 0.9], None),
        ({}, [0.0] * 9, None),
    ],
)
def test_a_limit_is_reached_when_the_trials_say_so(
    tmp_path: Path, keys: dict[str, Any], values: list[float | None], said: str | None
) -> None:
    assert reached(study_file(tmp_path, **keys), study_with(*values)) == said


def test_a_target_to_maximize_is_reached_from_below(tmp_path: Path) -> None:
    file = study_file(tmp_path, direction="maximize", target=0.9)
    assert reached(file, study_with(0.8, direction="maximize")) is None
    assert reached(file, study_with(0.95, direction="maximize")) is not None


def test_epochs_are_counted_over_pruned_trials_too(tmp_path: Path) -> None:
    file = study_file(tmp_path, max_epochs_total=6)
    assert reached(file, study_with(0.5, steps=3)) is None
    assert reached(file, study_with(0.5, None, steps=3)) == "6 of 6 epochs were trained"


def test_trials_added_from_another_study_do_not_count(tmp_path: Path) -> None:
    file = study_file(tmp_path, target=0.5)
    assert reached(file, study_with(0.4, 0.6)) is not None
    assert reached(file, study_with(0.4, 0.6), 0) is None


def test_a_trial_that_reported_nothing_trained_no_known_epochs() -> None:
    assert limits.epochs_of(create_trial(state=TrialState.PRUNED)) == 0
