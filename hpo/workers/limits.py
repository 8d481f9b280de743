"""When a study has had enough: its target, its epochs or its patience. Pure but for the trials."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from optuna.trial import FrozenTrial, TrialState

from hpo.ranking import losses

if TYPE_CHECKING:
    import optuna

    from hpo.study_files.study_file import StudyFile


def reached(
    file: StudyFile, study: optuna.Study, numbers: Callable[[], Container[int]]
) -> str | None:
    """The limit of the study file that the trials have reached, in words; None while there is none.

    Args:
        file: `target`, `max_epochs_total` and `stop_when_stalled` are looked at.
        study: Its finished trials.
        numbers: Asked for the numbers of those trials that evaluate points.
    """
    if file.target is None and file.max_epochs_total is None and file.stop_when_stalled is None:
        return None
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    ours = numbers()
    trials = [trial for trial in finished if trial.number in ours]
    return _target(file, trials) or _epochs(file.max_epochs_total, trials) or _stalled(file, trials)


def epochs_of(trial: FrozenTrial) -> int:
    """Epochs a trial has trained, as far as it reported them: its last step."""
    return trial.last_step or 0


def _loss(file: StudyFile, trial: FrozenTrial) -> float:
    """The value of a complete trial, turned so that less is better; infinite without one."""
    is_complete = trial.state == TrialState.COMPLETE
    return losses(trial.values, file.directions)[0] if is_complete else math.inf


def _target(file: StudyFile, trials: Sequence[FrozenTrial]) -> str | None:
    if file.target is None:
        return None
    (goal,) = losses([file.target], file.directions)
    for trial in trials:
        if _loss(file, trial) <= goal:
            return f"the target {file.target:g} was reached by trial {trial.number}"
    return None


def _epochs(limit: int | None, trials: Sequence[FrozenTrial]) -> str | None:
    if limit is None:
        return None
    spent = sum(epochs_of(trial) for trial in trials)
    return f"{spent} of {limit} epochs were trained" if spent >= limit else None


def _stalled(file: StudyFile, trials: Sequence[FrozenTrial]) -> str | None:
    patience = file.stop_when_stalled
    if patience is None:
        return None
    best, since = math.inf, 0
    for trial in sorted(trials, key=lambda t: t.datetime_complete or datetime.min):
        loss = _loss(file, trial)
        best, since = (loss, 0) if loss < best else (best, since + 1)
    return f"the last {since} trials brought nothing better" if since >= patience else None
