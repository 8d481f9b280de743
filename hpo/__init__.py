"""Hyperparameter searches and controlled experiments on Optuna: parallel, resumable, exact."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo.workers.context import (
        device,
        keep_curves,
        keep_weights,
        suggest,
        values,
        wants_weights,
    )

__all__ = ["device", "keep_curves", "keep_weights", "suggest", "values", "wants_weights"]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that `import hpo` stays light."""
    if name in __all__:
        return getattr(import_module("hpo.workers.context"), name)
    raise AttributeError(f"module 'hpo' has no attribute {name!r}")
