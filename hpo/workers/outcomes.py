"""What a trial ended with, judged by what its objective returned or raised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from optuna.trial import TrialState

from hpo.ledger.points import Outcome
from hpo.workers import memory


def failure(error: BaseException) -> Outcome:
    """The outcome of an objective that raised; memory that ran out is given back and named."""
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    if memory.is_exhausted(error):
        memory.release_memory()
        said = f"out of memory: {said}"
    return Outcome(TrialState.FAIL, reason=said)


def judge(returned: Any, n_directions: int) -> Outcome:
    """The outcome that an objective's return value stands for."""
    values: Sequence[Any] = returned if isinstance(returned, list | tuple) else [returned]
    if len(values) != n_directions:
        return _refused(f"{n_directions} value(s)", returned)
    try:
        numbers = [float(value) for value in values if not isinstance(value, str)]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) < len(values):
        return _refused("a number", returned)
    if any(math.isnan(number) for number in numbers):
        return _refused("a number that is not NaN", returned)
    return Outcome(TrialState.COMPLETE, values=numbers)


def _refused(rule: str, returned: Any) -> Outcome:
    return Outcome(
        TrialState.FAIL, reason=f"the objective must return {rule}, but returned {returned!r:.200}"
    )
