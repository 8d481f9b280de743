"""Another study's finished trials, added to a study for its sampler to learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.errors import UserError
from hpo.ledger.stored_study import StoredStudy
from hpo.study_files.keys import PLANNED
from hpo.study_files.study_file import StudyFile

MARK = "warm_start"  # user attribute: the study and trial that it came from


def warm_start(target: StoredStudy, source: StoredStudy) -> tuple[int, int]:
    """Add the finished trials of `source` that fit the space of `target`.

    They count neither as points nor in `n_trials`; a trial that was added before is left out.

    Returns:
        How many were added, and how many do not fit.

    Raises:
        UserError: The method plans its points and learns nothing, or the directions differ.
    """
    file = target.file
    if file.method in (*PLANNED, "random", "qmc"):
        raise UserError(f"--warm-start is for samplers that learn, but got method {file.method}.")
    if target.directions != source.directions:
        raise UserError(
            f"--warm-start needs the same direction in both studies, but {target.name!r} and "
            f"{source.name!r} differ."
        )
    study = target.optuna_study()
    ours = target.ledger.trial_numbers()
    learnt = (t for t in study.get_trials(deepcopy=False) if t.number not in ours)
    known = {trial.user_attrs.get(MARK) for trial in learnt}
    finished = source.optuna_study().get_trials(
        deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)
    )
    fitting = [trial for trial in finished if fits(file, trial)]
    new = [trial for trial in fitting if _origin(source, trial) not in known]
    study.add_trials(_copies(file, source, new))
    return len(new), len(finished) - len(fitting)


def fits(file: StudyFile, trial: FrozenTrial) -> bool:
    """Whether a trial holds just the parameters of the study's space, each within its range."""
    if file.search_space is None:
        return True
    if set(trial.params) != set(file.search_space.active(trial.params)):
        return False
    distributions = file.distributions()
    return all(_contains(distributions[name], value) for name, value in trial.params.items())


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    try:
        return distribution._contains(distribution.to_internal_repr(value))  # noqa: SLF001
    except (ValueError, TypeError):  # a category the distribution does not know
        return False


def _copies(
    file: StudyFile, source: StoredStudy, trials: Sequence[FrozenTrial]
) -> list[FrozenTrial]:
    ours: Mapping[str, BaseDistribution] = file.distributions()
    return [
        create_trial(
            state=trial.state,
            values=trial.values,
            params=trial.params,
            distributions={n: ours.get(n, d) for n, d in trial.distributions.items()},
            user_attrs={MARK: _origin(source, trial)},
            intermediate_values=trial.intermediate_values,
        )
        for trial in trials
    ]


def _origin(source: StoredStudy, trial: FrozenTrial) -> str:
    return f"{source.name}, trial {trial.number}"
