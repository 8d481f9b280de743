"""Samplers and pruners by name: in go a study's components, out come Optuna's objects."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hpo.errors import MissingPackage
from hpo.study_files.keys import PLANNED

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

    from hpo.samplers.tpe import Histories
    from hpo.study_files.study_file import StudyFile

SAMPLERS = {
    "tpe": "TPESampler",
    "random": "RandomSampler",
    "qmc": "QMCSampler",
    "cmaes": "CmaEsSampler",
    "gp": "GPSampler",
    "nsga2": "NSGAIISampler",
}
# The package that a method or pruner needs beyond Optuna, and the command that installs it.
_PACKAGES = {"cmaes": ("cmaes", "pip install 'hpo-service[samplers]'")}


def pruner_names() -> dict[str, str]:
    """Map every pruner's name in files to its class in Optuna; ``none`` is Optuna's NopPruner."""
    from optuna import pruners

    classes = [name for name in pruners.__all__ if name not in ("BasePruner", "NopPruner")]
    snake = {
        re.sub(r"(?<=[a-z])(?=[A-Z])", "_", c.removesuffix("Pruner")).lower(): c for c in classes
    }
    return {"none": "NopPruner", **snake}


def missing_package(name: str) -> str | None:
    """Say which package a method needs and how to install it; None when all is there."""
    package, command = _PACKAGES.get(name, ("", ""))
    if not package or find_spec(package) is not None:
        return None
    return f"'{name}' needs the package {package}, which is not installed: {command}"


def make_sampler(study: StudyFile, seed: int, histories: Histories | None = None) -> BaseSampler:
    """Make the Optuna sampler of a study.

    Args:
        study: The resolved study.
        seed: The sampler's seed for one point (`plan.sampler_seed`).
        histories: What the TPE samplers of this study in this process remember.

    Raises:
        MissingPackage: If the method needs a package that is not installed.
    """
    method = "random" if study.method in PLANNED else study.method
    missing = missing_package(method)
    if missing:
        raise MissingPackage(missing)
    arguments = study.sampler
    if method == "tpe":
        if why_stock_tpe(study) is None:
            return _fast_tpe(study, seed, {} if histories is None else histories)
        conditional = study.search_space is not None and study.search_space.is_conditional
        arguments = {**_tpe_defaults(conditional, len(study.directions)), **arguments}
        arguments["group"] = arguments["group"] and arguments.get("multivariate") is not False
    return build_sampler(method, arguments, seed, study.seed)


def why_stock_tpe(study: StudyFile) -> str | None:
    """Say why a tpe study needs Optuna's own sampler; None where the faster one does the same."""
    from hpo.samplers.tpe import FREE_ARGUMENTS

    others = study.sampler.keys() - FREE_ARGUMENTS
    if study.search_space is None:
        return "the objective decides the search space"
    if study.search_space.is_conditional:
        return "the search space has conditions"
    if len(study.directions) > 1:
        return "there are several directions"
    return f"the sampler is given {', '.join(sorted(others))}" if others else None


def _fast_tpe(study: StudyFile, seed: int, histories: Histories) -> BaseSampler:
    from hpo.samplers.tpe import FastTPESampler

    assert study.search_space is not None
    told = {"declared": study.search_space.distributions(), "histories": histories}
    sampler: BaseSampler = _quietly(FastTPESampler, {**study.sampler, **told, "seed": seed})
    return sampler


def _tpe_defaults(conditional: bool, n_directions: int) -> dict[str, Any]:
    """Model parameters together; in groups where conditions would else break them apart.

    With several directions Optuna's own default, one model per parameter, is kept unless the
    groups need more.
    """
    together = {"multivariate": True} if conditional or n_directions == 1 else {}
    return {"constant_liar": True, "group": conditional, **together}


def make_pruner(study: StudyFile) -> BasePruner:
    """Make the Optuna pruner of a study; NopPruner when it has none."""
    return build_pruner(study.pruner)


def build_sampler(
    method: str, arguments: Mapping[str, Any], seed: int, sequence_seed: int
) -> BaseSampler:
    """Make an Optuna sampler.

    Args:
        method: The name of the sampler.
        arguments: What it is called with, beside its seed.
        seed: The seed for one point.
        sequence_seed: The seed that all points share; only qmc has such a sequence.
    """
    from optuna.samplers import RandomSampler

    arguments = {**arguments, "seed": seed}
    if method == "qmc":
        # All workers must walk one sequence; only what it cannot sample depends on the point.
        arguments |= {"seed": sequence_seed, "independent_sampler": RandomSampler(seed)}
    sampler: BaseSampler = _quietly(sampler_class(method), arguments)
    return sampler


def build_pruner(written: Any) -> BasePruner:
    """Make an Optuna pruner, and those inside it, of its name or ``{name: {argument: value}}``."""
    name, arguments = (written, {}) if isinstance(written, str) else next(iter(written.items()))
    inside = {key: build_pruner(arguments[key]) for key in pruners_inside(name, arguments)}
    pruner: BasePruner = _quietly(pruner_class(name), {**arguments, **inside})
    return pruner


def pruners_inside(name: str, arguments: Mapping[str, Any]) -> list[str]:
    """List the given arguments of a pruner that are pruners themselves."""
    kinds = arguments_of(pruner_class(name))
    return [
        key
        for key, value in arguments.items()
        if value is not None and "BasePruner" in kinds.get(key, "")
    ]


def arguments_of(cls: Any) -> dict[str, str]:
    """Give the arguments of an Optuna class, with their annotations as text."""
    parameters = list(inspect.signature(cls.__init__).parameters.items())[1:]
    return {name: _annotation(parameter) for name, parameter in parameters}


def _annotation(parameter: inspect.Parameter) -> str:
    """Write an annotation as text; some of Optuna's modules keep it as text already."""
    kind = parameter.annotation
    text = kind.__name__ if isinstance(kind, type) else str(kind)
    return "int" if text == "str | int" else text  # the text would be "auto"


def sampler_class(method: str) -> Any:
    """Give the Optuna class of a method's sampler."""
    from optuna import samplers

    return getattr(samplers, SAMPLERS[method])


def pruner_class(name: str) -> Any:
    """Give the Optuna class of a pruner."""
    from optuna import pruners

    return getattr(pruners, pruner_names()[name])


def _quietly(cls: Any, arguments: Mapping[str, Any]) -> Any:
    """Make an Optuna object without its notes on experimental features: the user chose them."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return cls(**arguments)
