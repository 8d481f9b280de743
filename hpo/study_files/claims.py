"""The shape of claims: sentences about a controlled study that its data can bear out or refute.

In go claims as written, out come claims whose levels are labels, or findings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from hpo.near_miss import near_miss
from hpo.spaces.parameters import label_of
from hpo.yaml_files.faults import Finding, Path, shown

KINDS = ("worst", "best", "slowest", "better", "alike")
Levels = Mapping[str, Mapping[str, str]]  # factor -> each name of a level -> its label


class ClaimKeys(BaseModel):
    """One claim: exactly one of worst, best, slowest, better, alike, and the sentence shown."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    worst: dict[str, Any] = Field(
        default={}, description="{factor: level}: this level has the worst mean value."
    )
    best: dict[str, Any] = Field(
        default={}, description="{factor: level}: this level has the best mean value."
    )
    slowest: dict[str, Any] = Field(
        default={}, description="{factor: level}: this level has the longest mean run time."
    )
    better: list[dict[str, Any]] = Field(
        default=[],
        description="[{factor: level}, {factor: level}]: the first is better than the second.",
    )
    alike: dict[str, Any] = Field(
        default={},
        description="{factor: [level, level, ...]}: they differ by less than `within`; "
        "{factor: level}: this level and the baseline do.",
    )
    within: float = Field(
        default=0.2,
        gt=0,
        description="For `alike`: the margin, in percentage points of the value.",
    )
    says: str = Field(default="", description="The sentence shown in the report.")

    @model_serializer(mode="wrap")
    def _as_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the kinds that it is not."""
        return {k: v for k, v in handler(self).items() if k in self.model_fields_set}


def read_claim(keys: ClaimKeys, levels: Levels) -> tuple[ClaimKeys, list[Finding]]:
    """Check one claim against a study's factors and levels.

    Args:
        keys: The claim as written.
        levels: Factor -> what names its levels -> their labels (`factors.level_names`).

    Returns:
        The claim with labels for levels, `says`, and `within` for `alike`; and the findings,
        relative to the claim.
    """
    kinds = [kind for kind in KINDS if kind in keys.model_fields_set]
    if len(kinds) != 1:
        got = " and ".join(kinds) or "none"
        return keys, [((), f"needs exactly one of {', '.join(KINDS)}, but got {got}.")]
    kind, found = kinds[0], list[Finding]()
    if "within" in keys.model_fields_set and kind != "alike":
        found.append((("within",), f"goes with alike, not with {kind}."))
    read = _read(kind, getattr(keys, kind), levels, found)
    settled = {kind: read, "says": keys.says or _sentence(kind, read)}
    settled |= {"within": keys.within} if kind == "alike" else {}
    return keys.model_copy(update=settled), found


def _read(kind: str, value: Any, levels: Levels, found: list[Finding]) -> Any:
    if kind == "better":
        if len(value) != 2:
            found.append(((kind,), f"needs two levels, but got {len(value)}."))
        return [_one(item, (kind, index), levels, found) for index, item in enumerate(value)]
    if kind == "alike":
        single = _single(value, (kind,), found)
        return {factor: _several(factor, items, levels, found) for factor, items in single.items()}
    return _one(value, (kind,), levels, found)


def _single(value: dict[str, Any], path: Path, found: list[Finding]) -> dict[str, Any]:
    if len(value) == 1:
        return value
    found.append((path, f"names one factor, but got {len(value)}."))
    return {}


def _one(value: dict[str, Any], path: Path, levels: Levels, found: list[Finding]) -> dict[str, str]:
    single = _single(value, path, found)
    return {
        factor: _label(factor, level, (*path, factor), levels, found)
        for factor, level in single.items()
    }


def _several(factor: str, value: Any, levels: Levels, found: list[Finding]) -> list[str]:
    """Read the levels that are alike: one and the baseline's, or a list of them."""
    path: Path = ("alike", factor)
    if not isinstance(value, list) or label_of(value) in levels.get(factor, ()):
        label = _label(factor, value, path, levels, found)
        return [levels[factor]["baseline"], label] if label else []
    if len(value) < 2:
        found.append((path, f"needs at least two levels, but got {len(value)}."))
    return [_label(factor, level, (*path, i), levels, found) for i, level in enumerate(value)]


def _label(factor: str, level: Any, path: Path, levels: Levels, found: list[Finding]) -> str:
    if factor not in levels:
        found.append((path, f"'{factor}' is no factor of this study.{near_miss(factor, levels)}"))
        return ""
    label = levels[factor].get(label_of(level), "")
    if not label:
        known = ", ".join(dict.fromkeys(levels[factor].values()))
        hint = near_miss(level, levels[factor]) if isinstance(level, str) else ""
        found.append((path, f"{shown(level)} is no level of {factor}. Its levels: {known}.{hint}"))
    return label


def _sentence(kind: str, value: Any) -> str:
    def name(one: Mapping[str, Any]) -> str:
        return ", ".join(f"{factor} {level}" for factor, level in one.items())

    if kind == "better":
        return " is better than ".join(name(one) for one in value)
    if kind == "alike":
        return "; ".join(f"{f} {' and '.join(items)} are alike" for f, items in value.items())
    return f"{name(value)} is {kind}"
