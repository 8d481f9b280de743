"""Rules between the keys of a study file: each takes plain data, yields findings, touches nothing.

A rule that needs a key which is itself at fault stays silent about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from hpo.near_miss import near_miss
from hpo.spaces.parameters import Range
from hpo.spaces.search_space import SearchSpace
from hpo.study_files.components import missing_package
from hpo.study_files.device_text import read_devices
from hpo.study_files.keys import DEFAULT_OBJECTIVE, MAX_POINTS, StudyKeys
from hpo.yaml_files.faults import Finding, shown

_ONLY_CONTROLLED = ("baseline", "vary", "replicates", "claims")
_PLANNED = {
    "n_trials": ": the file decides how many trials there are",
    "start_with": ": its points are planned",
    "sampler": ": its points are planned",
}
_REFUSED: Mapping[str, Mapping[str, str]] = {
    "grid": _PLANNED,
    "controlled": {
        **_PLANNED,
        "search_space": ", which has `baseline` and `vary`",
        "pruner": ": every trial is trained to its end",
    },
}
_NEEDS = {"controlled": ("baseline", "vary"), "grid": ("search_space",)}
_JOINERS = "\u200c\u200d"  # inside emoji and in Persian, among others
_ONE_DIRECTION = ("target", "stop_when_stalled")


def method_rules(keys: StudyKeys, given: Mapping[str, Any]) -> Iterator[Finding]:
    """Check which keys the method takes and needs; `given` has every key that was written."""
    for key in given:
        if key in _REFUSED.get(keys.method, {}) and given[key] not in (None, "none"):
            yield (key,), f"does not go with method {keys.method}{_REFUSED[keys.method][key]}."
        if key in _ONLY_CONTROLLED and keys.method != "controlled":
            yield (key,), f"goes with method controlled, not with {keys.method}."
    for key in _NEEDS.get(keys.method, ("n_trials",)):
        if key not in given:
            yield (key,), f"is missing: method {keys.method} needs it."
    missing = missing_package(keys.method)
    if missing:
        yield ("method",), missing


def direction_rules(keys: StudyKeys, given: Mapping[str, Any]) -> Iterator[Finding]:
    """Check the direction or directions and what goes with several of them."""
    if "direction" in given and "directions" in given:
        yield ("directions",), "give `direction` or `directions`, not both."
    if not given.keys() & {"direction", "directions"} and not _maximizes(keys):
        yield ("direction",), "is missing: is a larger value better (maximize) or a smaller one?"
    n_directions = len(keys.directions or (1,))
    if keys.metrics is not None and len(keys.metrics) != n_directions:
        text = f"needs one metric per direction, but got {len(keys.metrics)} for {n_directions}."
        yield ("metrics",), text
    if n_directions > 1:
        for key in _ONE_DIRECTION:
            if key in given:
                yield (key,), "goes with one direction; several have a front, not a best value."
        if given.get("pruner") not in (None, "none"):
            yield ("pruner",), "Optuna's pruners work with one direction only."
        if keys.method in ("cmaes", "controlled"):
            yield ("directions",), f"method {keys.method} works with one direction only."


def _maximizes(keys: StudyKeys) -> bool:
    one_metric = keys.metrics is None or list(keys.metrics) == ["accuracy"]
    return one_metric and keys.objective == DEFAULT_OBJECTIVE


def objective_rules(objective: str) -> Iterator[Finding]:
    """Check the form of ``path.py:function``; whether it exists is seen when it is loaded."""
    path, colon, function = objective.rpartition(":")
    if not colon or not path.endswith(".py") or not function.isidentifier():
        yield (), f"must be path.py:function, but got {shown(objective)}."
    elif PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        yield (), f"must stay in the project folder, but got {shown(objective)}."


def device_rules(devices: str) -> Iterator[Finding]:
    """Check that the devices can be right on some machine."""
    try:
        read_devices(devices)
    except ValueError as error:
        yield (), str(error)


def name_rules(study: str) -> Iterator[Finding]:
    """Check a study's name."""
    is_printable = all(char.isprintable() or char in _JOINERS for char in study)
    if not is_printable or not study or study != study.strip():
        text = "must be printable, without line breaks and without spaces around it"
        yield (), f"{text}, but got {shown(study)}."


def fixed_rules(
    fixed: Mapping[str, Any], others: Mapping[str, Any], what: str
) -> Iterator[Finding]:
    """Check that a setting stands in one place only and is not the seed."""
    if "seed" in fixed:
        yield ("seed",), "the seed is the study's key `seed`."
    for name in fixed:
        if name in others:
            yield (name,), f"is fixed here and also {what}; remove one of them."


def grid_rules(space: SearchSpace) -> Iterator[Finding]:
    """Check that a grid can step through every parameter, and is not too large."""
    endless = [p for p in space.parameters.values() if not p.n_levels]
    for parameter in endless:
        yield (
            (_written(parameter.name, space),),
            (f"a grid needs `step` or `levels` for the range {_ends(parameter)}."),
        )
    if endless or all(p.n_levels <= MAX_POINTS for p in space.parameters.values()):
        too_many = not endless and any(True for _ in islice(space.grid(), MAX_POINTS, None))
    else:
        too_many = True
    if too_many:
        yield (), f"the grid has more than {MAX_POINTS} points."


def _ends(parameter: Any) -> str:
    return f"{parameter.low}..{parameter.high}" if isinstance(parameter, Range) else ""


def _written(name: str, space: SearchSpace) -> str:
    return name if name in space.to_data() else name.rpartition("_")[0]


def start_rules(start_with: list[dict[str, Any]], space: SearchSpace | None) -> Iterator[Finding]:
    """Check that every starting point lies in the space."""
    for index, settings in enumerate(start_with):
        if not settings:
            yield (index,), "must not be empty."
        elif space is None:
            for name, value in settings.items():
                if isinstance(value, list | dict):
                    text = "without a search space only numbers, words, true, false and null go"
                    yield (index, name), f"{text}, but got {shown(value)}."
        else:
            try:
                space.flat(settings)
            except ValueError as error:
                for path, text in getattr(error, "findings", ()):
                    yield (index, *path), text


def count_rules(keys: StudyKeys, n_levels: int) -> Iterator[Finding]:
    """Check counts that only make sense together."""
    if keys.n_trials is not None and len(keys.start_with) > keys.n_trials:
        text = f"has {len(keys.start_with)} settings, but `n_trials` is {keys.n_trials}."
        yield ("start_with",), text
    if keys.method == "controlled" and keys.replicates * (n_levels + 1) > MAX_POINTS:
        yield ("replicates",), f"makes more than {MAX_POINTS} points."


def space_choice(name: str, names: list[str], file: str) -> str:
    """Say that no space has this name."""
    hint = near_miss(name, names) or f" Known: {', '.join(names) or 'none'}."
    return f"there is no search space {shown(name)} in {file}.{hint}"
