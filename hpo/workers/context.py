"""What an objective may ask of its worker: parameters, the device, a place for curves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from hpo.errors import UserError
from hpo.plain import plain_data

if TYPE_CHECKING:
    import optuna

    from hpo.study_files.study_file import StudyFile

DEVICE_VARIABLE = "HPO_DEVICE"


def suggest(trial: optuna.trial.BaseTrial) -> dict[str, Any]:
    """The study's parameters for this trial, merged over what its file fixes, `seed` included.

    Args:
        trial: A trial of a study that `hpo run` made; or an `optuna.trial.FixedTrial`, which is
            asked for nothing: all that it was given is returned.

    Raises:
        UserError: The study was not made by `hpo`.
    """
    from optuna.trial import FixedTrial

    file = _known_file(trial)
    if file is None and isinstance(trial, FixedTrial):
        return dict(trial._params)  # noqa: SLF001 (it has no public name for what it was given)
    if file is None:
        raise UserError("hpo.suggest(trial) needs a trial of a study that hpo made.")
    return file.suggest(trial)


def device() -> str:
    """The device this process must compute on: `cpu`, `cuda:0` or `mps`."""
    return os.environ.get(DEVICE_VARIABLE, "cpu")


def values(trial: optuna.trial.BaseTrial, **measured: float) -> float | tuple[float, ...]:
    """What the objective returns: the measured values that the study's `metrics` name, in order.

    Args:
        trial: A trial of a study that `hpo run` made; without one, the first value is returned.
        measured: Every value that the objective can return, the usual one first.

    Raises:
        UserError: The study file names a metric that was not measured.
    """
    file = _known_file(trial)
    names = file.metrics if file is not None and file.metrics else (next(iter(measured)),)
    unknown = [name for name in names if name not in measured]
    if unknown:
        raise UserError(
            f"The objective measures {', '.join(measured)}, but `metrics` names {unknown[0]!r}."
        )
    chosen = tuple(float(measured[name]) for name in names)
    return chosen[0] if len(chosen) == 1 else chosen


def keep_curves(trial: optuna.trial.BaseTrial, curves: Mapping[str, Any]) -> None:
    """Keep a trial's learning curves with its result.

    They stand in a table of their own: as a user attribute every worker would load those of every
    trial. Under plain Optuna they become the user attribute `curves`.

    Args:
        trial: The running trial.
        curves: JSON data, in which numpy's numbers and arrays are welcome; `hpo report` draws
            `epochs` and `batches` as the trainer makes them.

    Raises:
        TypeError: The curves are something else.
    """
    if not isinstance(curves, Mapping):
        raise TypeError(f"hpo.keep_curves takes curves by name, but got a {_type(curves)}.")
    kept = plain_data(dict(curves), "hpo.keep_curves: the curves")
    if hasattr(trial, "curves"):
        trial.curves = kept
    else:
        trial.set_user_attr("curves", kept)


def keep_weights(trial: optuna.trial.BaseTrial, weights: Mapping[str, Any]) -> None:
    """Offer a trial's weights for keeping, where the study file names a folder for `artifacts`.

    Args:
        trial: The running trial.
        weights: Tensors by name, on the CPU, as a `state_dict` holds them.

    Raises:
        TypeError: The weights are something else.
    """
    if not isinstance(weights, Mapping):
        raise TypeError(f"hpo.keep_weights takes tensors by name, but got a {_type(weights)}.")
    for name, tensor in weights.items():
        if not isinstance(name, str) or not hasattr(tensor, "contiguous"):
            raise TypeError(
                "hpo.keep_weights takes tensors by name, as model.state_dict() gives them, "
                f"but got a {_type(tensor)} by the name of {name!r}."
            )
    if hasattr(trial, "weights"):
        trial.weights = weights


def wants_weights(trial: optuna.trial.BaseTrial) -> bool:
    """Whether the study keeps artifacts, so that copying the weights is worth it."""
    file = _known_file(trial)
    return file is not None and file.artifacts is not None


def _type(value: object) -> str:
    return type(value).__name__


def _known_file(trial: optuna.trial.BaseTrial) -> StudyFile | None:
    known = getattr(trial, "study_file", None)  # a worker has read it once
    if known is not None:
        return cast("StudyFile", known)
    from hpo.ledger.sources import file_of

    study = getattr(trial, "study", None)
    return None if study is None else file_of(study)
