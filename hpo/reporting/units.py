"""How numbers are written: a metric's unit, digits that carry information, durations."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hpo.durations import format_duration
from hpo.reporting.records import StudyRecord

MISSING = "–"
MINUS = "−"
NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Unit:
    """How values of a metric are shown.

    Attributes:
        factor: Shown number per stored number: 100 for fractions shown in per cent.
        suffix: Follows a value, e.g. `` %``.
        difference: Follows a difference of two values, e.g. `` points``.
        digits: Digits after the decimal point; None writes four significant digits.
    """

    factor: float = 1.0
    suffix: str = ""
    difference: str = ""
    digits: int | None = None

    def value(self, value: float | None) -> str:
        """A value with its unit."""
        return self._written(value, self.suffix)

    def change(self, value: float | None) -> str:
        """A signed difference of two values, without its unit."""
        text = self._written(value, "")
        is_positive = value is not None and value > 0 and any(c in "123456789" for c in text)
        return f"+{text}" if is_positive else text

    def interval(self, low: float | None, high: float | None) -> str:
        """An interval of differences, without its unit."""
        if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
            return MISSING
        return f"{self.change(low)} to {self.change(high)}"

    def _written(self, value: float | None, suffix: str) -> str:
        if value is None or not math.isfinite(value):
            return MISSING
        shown = value * self.factor
        text = significant(shown) if self.digits is None else f"{shown:.{self.digits}f}"
        return _with_minus(text) + suffix


PERCENT = Unit(factor=100.0, suffix=f"{NO_BREAK}%", difference="points", digits=2)
PLAIN = Unit()


def unit_of(record: StudyRecord, objective: int = 0) -> Unit:
    """Per cent for accuracies that are fractions of 1, plain numbers otherwise."""
    values = [trial.values[objective] for trial in record.trials if trial.is_complete]
    is_fraction = all(0 <= value <= 1 for value in values)
    is_accuracy = record.metrics[objective].lower().endswith("accuracy")
    return PERCENT if is_accuracy and is_fraction else PLAIN


def metric_label(record: StudyRecord, objective: int = 0) -> str:
    """The metric's name as words."""
    return record.metrics[objective].replace("_", " ")


def significant(value: float, digits: int = 4) -> str:
    """A number with so many significant digits, without trailing zeros."""
    return _with_minus(f"{value:.{digits}g}")


def duration(seconds: float | None) -> str:
    """A duration, or a dash where it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    return format_duration(seconds)


def probability(p: float | None) -> str:
    """A p-value with the digits that matter."""
    if p is None or not math.isfinite(p):
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def plural(n: int, noun: str) -> str:
    """A count with its noun: ``1 trial``, ``2 trials``, ``3 studies``."""
    several = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{n:,} {noun if n == 1 else several}"


def _with_minus(text: str) -> str:
    zero = not any(character in "123456789" for character in text.split("e")[0])
    return text.lstrip("-") if zero else text.replace("-", MINUS)
