"""The factors of a controlled study: `baseline` and `vary` as written, labelled levels out.

A level is the settings it changes; the baseline's level comes first and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.near_miss import near_miss
from hpo.spaces.parameters import label_of, same
from hpo.yaml_files.faults import Finding, Path, shown

BASELINE = "baseline"
Vary = dict[str, dict[str, dict[str, Any]]]


def read_vary(vary: Mapping[str, Any], baseline: Mapping[str, Any]) -> tuple[Vary, list[Finding]]:
    """Label every level and check it against the baseline.

    Args:
        vary: Factor -> a list of values, or label -> a value or the settings it changes.
        baseline: The settings that all levels start from.

    Returns:
        Factor -> level label -> the settings it changes; and findings relative to `vary`.
    """
    found: list[Finding] = []
    factors = {factor: _read(factor, levels, baseline, found) for factor, levels in vary.items()}
    return factors, found


def labels(
    vary: Mapping[str, Mapping[str, Any]], baseline: Mapping[str, Any]
) -> dict[str, list[str]]:
    """List the labels of every factor's levels, the baseline's first."""
    return {f: [baseline_label(f, levels, baseline), *levels] for f, levels in vary.items()}


def level_names(
    vary: Mapping[str, Mapping[str, Any]], baseline: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """Map, for every factor, each text that names a level to the level's label.

    A level is named by its label; by its value where all levels change one setting; and the
    baseline's also by ``baseline``.
    """
    return {factor: _names(factor, levels, baseline) for factor, levels in vary.items()}


def _names(factor: str, levels: Mapping[str, Any], baseline: Mapping[str, Any]) -> dict[str, str]:
    first = baseline_label(factor, levels, baseline)
    changed = {name for settings in levels.values() for name in settings}
    by_value = {}
    if len(changed) == 1:
        [only] = changed
        by_value = {label_of(baseline[only]): first} if only in baseline else {}
        by_value |= {label_of(settings[only]): label for label, settings in levels.items()}
    return {**by_value, **{label: label for label in (first, *levels)}, BASELINE: first}


def baseline_label(factor: str, levels: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    """Name the baseline's level: its value, or ``baseline`` where levels change other settings."""
    own = factor in baseline and all(set(changed) == {factor} for changed in levels.values())
    return label_of(baseline[factor]) if own else BASELINE


def _read(
    factor: str, levels: Any, baseline: Mapping[str, Any], found: list[Finding]
) -> dict[str, dict[str, Any]]:
    named = list(levels.items() if isinstance(levels, Mapping) else enumerate(levels))
    read: dict[str, dict[str, Any]] = {}
    if not levels:
        found.append(((factor,), "needs at least one level."))
    if factor not in baseline and not all(isinstance(written, dict) for _, written in named):
        text = f"'{factor}' has no value in the baseline.{near_miss(factor, baseline)}"
        found.append(((factor,), text))
        return read
    for key, written in named:
        path: Path = (factor, key)
        changed = written if isinstance(written, dict) else {factor: written}
        label = key if isinstance(key, str) else label_of(written)
        fault = "give settings a name: {name: {setting: value}}."
        if isinstance(key, str) or changed is not written:
            fault = _shape_fault(changed) or _repeat_fault(label, changed, read, baseline)
        if fault:
            found.append((path, fault))
        else:
            read[label] = changed
    first = baseline_label(factor, read, baseline)
    if first in read:
        found.append(((factor,), f"'{first}' names the baseline; give the level another name."))
    return read


def _shape_fault(changed: dict[str, Any]) -> str:
    if not changed:
        return "changes nothing."
    if "seed" in changed:
        return "the seed is the study's key `seed`; `replicates` repeats levels over seeds."
    return ""


def _repeat_fault(
    label: str, changed: dict[str, Any], read: Mapping[str, Any], baseline: Mapping[str, Any]
) -> str:
    if all(name in baseline and same(baseline[name], value) for name, value in changed.items()):
        return f"{_settings(changed)} equals the baseline."
    if label in read:
        return f"two levels have one label, {label}."
    for other, settings in read.items():
        if settings.keys() == changed.keys() and all(
            same(settings[n], changed[n]) for n in changed
        ):
            return f"equals the level {other}."
    return ""


def _settings(changed: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {shown(value)}" for name, value in changed.items())
