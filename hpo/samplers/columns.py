"""One parameter of a TPE history: its values by trial number, and its part of the density above.

The density above is the mixture of all kernels that are not among the best: one product kernel a
trial and one for the prior. Each parameter adds its share to the logarithm of each kernel at each
candidate, as terms that one matrix product sums over all parameters. Kernels, weights and clipping
are those of Optuna's `_ParzenEstimator` with its default arguments.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from scipy.special import log_ndtr, ndtr

Array = NDArray[np.float64]
Numbers = NDArray[np.intp]

PRIOR_WEIGHT = 1.0
MAX_TABLE_SIZE = 2048  # steps of a parameter whose masses are kept in a square table
_LOG_NORMALISER = math.log(math.sqrt(2.0 * math.pi))


class Terms(NamedTuple):
    """A parameter's share of the logarithm of every kernel at every candidate.

    The share is ``candidates @ kernels + constant``, plus ``table`` where there is one.

    Attributes:
        candidates: Shape (candidates, features).
        kernels: Shape (features, kernels); the last kernel is the prior's.
        constant: Shape (kernels,).
        table: Shape (candidates, kernels), or None.
    """

    candidates: Array
    kernels: Array
    constant: Array
    table: Array | None = None


class Column:
    """The values that finished trials tried of one parameter, by trial number.

    Args:
        distribution: The declared distribution.
    """

    def __init__(self, distribution: BaseDistribution) -> None:
        self.distribution = distribution
        self.values: Array = np.empty(0)  # Optuna's internal representation

    def grow(self, capacity: int) -> None:
        """Make room for trials with numbers below `capacity`."""
        self.values = _lengthened(self.values, capacity)

    def put(self, number: int, value: Any) -> None:
        """Keep what a trial tried, given as its user sees it."""
        self.values[number] = self.distribution.to_internal_repr(value)

    def terms(self, numbers: Numbers, samples: Array) -> Terms:
        """This parameter's share of the density.

        Args:
            numbers: The trials above, ascending, of shape (kernels - 1,).
            samples: Candidates in Optuna's internal representation, of shape (candidates,).
        """
        raise NotImplementedError


class CategoricalColumn(Column):
    """A parameter with named choices."""

    def __init__(self, distribution: CategoricalDistribution) -> None:
        super().__init__(distribution)
        self._n_choices = len(distribution.choices)

    def terms(self, numbers: Numbers, samples: Array) -> Terms:
        """A kernel is its own choice, smoothed by the prior over all of them."""
        n_choices, n_kernels = self._n_choices, len(numbers) + 1
        smoothing = PRIOR_WEIGHT / n_kernels
        total = smoothing * n_choices + 1.0
        miss, hit = math.log(smoothing / total), math.log((smoothing + 1.0) / total)
        kernels = np.zeros((n_choices, n_kernels))
        kernels[self.values[numbers].astype(np.intp), np.arange(len(numbers))] = hit - miss
        constant = np.full(n_kernels, miss)
        constant[-1] = -math.log(n_choices)
        candidates = np.zeros((len(samples), n_choices))
        candidates[np.arange(len(samples)), samples.astype(np.intp)] = 1.0
        return Terms(candidates, kernels, constant)


class NumericalColumn(Column):
    """A parameter with numbers: truncated normal kernels, on a logarithmic scale where asked."""

    def __init__(self, distribution: Any) -> None:
        super().__init__(distribution)
        self.step: float = distribution.step or 0.0
        self.is_log: bool = distribution.log
        low, high = distribution.low - self.step / 2, distribution.high + self.step / 2
        self._low: float = math.log(low) if self.is_log else low
        self._high: float = math.log(high) if self.is_log else high
        self._middle, self._width = 0.5 * (self._low + self._high), self._high - self._low
        self._mus: Array = np.empty(0)
        # The normaliser of a kernel is dear and changes only with its sigma.
        self._sigmas: Array = np.empty(0)
        self._log_masses: Array = np.empty(0)
        self._prior_log_mass = self._log_mass(np.array([self._middle]), np.array([self._width]))

    def grow(self, capacity: int) -> None:
        """Make room for trials with numbers below `capacity`."""
        super().grow(capacity)
        self._mus = _lengthened(self._mus, capacity)
        self._sigmas = _lengthened(self._sigmas, capacity)
        self._log_masses = _lengthened(self._log_masses, capacity)

    def put(self, number: int, value: Any) -> None:
        """Keep what a trial tried."""
        super().put(number, value)
        self._mus[number] = self.scaled(self.values[number : number + 1])[0]
        self._sigmas[number] = np.nan

    def scaled(self, values: Array) -> Array:
        """Values on the scale of the kernels."""
        return np.log(values) if self.is_log else values

    def kernels(self, numbers: Numbers) -> tuple[Array, Array, Array]:
        """Mus, sigmas and the logarithms of the masses within the range, the prior's last."""
        mus = self._mus[numbers]
        sigmas = self._widths(mus)
        changed = np.flatnonzero(self._sigmas[numbers] != sigmas)
        if len(changed):
            where = numbers[changed]
            self._sigmas[where] = sigmas[changed]
            self._log_masses[where] = self._log_mass(mus[changed], sigmas[changed])
        return (
            np.append(mus, self._middle),
            np.append(sigmas, self._width),
            np.append(self._log_masses[numbers], self._prior_log_mass),
        )

    def _log_mass(self, mus: Array, sigmas: Array) -> Array:
        return log_normal_mass((self._low - mus) / sigmas, (self._high - mus) / sigmas)

    def _widths(self, mus: Array) -> Array:
        """A kernel reaches to the farther of its neighbours, within limits."""
        # The default sort, as Optuna's: which of equal values comes first decides its width.
        order = np.argsort(mus)
        edges = np.concatenate(([self._low], mus[order], [self._high]))
        gaps = np.diff(edges)
        sorted_widths = np.maximum(gaps[:-1], gaps[1:])
        if len(mus) >= 2:
            sorted_widths[0], sorted_widths[-1] = gaps[1], gaps[-2]
        widths = np.empty(len(mus))
        widths[order] = sorted_widths
        n_kernels = len(mus) + 1
        return np.clip(widths, self._width / min(100.0, 1.0 + n_kernels), self._width)


class ContinuousColumn(NumericalColumn):
    """A parameter with any number of a range."""

    def terms(self, numbers: Numbers, samples: Array) -> Terms:
        """The square of the normal density's exponent, multiplied out around the middle."""
        mus, sigmas, log_masses = self.kernels(numbers)
        distance, centre = self.scaled(samples) - self._middle, mus - self._middle
        precision = 1.0 / (sigmas * sigmas)
        linear = centre * precision
        constant = -0.5 * centre * linear - np.log(sigmas) - log_masses - _LOG_NORMALISER
        candidates = np.stack([distance * distance, distance], axis=1)
        return Terms(candidates, np.stack([-0.5 * precision, linear]), constant)


class SteppedColumn(NumericalColumn):
    """A parameter with steps: a kernel's share is its mass within a step."""

    def __init__(self, distribution: Any) -> None:
        super().__init__(distribution)
        self._first = float(distribution.low)
        self._n_steps = round((distribution.high - distribution.low) / self.step) + 1
        # What a kernel of the narrowest width at one step (column) has within another (row); a row
        # is computed when it is first asked for.
        self._table: Array = np.empty((0, 0))

    def terms(self, numbers: Numbers, samples: Array) -> Terms:
        """Masses of the few pairs of a step and a kernel that differ, spread over all."""
        mus, sigmas, log_masses = self.kernels(numbers)
        steps, of_sample = np.unique(samples, return_inverse=True)
        table = np.empty((len(steps), len(mus)))
        is_narrowest = sigmas == self._width / 100.0
        is_narrowest[-1] = False  # the prior's kernel lies on no step
        if self._n_steps > MAX_TABLE_SIZE:
            is_narrowest[:] = False
        elif is_narrowest.any():
            places = self._place(self.values[numbers[is_narrowest[:-1]]])
            table[:, is_narrowest] = self._rows(steps)[:, places]
        others = np.flatnonzero(~is_narrowest)
        pairs, of_kernel = np.unique(mus[others] + 1j * sigmas[others], return_inverse=True)
        table[:, others] = self._masses(steps, pairs.real, pairs.imag)[:, of_kernel]
        empty = np.empty((len(samples), 0)), np.empty((0, len(mus)))
        return Terms(*empty, -log_masses, table[of_sample])

    def _place(self, values: Array) -> Numbers:
        return np.rint((values - self._first) / self.step).astype(np.intp)

    def _rows(self, steps: Array) -> Array:
        """The masses of all narrowest kernels within some steps, of shape (steps, all steps)."""
        if not self._table.size:
            self._table = np.full((self._n_steps, self._n_steps), np.nan)
        places = self._place(steps)
        new = np.isnan(self._table[places, 0])
        if new.any():
            mus = self.scaled(self._first + np.arange(self._n_steps) * self.step)
            widths = np.full(self._n_steps, self._width / 100.0)
            self._table[places[new]] = self._masses(steps[new], mus, widths)
        return self._table[places]

    def _masses(self, steps: Array, mus: Array, sigmas: Array) -> Array:
        """The log mass of each kernel within each step, of shape (steps, kernels)."""
        left, right = self.scaled(steps - self.step / 2), self.scaled(steps + self.step / 2)
        return log_normal_mass((left[:, None] - mus) / sigmas, (right[:, None] - mus) / sigmas)


def log_normal_mass(low: Array, high: Array) -> Array:
    """The logarithm of the standard normal distribution's mass between two bounds.

    Optuna's own function takes each number of a tail through Python.
    """
    # By symmetry in the left tail, where the logarithms of both masses are exact.
    is_right = low > 0
    low, high = np.where(is_right, -high, low), np.where(is_right, -low, high)
    with np.errstate(divide="ignore"):
        in_tail = log_ndtr(high) + np.log1p(-np.exp(log_ndtr(low) - log_ndtr(high)))
        central = np.log1p(-ndtr(low) - ndtr(-high))
    found: Array = np.where(high <= 0, in_tail, central)
    return found


def make_column(distribution: BaseDistribution) -> Column:
    """The column of a declared distribution."""
    if isinstance(distribution, CategoricalDistribution):
        return CategoricalColumn(distribution)
    step = getattr(distribution, "step", None)
    return ContinuousColumn(distribution) if step is None else SteppedColumn(distribution)


def _lengthened(values: Array, capacity: int) -> Array:
    grown = np.full(capacity, np.nan)
    grown[: len(values)] = values
    return grown
