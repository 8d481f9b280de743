"""What a file may say of samplers and pruners.

Names and arguments are checked against the signatures of the installed Optuna; in go values as
written, out come components or findings.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hpo.study_files.components import (
    arguments_of,
    build_pruner,
    build_sampler,
    pruner_class,
    pruner_names,
    pruners_inside,
    sampler_class,
)
from hpo.yaml_files.faults import Finding, Path, shown, unknown

_PLAIN: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "int": ("a whole number", lambda v: isinstance(v, int) and not isinstance(v, bool)),
    "float": ("a number", lambda v: isinstance(v, int | float) and not isinstance(v, bool)),
    "bool": ("true or false", lambda v: isinstance(v, bool)),
    "str": ("a word", lambda v: isinstance(v, str)),
    "None": ("null", lambda v: v is None),
    "BasePruner": ("a pruner", lambda v: isinstance(v, str | dict)),
}
# Limits that Optuna itself notices only in the middle of a study, or never.
_LOWEST = {"n_startup_trials": 0, "n_ei_candidates": 1, "popsize": 2, "n_startup_steps": 0}
_RESOURCES = {"hyperband": "max_resource", "successive_halving": "min_resource"}


def sampler_faults(method: str, arguments: Mapping[str, Any]) -> list[Finding]:
    """Check the arguments of a method's sampler; findings are relative to them."""
    found = list(_argument_faults(f"{method} sampler", sampler_class(method), arguments))
    return found or _refusal(lambda: build_sampler(method, arguments, 1, 1))


def read_pruner(value: Any, epochs: int | None) -> tuple[Any, list[Finding]]:
    """Read a pruner as written: ``none``, a name, or ``{name: {argument: value}}``.

    Args:
        value: What stands under `pruner`.
        epochs: The epochs of every trial, if fixed; hyperband's largest resource by default.

    Returns:
        The pruner as it could be written, with nothing left to decide, or None; and the findings.
    """
    name, arguments, found = _named(value)
    if found or name == "none":
        return None, found
    for key in pruners_inside(name, arguments):
        arguments[key], faults = read_pruner(arguments[key], epochs)
        found += [((name, key, *path), text) for path, text in faults]
    _fill_resource(name, arguments, epochs)
    found += _at(name, _argument_faults(f"{name} pruner", pruner_class(name), arguments))
    found += _at(name, _resource_faults(name, arguments)) if not found else []
    pruner = {name: arguments} if arguments else name
    return pruner, found or _at(name, _refusal(lambda: build_pruner(pruner)))


def _named(value: Any) -> tuple[str, dict[str, Any], list[Finding]]:
    """Split a component as written into its name and arguments."""
    if value in (None, "none"):
        return "none", {}, []
    if isinstance(value, dict) and len(value) == 1:
        [(name, arguments)] = value.items()
        where: Path = (name,)
    else:
        name, arguments, where = value, {}, ()
    if not isinstance(name, str):
        text = "must be a name or {name: {argument: value}}"
        return "none", {}, [((), f"{text}, but got {shown(value)}.")]
    if name not in pruner_names():
        return "none", {}, [(where, unknown("pruner", name, pruner_names()))]
    if not isinstance(arguments, dict | None):
        text = f"must be a mapping of arguments, but got {shown(arguments)}."
        return "none", {}, [(where, text)]
    return name, dict(arguments or {}), []


def _argument_faults(what: str, cls: Any, arguments: Mapping[str, Any]) -> Iterator[Finding]:
    kinds = arguments_of(cls)
    known = {name: kind for name, kind in kinds.items() if set(kind.split(" | ")) <= _PLAIN.keys()}
    known.pop("seed", None)
    for name, value in arguments.items():
        if name == "seed":
            yield (name,), "the seed is the study's key `seed`."
        elif name not in known:
            yield (name,), unknown(f"argument of the {what}", name, known or ["none"])
        elif not any(_PLAIN[kind][1](value) for kind in known[name].split(" | ")):
            wanted = " or ".join(_PLAIN[kind][0] for kind in known[name].split(" | "))
            yield (name,), f"must be {wanted}, but got {shown(value)}."
        elif name in _LOWEST and value is not None and value < _LOWEST[name]:
            yield (name,), f"must be at least {_LOWEST[name]}, but got {value}."
    required = [
        name
        for name, parameter in inspect.signature(cls.__init__).parameters.items()
        if name in known and parameter.default is parameter.empty
    ]
    for name in required:
        if name not in arguments:
            yield (), f"the {what} needs '{name}'."


def _fill_resource(name: str, arguments: dict[str, Any], epochs: int | None) -> None:
    """Decide here what Optuna's "auto" would decide in each process anew."""
    key = _RESOURCES.get(name)
    if key and arguments.get(key, "auto") == "auto":
        resource = epochs if key == "max_resource" else 1
        arguments.pop(key, None)
        arguments.update({key: resource} if resource else {})


def _resource_faults(name: str, arguments: Mapping[str, Any]) -> Iterator[Finding]:
    key = _RESOURCES.get(name)
    if key is None:
        return
    if not isinstance(arguments.get(key), int):
        yield (
            (),
            (
                f"{name} needs '{key}', a whole number of epochs; Optuna's 'auto' would be decided "
                f"by each worker for itself. Write {{{name}: {{{key}: 9}}}}, on a command line in "
                "quotes, with the epochs of a whole trial; or give `epochs` under `fixed`."
            ),
        )
        return
    for limited, lowest in (("min_resource", 1), ("max_resource", 1), ("reduction_factor", 2)):
        if arguments.get(limited, lowest) < lowest:
            yield (limited,), f"must be at least {lowest}, but got {arguments[limited]}."
    if arguments.get("max_resource", 2**31) < arguments.get("min_resource", 1):
        low, high = arguments.get("min_resource", 1), arguments["max_resource"]
        yield (key,), f"`min_resource <= max_resource` must hold, but got {low} and {high}."


def _refusal(make: Callable[[], Any]) -> list[Finding]:
    """Ask Optuna itself: what it refuses, or warns of, is a fault of the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            make()
    except (ValueError, TypeError, Warning) as error:
        return [((), f"Optuna refuses this: {' '.join(str(error).split())}")]
    except ImportError:
        return []  # named by `missing_package`
    return []


def _at(name: str, findings: Any) -> list[Finding]:
    return [((name, *path), text) for path, text in findings]
