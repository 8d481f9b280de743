"""What TPE learns from: a study's finished trials as arrays, fed only with what is new."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers._tpe.sampler import _get_infeasible_trial_score, _get_pruned_trial_score
from optuna.storages import BaseStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hpo.samplers.columns import Array, Column, Numbers, make_column

MAX_BELOW = 25  # no more trials are ever below: the limit of Optuna's default gamma
_FIRST_CAPACITY = 1024

Params = Callable[[FrozenTrial], Mapping[str, Any]]


class TrialHistory:
    """The finished trials of one study, and the running ones of the moment.

    A finished trial never changes, so each is read once in the life of a process.

    Args:
        space: The declared distributions, none of a single value, in the order of their names.
    """

    def __init__(self, space: Mapping[str, BaseDistribution]) -> None:
        self.space = dict(space)
        self.columns: dict[str, Column] = {n: make_column(d) for n, d in space.items()}
        self.n_finished = 0
        self.is_plain = True  # whether all finished trials tried just this space, feasibly
        # Sorted by loss, then by number, as Optuna sorts them.
        self._best_complete: list[tuple[float, int]] = []
        self._best_pruned: list[tuple[tuple[float, float], int]] = []
        self._is_kernel = np.zeros(0, dtype=bool)  # finished, with all parameters
        self._unfinished: set[int] = set()
        self._n_seen = 0

    def update(self, study: Study, own: int, params: Params) -> list[int]:
        """Take in what has finished since the last call.

        Args:
            study: The study, always the same one.
            own: The number of the trial that is to be suggested for, which is left out.
            params: What a running trial tries.

        Returns:
            The numbers of running trials that try all parameters, whose values are put in place
            for now: Optuna's constant liar counts them among the bad ones.
        """
        trials = _trials_by_number(study._storage, study._study_id)  # noqa: SLF001 (no public way)
        self._unfinished |= set(range(self._n_seen, len(trials)))
        self._n_seen = len(trials)
        self._make_room(len(trials))
        running = []
        for number in sorted(self._unfinished):
            trial = trials[number]
            if trial.state.is_finished():
                self._unfinished.discard(number)
                self._take_in(study, trial)
            elif trial.state == TrialState.RUNNING and number != own:
                running += [number] if self._put(number, params(trial)) else []
        return running

    def below(self, n: int) -> Numbers:
        """The numbers of the best `n` finished trials, ascending; only those with all parameters.

        Complete trials come before pruned ones.
        """
        best = [number for _, number in self._best_complete[:n]]
        best += [number for _, number in self._best_pruned[: n - len(best)]]
        found = np.array(sorted(best), dtype=np.intp)
        return found[self._is_kernel[found]]

    def above(self, below: Numbers, running: Sequence[int]) -> Numbers:
        """The numbers of all other trials with all parameters, ascending."""
        is_above = self._is_kernel.copy()
        is_above[below] = False
        is_above[list(running)] = True
        return np.flatnonzero(is_above)

    def observations(self, numbers: Numbers) -> dict[str, Array]:
        """Each parameter's values in Optuna's internal representation."""
        return {name: column.values[numbers] for name, column in self.columns.items()}

    def _take_in(self, study: Study, trial: FrozenTrial) -> None:
        if trial.state == TrialState.COMPLETE:
            sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
            assert trial.value is not None
            _keep_best(self._best_complete, (sign * trial.value, trial.number))
        elif trial.state == TrialState.PRUNED:
            score = _get_pruned_trial_score(trial, study)
            _keep_best(self._best_pruned, (score, trial.number))
        else:
            return
        self.n_finished += 1
        self._is_kernel[trial.number] = self._put(trial.number, trial.params)
        tried = {n: d for n, d in trial.distributions.items() if not d.single()}
        is_feasible = _get_infeasible_trial_score(trial) <= 0
        self.is_plain = self.is_plain and is_feasible and tried == self.space

    def _put(self, number: int, params: Mapping[str, Any]) -> bool:
        if not self.space.keys() <= params.keys():
            return False
        for name, column in self.columns.items():
            column.put(number, params[name])
        return True

    def _make_room(self, n_trials: int) -> None:
        if n_trials <= len(self._is_kernel):
            return
        capacity = max(_FIRST_CAPACITY, 2 * n_trials)
        self._is_kernel = np.append(
            self._is_kernel, np.zeros(capacity - len(self._is_kernel), dtype=bool)
        )
        for column in self.columns.values():
            column.grow(capacity)


def _keep_best(best: list[Any], scored: Any) -> None:
    bisect.insort(best, scored)
    del best[MAX_BELOW:]


def _trials_by_number(
    storage: BaseStorage, study_id: int
) -> Mapping[int, FrozenTrial] | Sequence[FrozenTrial]:
    """All trials of a study; from Optuna's cache without a copy of what it holds."""
    if not isinstance(storage, _CachedStorage):
        return storage.get_all_trials(study_id, deepcopy=False)
    storage._read_trials_from_remote_storage(study_id)  # noqa: SLF001 (a list of all costs more)
    return storage._studies[study_id].trials  # noqa: SLF001 (likewise)
