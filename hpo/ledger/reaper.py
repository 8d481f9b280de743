"""Takes points back from workers that are gone, each in one transaction with its trial's end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState
from sqlalchemy import ColumnElement, RowMapping, Update, select, update

from hpo.databases.atomic_storage import patient
from hpo.databases.tables import POINTS, TRIALS, DatabaseClock
from hpo.ledger.fences import LeaseLost, end_book, execute_fenced
from hpo.ledger.ledger import NOBODY, Ledger
from hpo.ledger.points import DONE, FAILED, FREE, LEASED, LOST, RELEASED, Reaped

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
    reaped = []
    for row in _leased(ledger, condition):
        lost = row["lost"] + int(is_loss)
        taking = _Taking(
            ledger,
            row,
            condition,
            state=FAILED if lost > retries else FREE,
            lost=lost,
            fate=LOST if is_loss else RELEASED,
            reason=reason,
        )
        taken = taking.take_back()
        if taken is not None:
            reaped.append(taken)
    return reaped


def _leased(ledger: Ledger, condition: ColumnElement[bool]) -> list[RowMapping]:
    """Points at work, each with the number of its trial as `trial`."""
    trial = (
        (TRIALS.c.plan_id == POINTS.c.plan_id)
        & (TRIALS.c.point == POINTS.c.number)
        & (TRIALS.c.attempt == POINTS.c.attempt)
    )
    query = (
        select(POINTS, TRIALS.c.number.label("trial"))
        .join_from(POINTS, TRIALS, trial, isouter=True)
        .where(ledger.is_ours, POINTS.c.state == LEASED, condition)
    )
    with ledger.storage.engine.connect() as connection:
        return list(connection.execute(query).mappings())


@dataclass(frozen=True)
class _Taking:
    """Taking one point back from a worker that is gone."""

    ledger: Ledger
    row: RowMapping
    condition: ColumnElement[bool]
    state: str
    lost: int
    fate: str
    reason: str

    def take_back(self) -> Reaped | None:
        """Take it; None when its worker, or another reaper, was faster."""
        row, ledger, state = self.row, self.ledger, self.state
        lose = self._change(
            state=state, lost=self.lost, reason=self.reason if state == FAILED else None
        )
        try:
            if row["trial"] is None:
                self._write(lose)
            elif not self._fail_trial(lose):
                # Another tool ended the trial; its result stands, if it is one.
                ended = ledger.storage.optuna.get_trial(self._trial_id()).state
                if ended in (TrialState.COMPLETE, TrialState.PRUNED):
                    state = DONE
                    self._write(self._change(state=DONE), self._book(DONE))
                else:
                    self._write(lose, self._book(self.fate))
        except LeaseLost:
            return None
        fate = DONE if state == DONE else self.fate
        return Reaped(row["number"], row["trial"], state, fate, self.reason)

    def _fail_trial(self, lose: Update) -> bool:
        """End the trial with its point's change; False when it has ended already."""
        try:
            self.ledger.fail_trial(self._trial_id(), self.reason, lose, self._book(self.fate))
        except UpdateFinishedTrialError:
            return False
        return True

    def _trial_id(self) -> int:
        storage = self.ledger.storage.optuna
        return storage.get_trial_id_from_study_id_trial_number(
            self.ledger.study_id, self.row["trial"]
        )

    def _change(self, **values: Any) -> Update:
        row = self.row
        return (
            update(POINTS)
            .where(
                self.ledger.is_ours,
                POINTS.c.number == row["number"],
                POINTS.c.state == LEASED,
                POINTS.c.attempt == row["attempt"],
                self.condition,
            )
            .values(trial_number=row["trial"], **values, **NOBODY)
        )

    def _book(self, fate: str) -> Update:
        return end_book(self.ledger.plan_id, self.row["number"], self.row["attempt"], fate)

    def _write(self, *statements: Update) -> None:
        with self.ledger.storage.write() as connection:
            for statement in statements:
                execute_fenced(connection, statement)
