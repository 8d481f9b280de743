"""A trial's objective is run; out comes what it ended with, whatever it returned or raised."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from optuna import TrialPruned
from optuna.trial import TrialState

from hpo.ledger.fences import LeaseLost
from hpo.ledger.points import Outcome
from hpo.plain import describe, plain_text
from hpo.workers import memory
from hpo.workers.logs import log_traceback
from hpo.workers.renewal import StopTrial
from hpo.workers.trial import LeasedTrial

_N_SHOWN = 200  # characters of a value that is no result


def evaluate(function: Callable[..., Any], trial: LeasedTrial, n_directions: int) -> Outcome:
    """Run an objective, judge what it did, and add what it took.

    Args:
        function: The objective.
        trial: Its argument.
        n_directions: How many values it must return.

    Raises:
        LeaseLost: The point was given to somebody else.
        StopTrial: The study is being stopped.
    """
    memory.mark()
    started, process = time.monotonic(), os.getpid()
    try:
        outcome = _call(function, trial, n_directions)
    finally:
        if os.getpid() != process:  # forked by the objective: only one of them may tell
            os._exit(1)
    measured = {
        "run_time_s": round(time.monotonic() - started, 4),
        "peak_memory_mib": round(memory.peak_mib(), 1),
    }
    return replace(outcome, attributes=measured, curves=trial.curves)


def _call(function: Callable[..., Any], trial: LeasedTrial, n_directions: int) -> Outcome:
    try:
        returned = function(trial)
        unasked = trial.unasked()
        if unasked:
            names = ", ".join(sorted(unasked))
            return Outcome(TrialState.FAIL, reason=f"the objective never asked for {names}")
        return judge(returned, n_directions)
    except TrialPruned:
        reason = trial.user_attrs.get("reason")
        said = None if reason is None else plain_text(reason)
        return Outcome(TrialState.PRUNED, trial.last_values(), reason=said)
    except (LeaseLost, StopTrial):
        raise
    except BaseException as error:
        log_traceback()
        return failure(error)


def failure(error: BaseException) -> Outcome:
    """The outcome of an objective that raised; memory that ran out is given back and named."""
    said = describe(error)
    if memory.is_exhausted(error):
        memory.release_memory()
        said = f"out of memory: {said}"
    return Outcome(TrialState.FAIL, reason=said)


def judge(returned: Any, n_directions: int) -> Outcome:
    """The outcome that an objective's return value stands for.

    What the value's own methods raise passes through: it counts as raised by the objective.
    """
    values: Sequence[Any] = returned if isinstance(returned, list | tuple) else [returned]
    if len(values) != n_directions:
        return _refused(f"{n_directions} value(s)", returned)
    try:
        numbers = [float(value) for value in values if not isinstance(value, str)]
    except (TypeError, ValueError):
        numbers = []
    except OverflowError:
        return _refused("a number that a float can hold", returned)
    if len(numbers) < len(values):
        return _refused("a number", returned)
    if any(math.isnan(number) for number in numbers):
        return _refused("a number that is not NaN", returned)
    return Outcome(TrialState.COMPLETE, values=numbers)


def _refused(rule: str, returned: Any) -> Outcome:
    shown = plain_text(returned, repr, _N_SHOWN)
    reason = f"the objective must return {rule}, but returned {shown}"
    return Outcome(TrialState.FAIL, reason=reason)
