"""Hyperparameter searches and controlled experiments on Optuna: parallel, resumable, exact."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo.api.looking import open_study
    from hpo.api.running import load, resume, run
    from hpo.plan import make_plan
    from hpo.workers.context import (
        device,
        keep_curves,
        keep_weights,
        suggest,
        values,
        wants_weights,
    )

__all__ = [
    "device",
    "keep_curves",
    "keep_weights",
    "load",
    "make_plan",
    "open_study",
    "resume",
    "run",
    "suggest",
    "values",
    "wants_weights",
]
_FROM = {
    "load": "api.running",
    "make_plan": "plan",
    "open_study": "api.looking",
    "resume": "api.running",
    "run": "api.running",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that `import hpo` stays light."""
    if name in __all__:
        return getattr(import_module(f"hpo.{_FROM.get(name, 'workers.context')}"), name)
    raise AttributeError(f"module 'hpo' has no attribute {name!r}")
