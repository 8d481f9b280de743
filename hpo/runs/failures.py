"""Failures of a run, and whether they are too many. Pure: trials' endings in, a verdict out."""

from __future__ import annotations

DEFAULT_MAX_FAILURES = 10  # failures before the first success


class Failures:
    """Counts the trials that failed.

    Args:
        limit: So many end the study; None ends it when none of the first ten trials succeeded.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._reasons: list[tuple[int, str]] = []  # by trial: events of workers come in any order
        self._n_succeeded = 0
        self._loss = ""

    def fail(self, trial: int | None, reason: str) -> None:
        """A point has failed for good, in its last trial if it came to one."""
        self._reasons.append((-1 if trial is None else trial, reason))

    def lose(self, reason: str) -> None:
        """A worker was lost."""
        self._loss = self._loss or reason

    def succeed(self) -> None:
        """A trial has ended with a result."""
        self._n_succeeded += 1

    @property
    def first(self) -> str:
        """The first failure: of the trial with the lowest number, else the first worker lost."""
        if not self._reasons:
            return self._loss
        trial, reason = min(self._reasons)
        return reason if trial < 0 else f"trial {trial}: {reason}"

    def are_too_many(self) -> bool:
        """Whether they end the study."""
        if self._limit is None:
            return not self._n_succeeded and len(self._reasons) >= DEFAULT_MAX_FAILURES
        return len(self._reasons) >= self._limit

    def __str__(self) -> str:
        n = len(self._reasons)
        return f"{n} trial{'s' if n != 1 else ''} failed; the first {self.first}"
