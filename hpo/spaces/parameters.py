"""The two kinds of parameters: named choices and ranges of numbers.

A parameter knows its values, how to draw one, how a grid steps through it and what Optuna calls
it. Lists stand in trials under their label (`128-64-64`), because Optuna stores only scalars.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from hpo.near_miss import near_miss

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import BaseTrial

Scalar = None | bool | int | float | str


def label_of(value: Any) -> str:
    """Write a value in the shortest text that tells it apart: ``10``, ``1e-05``, ``128-64-64``."""
    if isinstance(value, list | tuple):
        return "-".join(label_of(item) for item in value) or "[]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def is_number(value: Any) -> bool:
    """Tell whether a value is a whole or decimal number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(one: Any, other: Any) -> bool:
    """Compare as a reader of YAML would: 1 is 1.0, but true is not 1 and '1' is not 1."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


@dataclass(frozen=True)
class Condition:
    """A parameter exists only while `parent` has one of these values (as Optuna holds them)."""

    parent: str
    values: tuple[Scalar, ...]

    def holds(self, params: Mapping[str, Any]) -> bool:
        """Tell whether the parent is there with one of the values."""
        return self.parent in params and any(same(params[self.parent], v) for v in self.values)


@dataclass(frozen=True)
class Choices:
    """One of several values without an order.

    Attributes:
        name: The parameter's name in trials.
        values: As the user wrote them; lists are tuples here.
        when: Conditions that must all hold for the parameter to exist.
    """

    name: str
    values: tuple[Any, ...]
    when: tuple[Condition, ...] = ()

    @property
    def held(self) -> tuple[Scalar, ...]:
        """The values as Optuna holds them: lists by their label."""
        return tuple(label_of(v) if isinstance(v, tuple) else v for v in self.values)

    @property
    def n_levels(self) -> int:
        """How many values a grid takes."""
        return len(self.values)

    def levels(self) -> Iterator[Scalar]:
        """Yield the values a grid takes, as Optuna holds them."""
        return iter(self.held)

    def ends(self) -> tuple[Scalar, ...]:
        """Give every value: none is between two others."""
        return self.held

    def draw(self, random: Random) -> Scalar:
        """Draw one value, all equally likely."""
        return self.held[int(random.random() * len(self.values))]

    def hold(self, value: Any) -> Scalar:
        """Turn a user's value, or its label, into what Optuna holds.

        Raises:
            ValueError: If it is none of the choices.
        """
        for written, held in zip(self.values, self.held, strict=True):
            if same(value, written) or same(value, held):
                return held
        known = [label_of(written) for written in self.values]
        hint = near_miss(value, known) if isinstance(value, str) else ""
        raise ValueError(f"must be one of {', '.join(known)}, but got {label_of(value)}.{hint}")

    def value(self, held: Any) -> Any:
        """Turn what Optuna holds into the user's value; unknown text stays as it is."""
        for written, label in zip(self.values, self.held, strict=True):
            if same(held, label):
                return list(written) if isinstance(written, tuple) else written
        return held

    def distribution(self) -> BaseDistribution:
        """Make the Optuna distribution."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.held)

    def suggest(self, trial: BaseTrial) -> Any:
        """Ask a trial for a value."""
        return trial.suggest_categorical(self.name, self.held)


@dataclass(frozen=True)
class Range:
    """A range of numbers, both ends in; whole numbers when both ends (and the step) are whole.

    Attributes:
        name: The parameter's name in trials.
        low: The smallest value.
        high: The largest value.
        log: Whether to draw evenly in the logarithm.
        step: The distance between values; None for every number between the ends.
        explicit: The values a grid takes instead of steps.
        when: Conditions that must all hold for the parameter to exist.
    """

    name: str
    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None
    explicit: tuple[int | float, ...] = ()
    when: tuple[Condition, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether its values are whole numbers."""
        return isinstance(self.low, int)

    @property
    def n_steps(self) -> int:
        """How many values the step gives; 0 without a step."""
        if self.step is None:
            return 0
        return (
            int((Decimal(repr(self.high)) - Decimal(repr(self.low))) / Decimal(repr(self.step))) + 1
        )

    @property
    def n_levels(self) -> int:
        """How many values a grid takes; 0 when it cannot step through the range."""
        return len(self.explicit) or self.n_steps

    def levels(self) -> Iterator[int | float]:
        """Yield the values a grid takes."""
        return iter(self.explicit) if self.explicit else map(self._step, range(self.n_steps))

    def ends(self) -> tuple[int | float, ...]:
        """Give the smallest and the largest value."""
        return (self.low, self.high)

    def draw(self, random: Random) -> int | float:
        """Draw one value, evenly in the range or in its logarithm."""
        if self.step is not None:
            return self._step(int(random.random() * self.n_steps))
        if not self.is_whole:
            return self._between(self.low, self.high, random)
        if not self.log:
            return int(self.low) + int(random.random() * (int(self.high) - int(self.low) + 1))
        # half a number beyond each end, or the ends would be drawn half as often
        return self._inside(round(self._between(self.low - 0.5, self.high + 0.5, random)))

    def hold(self, value: Any) -> int | float:
        """Check a user's value; whole numbers become decimals in a decimal range.

        Raises:
            ValueError: If it is no number, or not in the range.
        """
        if not is_number(value) or (self.is_whole and value % 1 != 0):
            kind = "whole number" if self.is_whole else "number"
            raise ValueError(f"must be a {kind}, but got {label_of(value)}.")
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        if not self.low <= value <= self.high or abs(steps - round(steps)) > 1e-8:
            step = f" in steps of {self.step}" if self.step is not None else ""
            raise ValueError(f"must lie in {self.low}..{self.high}{step}, but got {value}.")
        return int(value) if self.is_whole else float(value)

    def value(self, held: Any) -> Any:
        """Return what Optuna holds: a number is what the user wrote."""
        return held

    def distribution(self) -> BaseDistribution:
        """Make the Optuna distribution."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.is_whole:
            return IntDistribution(int(self.low), int(self.high), self.log, int(self.step or 1))
        return FloatDistribution(self.low, self.high, self.log, self.step)

    def suggest(self, trial: BaseTrial) -> Any:
        """Ask a trial for a value."""
        if self.is_whole:
            low, high, step = int(self.low), int(self.high), int(self.step or 1)
            return trial.suggest_int(self.name, low, high, step=step, log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.log)

    def _step(self, index: int) -> int | float:
        if self.is_whole:
            return int(self.low) + index * int(self.step or 1)
        # decimal arithmetic: 0.1 * 3 must be 0.3, or two grids would differ in the last digit
        return float(Decimal(repr(self.low)) + index * Decimal(repr(self.step)))

    def _between(self, low: float, high: float, random: Random) -> float:
        part = random.random()
        if self.log:
            value = math.exp(math.log(low) + part * (math.log(high) - math.log(low)))
        else:
            value = low + part * (high - low)
        return min(max(value, low), high)

    def _inside(self, value: int) -> int:
        return min(max(value, int(self.low)), int(self.high))


Parameter = Choices | Range
