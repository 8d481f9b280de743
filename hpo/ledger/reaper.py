"""Takes points back from workers that are gone, each in one transaction with its trial's end."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import ColumnElement, RowMapping, Update, select, update

from hpo.databases.atomic_storage import patient
from hpo.databases.tables import POINTS, DatabaseClock
from hpo.ledger.fences import LeaseLost, execute_fenced
from hpo.ledger.ledger import NOBODY, Ledger
from hpo.ledger.points import DONE, FAILED, FREE, LEASED, Reaped

LEASE_RAN_OUT = "its worker was lost: the lease ran out"


def reap_expired(ledger: Ledger, retries: int, spare: Collection[str] = ()) -> list[Reaped]:
    """Take back every lease that has run out, except those of the workers named in `spare`."""
    expired = (POINTS.c.lease_until < DatabaseClock()) & POINTS.c.worker.not_in(list(spare))
    return _reap(ledger, expired, LEASE_RAN_OUT, retries)


def reap_worker(
    ledger: Ledger, worker: str, reason: str, retries: int, *, is_loss: bool = True
) -> list[Reaped]:
    """Take back the leases of a worker that is known to be dead.

    Args:
        ledger: The study's points.
        worker: The worker's name.
        reason: Why it died: the reason of its trial.
        retries: How often a point may lose its worker and still be free again.
        is_loss: Whether this counts as a loss; a worker that the user stopped does not.
    """
    return _reap(ledger, POINTS.c.worker == worker, reason, retries, is_loss=is_loss)


@patient
def _reap(
    ledger: Ledger,
    condition: ColumnElement[bool],
    reason: str,
    retries: int,
    *,
    is_loss: bool = True,
) -> list[Reaped]:
    rows = _leased(ledger, condition)
    trials = _trials_by_claim(ledger) if rows else {}
    reaped = []
    for row in rows:
        trial = trials.get((row["number"], row["attempt"]))
        lost = row["lost"] + int(is_loss)
        state = FAILED if lost > retries else FREE
        taken = _take_back(ledger, row, condition, trial, state, lost, reason)
        if taken is not None:
            reaped.append(taken)
    return reaped


def _leased(ledger: Ledger, condition: ColumnElement[bool]) -> list[RowMapping]:
    query = select(POINTS).where(ledger.is_ours, POINTS.c.state == LEASED, condition)
    with ledger.storage.engine.connect() as connection:
        return list(connection.execute(query).mappings())


def _trials_by_claim(ledger: Ledger) -> dict[tuple[int, int], FrozenTrial]:
    trials = ledger.storage.optuna.get_all_trials(ledger.study_id, deepcopy=False)
    return {
        (trial.user_attrs["point"], trial.user_attrs["attempt"]): trial
        for trial in trials
        if "point" in trial.user_attrs
    }


def _take_back(
    ledger: Ledger,
    row: RowMapping,
    condition: ColumnElement[bool],
    trial: FrozenTrial | None,
    state: str,
    lost: int,
    reason: str,
) -> Reaped | None:
    """One point; None when its worker, or another reaper, was faster."""
    number = None if trial is None else trial.number

    def change(**values: Any) -> Update:
        changed: Mapping[str, Any] = {"trial_number": number, **values}
        return (
            update(POINTS)
            .where(
                ledger.is_ours,
                POINTS.c.number == row["number"],
                POINTS.c.state == LEASED,
                POINTS.c.attempt == row["attempt"],
                condition,
            )
            .values(**changed, **NOBODY)
        )

    lose = change(state=state, lost=lost, reason=reason if state == FAILED else None)
    try:
        if trial is None:
            _write(ledger, lose)
            return Reaped(row["number"], number, state, reason)
        try:
            ledger.fail_trial(trial._trial_id, reason, lose)  # noqa: SLF001 (Optuna's own key)
        except UpdateFinishedTrialError:
            # Another tool ended the trial; its result stands, if it is one.
            ended = ledger.storage.optuna.get_trial(trial._trial_id).state  # noqa: SLF001
            if ended in (TrialState.COMPLETE, TrialState.PRUNED):
                state, lose = DONE, change(state=DONE)
            _write(ledger, lose)
    except LeaseLost:
        return None
    return Reaped(row["number"], number, state, reason)


def _write(ledger: Ledger, statement: Update) -> None:
    with ledger.storage.write() as connection:
        execute_fenced(connection, statement)
