"""Optuna's TPE sampler at a cost that hardly grows with the trials that a study holds.

It suggests just what `optuna.samplers.TPESampler` would, to the last bit: candidates are drawn by
Optuna's own estimator of the good trials. Only the densities that choose among the candidates are
summed another way, and where rounding could change which one wins, Optuna's estimators decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator
from optuna.samplers._tpe.sampler import default_gamma, default_weights
from optuna.trial import FrozenTrial

from hpo.samplers.columns import PRIOR_WEIGHT, Array, Numbers
from hpo.samplers.history import TrialHistory

Histories = dict[tuple[str, ...], TrialHistory]

# Arguments with which the sums below are those of Optuna's estimators.
FREE_ARGUMENTS = frozenset(
    {"n_startup_trials", "n_ei_candidates", "seed", "warn_independent_sampling"}
)
_NEGLIGIBLE = -50.0  # the logarithm of a share of the largest kernel
_ROUNDING = 1e-8  # far above what the other order of summation changes


class FastTPESampler(TPESampler):
    """A `TPESampler` for a declared space without conditions and one objective value.

    Args:
        declared: Every parameter's distribution.
        histories: What the samplers of one study and one process remember; empty at first. Each
            point has a sampler of its own.
        arguments: Of `TPESampler`, those in `FREE_ARGUMENTS`.
    """

    def __init__(
        self, declared: Mapping[str, BaseDistribution], histories: Histories, **arguments: Any
    ) -> None:
        super().__init__(multivariate=True, constant_liar=True, **arguments)
        self._declared = {
            name: distribution
            for name, distribution in sorted(declared.items())
            if not distribution.single()
        }
        names = tuple(self._declared)
        self._history = histories.setdefault(names, TrialHistory(self._declared))
        self._running: list[int] = []

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The declared space, where all trials tried it; what they have in common else."""
        history = self._history
        self._running = history.update(study, trial.number, lambda t: self._get_params(t, study))
        if not history.is_plain:
            return super().infer_relative_search_space(study, trial)
        return dict(self._declared) if history.n_finished else {}

    def _sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        history = self._history
        if not history.is_plain:
            return super()._sample_relative(study, trial, search_space)
        if not search_space or history.n_finished < self._n_startup_trials:
            return {}
        below = history.below(default_gamma(history.n_finished))
        above = history.above(below, self._running)
        good = self._estimator(below)
        samples = good.sample(self._rng.rng, self._n_ei_candidates)
        gains = log_density(history, below, samples) - log_density(history, above, samples)
        if _is_close(gains, samples):
            gains = good.log_pdf(samples) - self._estimator(above).log_pdf(samples)
        best = self._compare(samples, gains)
        return {name: d.to_external_repr(best[name]) for name, d in search_space.items()}

    def _estimator(self, numbers: Numbers) -> _ParzenEstimator:
        return _ParzenEstimator(
            self._history.observations(numbers), self._declared, self._parzen_estimator_parameters
        )


def log_density(history: TrialHistory, numbers: Numbers, samples: Mapping[str, Array]) -> Array:
    """The logarithm of the mixture of the kernels of trials, and the prior's, at candidates.

    Args:
        history: What the trials tried.
        numbers: The numbers of the trials, ascending.
        samples: Each parameter's values, of shape (candidates,).

    Returns:
        Shape (candidates,).
    """
    weights = np.append(default_weights(len(numbers)), PRIOR_WEIGHT)
    constant = np.log(weights / weights.sum())
    terms = [column.terms(numbers, samples[name]) for name, column in history.columns.items()]
    exponents: Array = np.hstack([t.candidates for t in terms]) @ np.vstack(
        [t.kernels for t in terms]
    )
    exponents += constant + sum(t.constant for t in terms)
    for t in terms:
        if t.table is not None:
            exponents += t.table
    largest = exponents.max(axis=1)
    exponents -= largest[:, None]
    # Smaller ones add nothing, and numbers that underflow are slow.
    np.maximum(exponents, _NEGLIGIBLE, out=exponents)
    np.exp(exponents, out=exponents)
    found: Array = np.log(exponents.sum(axis=1)) + largest
    return found


def _is_close(gains: Array, samples: Mapping[str, Array]) -> bool:
    """Whether another candidate than the best comes so near that rounding could prefer it."""
    best = int(np.argmax(gains))
    rivals = gains >= gains[best] - _ROUNDING * max(1.0, abs(gains[best]))
    return any((values[rivals] != values[best]).any() for values in samples.values())
