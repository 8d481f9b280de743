"""Optuna's TPE sampler for a space that is known beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial

# By the names of some parameters: the trials that have them all, and their values as Optuna keeps
# them, in the order of the names.
Seen = dict[tuple[str, ...], dict[int, list[float]]]


class DeclaredTPESampler(TPESampler):
    """A `TPESampler` that is told its search space and remembers what finished trials tried.

    It suggests just what a `TPESampler` would. Each point has a sampler of its own, which would
    infer the space from all trials and read the parameters of each anew; for an unconditional
    space the inference finds what was declared, and a finished trial's parameters never change.

    Args:
        declared: Every parameter's distribution.
        seen: What the samplers of one study and one process remember; empty at first.
        arguments: Of `TPESampler`.
    """

    def __init__(
        self, declared: Mapping[str, BaseDistribution], seen: Seen, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self._seen = seen
        self._declared = {
            name: distribution
            for name, distribution in sorted(declared.items())
            if not distribution.single()
        }

    def infer_relative_search_space(
        self,
        study: Study,
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """The declared space, where parameters are sampled together."""
        return dict(self._declared) if self._is_multivariate(study) else {}

    def _get_internal_repr(
        self,
        trials: Sequence[FrozenTrial],
        search_space: dict[str, BaseDistribution],
        study: Study,
    ) -> dict[str, Any]:
        """The values of each parameter, of shape (trials that have all parameters,)."""
        seen = self._seen.setdefault(tuple(search_space), {})
        rows = []
        for trial in trials:
            row = seen.get(trial._trial_id)  # noqa: SLF001 (Optuna's own key)
            if row is None:
                params = self._get_params(trial, study)
                if not search_space.keys() <= params.keys():
                    continue
                row = [d.to_internal_repr(params[name]) for name, d in search_space.items()]
                if trial.state.is_finished():
                    seen[trial._trial_id] = row  # noqa: SLF001
            rows.append(row)
        columns = np.array(rows, dtype=float).reshape(-1, len(search_space)).T
        return dict(zip(search_space, columns, strict=True))
