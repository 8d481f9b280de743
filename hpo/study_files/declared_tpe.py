"""Optuna's TPE sampler for a space that is known beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial


class DeclaredTPESampler(TPESampler):
    """A `TPESampler` that is told its search space instead of inferring it from all trials.

    Each point has a sampler of its own, so the inference would be repeated at every point. For an
    unconditional space it finds just what was declared.

    Args:
        declared: Every parameter's distribution.
        arguments: Of `TPESampler`.
    """

    def __init__(self, declared: Mapping[str, BaseDistribution], **arguments: Any) -> None:
        super().__init__(**arguments)
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
