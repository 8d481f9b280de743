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
from hpo.study_files.keys import DEFAULT_OBJECTIVE, MAX_POINTS
from hpo.study_files.study_file import KEYS, StudyFile
from hpo.yaml_files.faults import Finding, shown

_JOINERS = "\u200c\u200d"  # inside emoji and in Persian, among others


def method_rules(method: str, given: Mapping[str, Any]) -> Iterator[Finding]:
    """Check which keys the method takes and needs; `given` has every key that was written."""
    for name, key in KEYS.items():
        if name not in given:
            if method in key.needed_by:
                yield (name,), f"is missing: method {method} needs it."
        elif given[name] in (None, "none"):
            continue
        elif method in key.refused_by:
            yield (name,), f"does not go with method {method}{key.refused_by[method]}."
        elif key.only_for and method not in key.only_for:
            yield (name,), f"goes with method {', '.join(key.only_for)}, not with {method}."
    missing = missing_package(method)
    if missing:
        yield ("method",), missing


def direction_rules(keys: StudyFile, given: Mapping[str, Any]) -> Iterator[Finding]:
    """Check the direction or directions and what goes with several of them."""
    if "direction" in given and "directions" in given:
        yield ("directions",), "give `direction` or `directions`, not both."
    if not given.keys() & {"direction", "directions"} and not _maximizes(keys):
        yield ("direction",), "is missing: is a larger value better (maximize) or a smaller one?"
    n_directions = len(keys.directions) or 1
    if keys.metrics and len(keys.metrics) != n_directions:
        text = f"needs one metric per direction, but got {len(keys.metrics)} for {n_directions}."
        yield ("metrics",), text
    if n_directions > 1:
        for name, key in KEYS.items():
            if key.one_direction and given.get(name) not in (None, "none"):
                yield (name,), key.one_direction
        if keys.method in ("cmaes", "controlled"):
            yield ("directions",), f"method {keys.method} works with one direction only."


def _maximizes(keys: StudyFile) -> bool:
    return keys.metrics in ((), ("accuracy",)) and keys.objective == DEFAULT_OBJECTIVE


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


def count_rules(keys: StudyFile, n_levels: int) -> Iterator[Finding]:
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
