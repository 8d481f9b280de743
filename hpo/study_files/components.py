"""Samplers and pruners by name: in go a study's components, out come Optuna's objects."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hpo.errors import MissingPackage

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
PLANNED = ("grid", "controlled")
METHODS = (*PLANNED, *SAMPLERS)
# The package that a method or pruner needs beyond Optuna, and the command that installs it.
_PACKAGES = {"cmaes": ("cmaes", "pip install 'hpo-service[samplers]'")}


class Component(BaseModel):
    """A sampler or pruner: its name and what it is called with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    arguments: dict[str, Any] = Field(default={})

    @field_validator("arguments")
    @classmethod
    def _read_nested(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        """Components inside a component come back from the database as mappings."""
        return {
            name: cls(**value)
            if isinstance(value, dict) and set(value) == {"name", "arguments"}
            else value
            for name, value in arguments.items()
        }


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
    arguments = study.sampler.arguments if study.sampler else {}
    if method == "tpe":
        if why_stock_tpe(study) is None:
            return _fast_tpe(study, seed, {} if histories is None else histories)
        conditional = study.search_space is not None and study.search_space.is_conditional
        arguments = {**_tpe_defaults(conditional, len(study.directions)), **arguments}
        arguments["group"] = arguments["group"] and arguments.get("multivariate") is not False
    return build_sampler(Component(name=method, arguments=arguments), seed, study.seed)


def why_stock_tpe(study: StudyFile) -> str | None:
    """Say why a tpe study needs Optuna's own sampler; None where the faster one does the same."""
    from hpo.samplers.tpe import FREE_ARGUMENTS

    arguments = study.sampler.arguments if study.sampler else {}
    others = arguments.keys() - FREE_ARGUMENTS
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
    arguments = study.sampler.arguments if study.sampler else {}
    told = {"declared": study.search_space.distributions(), "histories": histories}
    sampler: BaseSampler = _quietly(FastTPESampler, {**arguments, **told, "seed": seed})
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
    return build_pruner(study.pruner or Component(name="none"))


def build_sampler(component: Component, seed: int, sequence_seed: int) -> BaseSampler:
    """Make an Optuna sampler.

    Args:
        component: The method's name and the sampler's arguments.
        seed: The seed for one point.
        sequence_seed: The seed that all points share; only qmc has such a sequence.
    """
    from optuna.samplers import RandomSampler

    arguments = {**component.arguments, "seed": seed}
    if component.name == "qmc":
        # All workers must walk one sequence; only what it cannot sample depends on the point.
        arguments |= {"seed": sequence_seed, "independent_sampler": RandomSampler(seed)}
    sampler: BaseSampler = _quietly(sampler_class(component.name), arguments)
    return sampler


def build_pruner(component: Component) -> BasePruner:
    """Make an Optuna pruner, and those inside it."""
    arguments = {
        name: build_pruner(value) if isinstance(value, Component) else value
        for name, value in component.arguments.items()
    }
    pruner: BasePruner = _quietly(pruner_class(component.name), arguments)
    return pruner


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
