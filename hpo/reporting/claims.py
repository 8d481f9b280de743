"""Claims about a controlled study: claims as data and a design go in, the answers come out.

Each claim holds, does not hold, or cannot be told. It takes an interval that lies wholly on one
side to decide; anything less cannot be told. docs/reports.md says what each kind of claim needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hpo.reporting.design import Design, Factor, Level
from hpo.reporting.summary import (
    CONFIDENCE,
    Difference,
    final_values,
    holm,
    paired_difference,
    run_time_ratio,
)
from hpo.reporting.units import NO_BREAK, Unit, plural
from hpo.spaces.parameters import label_of

Answer = Literal["holds", "does not hold", "cannot be told"]
Side = tuple[str, Level]


@dataclass(frozen=True)
class Comparison:
    """Two levels by their names; ``difference`` is a ratio where ``is_time``."""

    first: str
    second: str
    difference: Difference
    is_time: bool = False

    def text(self, unit: Unit) -> str:
        """The comparison as a sentence, with the figures that decide."""
        change = self.difference
        names = f"{self.first} against {self.second}"
        if change.n == 0:
            return f"{names}: {change.note or 'no pair'}"
        shown = self._figures(unit, change)
        note = f", {change.note}" if change.note and change.n > 1 else ""
        return f"{names}: {shown}{note}, {plural(change.n, 'pair')}"

    def _figures(self, unit: Unit, change: Difference) -> str:
        if self.is_time:
            interval = f"{change.low:.2f} to {change.high:.2f}"
            shown = f"{change.mean:.2f} times the run time"
        else:
            interval = unit.interval(change.low, change.high)
            shown = f"{unit.change(change.mean)} {unit.difference}".strip()
        return (
            f"{shown} (95{NO_BREAK}% interval {interval})"
            if change.is_known
            else f"{shown} (no interval)"
        )


@dataclass(frozen=True)
class ClaimResult:
    """One claim judged.

    Attributes:
        says: The sentence of the study file, or the rule in words where it has none.
        rule: What was tested, in words.
        because: Why it could not be told; empty where the comparisons speak.
    """

    says: str
    rule: str
    answer: Answer
    because: str
    comparisons: tuple[Comparison, ...] = ()


class _Unusable(Exception):
    """A claim that names what the study does not have."""


def judge_claims(
    claims: Sequence[Mapping[str, Any]], design: Design, unit: Unit, *, is_maximized: bool
) -> tuple[ClaimResult, ...]:
    """Judge every claim; one that cannot be understood comes out as "cannot be told".

    Args:
        claims: As in the study file, e.g. ``{"worst": {"loss": "mse"}, "says": "..."}``.
        design: The study's layout with its trials.
        unit: The metric's unit; ``within`` is given in what it calls a difference (points).
        is_maximized: Whether a larger value is better.
    """
    return tuple(_judge(claim, design, unit, is_maximized) for claim in claims)


def _judge(claim: Mapping[str, Any], design: Design, unit: Unit, is_maximized: bool) -> ClaimResult:
    kind = next((key for key in claim if key in _JUDGES), "")
    says = str(claim.get("says") or "")
    if not kind:
        rule = ", ".join(map(str, claim)) or "empty"
        known = ", ".join(_JUDGES)
        return ClaimResult(says or rule, rule, "cannot be told", f"A claim is one of {known}.")
    try:
        result = _JUDGES[kind](claim, design, unit, is_maximized)
    except _Unusable as error:
        rule = f"{kind}: {label_of(claim[kind])}"
        return ClaimResult(says or rule, rule, "cannot be told", str(error))
    rule, answer, comparisons = result
    return ClaimResult(says or rule, rule, answer, _because(answer, comparisons), comparisons)


Judged = tuple[str, Answer, tuple[Comparison, ...]]


def _judge_worst(claim: Mapping[str, Any], design: Design, _: Unit, is_maximized: bool) -> Judged:
    return _judge_extreme("worst", claim, design, -1 if is_maximized else 1)


def _judge_best(claim: Mapping[str, Any], design: Design, _: Unit, is_maximized: bool) -> Judged:
    return _judge_extreme("best", claim, design, 1 if is_maximized else -1)


def _judge_extreme(kind: str, claim: Mapping[str, Any], design: Design, sign: int) -> Judged:
    named, others = _against_others(claim[kind], design)
    comparisons = tuple(_compare(named, other) for other in others)
    signs = [sign * _side(comparison.difference, 0.0) for comparison in comparisons]
    return f"{named[0]} is {kind} of its factor", _all_on_one_side(comparisons, signs), comparisons


def _judge_slowest(claim: Mapping[str, Any], design: Design, _: Unit, _maximized: bool) -> Judged:
    named, others = _against_others(claim["slowest"], design)
    comparisons = tuple(
        Comparison(named[0], other[0], run_time_ratio(named[1], other[1]), is_time=True)
        for other in others
    )
    signs = [_side(comparison.difference, 1.0) for comparison in comparisons]
    answer = _all_on_one_side(comparisons, signs)
    return f"{named[0]} is slowest of its factor", answer, comparisons


def _judge_better(claim: Mapping[str, Any], design: Design, _: Unit, is_maximized: bool) -> Judged:
    pair = claim["better"]
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        raise _Unusable("`better` takes two levels, [A, B].")
    first, second = (_find_level(name, design) for name in pair)
    comparison = _compare(first, second)
    sign = _side(comparison.difference, 0.0) * (1 if is_maximized else -1)
    rule = f"{first[0]} is better than {second[0]}"
    return rule, _all_on_one_side((comparison,), [sign]), (comparison,)


def _judge_alike(claim: Mapping[str, Any], design: Design, unit: Unit, _maximized: bool) -> Judged:
    within = claim.get("within")
    if isinstance(within, bool) or not isinstance(within, (int, float)) or within <= 0:
        raise _Unusable(f"`alike` needs a margin above 0, `within`, but got {within!r}.")
    sides = _alike_sides(claim["alike"], design)
    pairs = [(one, two) for index, one in enumerate(sides) for two in sides[index + 1 :]]
    comparisons = tuple(_compare(one, two) for one, two in pairs)
    margin = within / unit.factor
    names = " and ".join(name for name, _ in sides)
    rule = f"{names} are alike within {within:g} {unit.difference}".rstrip()
    if all(c.difference.is_known and _inside(c.difference, margin) for c in comparisons):
        return rule, "holds", comparisons
    # Looking for one difference among several needs wider intervals (Bonferroni).
    confidence = 1 - (1 - CONFIDENCE) / len(pairs)
    if any(_outside(_difference(one, two, confidence), margin) for one, two in pairs):
        return rule, "does not hold", comparisons
    return rule, "cannot be told", comparisons


_JUDGES: dict[str, Callable[[Mapping[str, Any], Design, Unit, bool], Judged]] = {
    "worst": _judge_worst,
    "best": _judge_best,
    "better": _judge_better,
    "alike": _judge_alike,
    "slowest": _judge_slowest,
}


def _all_on_one_side(comparisons: Sequence[Comparison], signs: Sequence[int]) -> Answer:
    """Holds when every interval lies on the claimed side; one proven contrary refutes it.

    "Every" needs no correction (each test must pass by itself); "one of them" needs Holm's.
    """
    if all(sign > 0 for sign in signs):
        return "holds"
    adjusted = holm([comparison.difference.p for comparison in comparisons])
    refuted = (sign < 0 and p <= 1 - CONFIDENCE for sign, p in zip(signs, adjusted, strict=True))
    return "does not hold" if any(refuted) else "cannot be told"


def _side(difference: Difference, neutral: float) -> int:
    """1 or -1 when the whole interval lies above or below the neutral value, else 0."""
    if not difference.is_known:
        return 0
    return int(difference.low > neutral) - int(difference.high < neutral)


def _inside(difference: Difference, margin: float) -> bool:
    return -margin <= difference.low and difference.high <= margin


def _outside(difference: Difference, margin: float) -> bool:
    return difference.is_known and (difference.low > margin or difference.high < -margin)


def _compare(first: Side, second: Side) -> Comparison:
    return Comparison(first[0], second[0], _difference(first, second, CONFIDENCE))


def _difference(first: Side, second: Side, confidence: float) -> Difference:
    return paired_difference(final_values(first[1]), final_values(second[1]), confidence)


def _because(answer: Answer, comparisons: Sequence[Comparison]) -> str:
    if answer != "cannot be told":
        return ""
    differences = [comparison.difference for comparison in comparisons]
    if any(difference.n == 0 for difference in differences):
        return "Some of the runs that it compares are missing."
    if any(difference.n == 1 for difference in differences):
        return "One replicate does not tell the noise of the seeds."
    return "An interval does not lie wholly on one side."


def _against_others(reference: Any, design: Design) -> tuple[Side, list[Side]]:
    """A level, and all others of its factor, the baseline's own among them."""
    named = _find_level(reference, design)
    factor = _find_factor(reference, design)
    everyone = [(f"{factor.name}: {factor.baseline_label}", design.baseline)]
    everyone += [(f"{factor.name}: {level.label}", level) for level in factor.levels]
    return named, [side for side in everyone if side[1] is not named[1]]


def _alike_sides(reference: Any, design: Design) -> list[Side]:
    """The levels that a list names, the baseline's last; a single level and the baseline's."""
    factor = _find_factor(reference, design)
    value = reference[factor.name]
    if not isinstance(value, (list, tuple)):
        baseline = (f"{factor.name}: {factor.baseline_label}", design.baseline)
        return [_find_level(reference, design), baseline]
    if len(value) < 2:
        raise _Unusable("`alike` with a list takes two levels or more.")
    sides = [_find_level({factor.name: item}, design) for item in value]
    return sorted(sides, key=lambda side: side[1] is design.baseline)


def _find_factor(reference: Any, design: Design) -> Factor:
    if not isinstance(reference, Mapping) or len(reference) != 1:
        raise _Unusable(f"A level is named {{factor: level}}, but got {reference!r}.")
    name = str(next(iter(reference)))
    for factor in design.factors:
        if factor.name == name:
            return factor
    raise _Unusable(f"The study varies no factor {name!r}.")


def _find_level(reference: Any, design: Design) -> Side:
    factor = _find_factor(reference, design)
    value = reference[factor.name]
    found = _matching(factor, design, value)
    if found is None:
        raise _Unusable(f"The factor {factor.name!r} has no level {label_of(value)!r}.")
    return found


def _matching(factor: Factor, design: Design, value: Any) -> Side | None:
    if _means(value, factor.baseline_label, design.baseline.settings.get(factor.name)):
        return f"{factor.name}: {factor.baseline_label}", design.baseline
    for level in factor.levels:
        if _means(value, level.label, level.settings.get(factor.name)):
            return f"{factor.name}: {level.label}", level
    return None


def _means(value: Any, label: str, setting: Any) -> bool:
    """Whether a value in a claim is this level, by its label or by what it sets."""
    if isinstance(value, tuple):
        value = list(value)
    return label_of(value) == label or (setting is not None and value == setting)
