"""Changes of a point that touch it only while nobody else has changed it.

They run in the transaction that creates or ends the point's trial, so that a crash leaves either
both or neither.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from optuna.storages._rdb import models  # the schema itself: a result and its point are one write
from optuna.trial import TrialState
from sqlalchemy import ColumnElement, Connection, RowMapping, Update, insert, select, update

from hpo.databases.tables import CURVES, PLAN_ID, POINTS, TRIALS, DatabaseClock
from hpo.ledger.points import DONE, FAILED, FREE, LEASED, Claim, Outcome, WorkerIdentity

LEASE_S = 60.0


class LeaseLost(BaseException):
    """The point was given to somebody else; this result counts for nothing.

    A BaseException, so that an objective's `except Exception` does not swallow it.
    """


class PointTaken(Exception):
    """Another worker was faster."""


class AlreadyClaimed(Exception):
    """An earlier try has claimed the point, and only its acknowledgement was lost."""


def execute_fenced(connection: Connection, statement: Update) -> None:
    """Run an UPDATE that must touch exactly one row.

    Raises:
        LeaseLost: It touched none.
    """
    if connection.execute(statement).rowcount != 1:
        raise LeaseLost


def held(plan_id: str, claim: Claim) -> Update:
    """An UPDATE of the point that touches a row only while `claim` holds it."""
    return update(POINTS).where(
        POINTS.c.plan_id == plan_id,
        POINTS.c.number == claim.number,
        POINTS.c.state == LEASED,
        POINTS.c.attempt == claim.attempt,
        POINTS.c.worker == claim.worker,
    )


def write_attributes(connection: Connection, trial_id: int, attributes: Mapping[str, Any]) -> None:
    """Set user attributes of a trial within a transaction of ours."""
    if not attributes:
        return
    table = models.TrialUserAttributeModel.__table__
    same = (table.c.trial_id == trial_id) & table.c.key.in_(list(attributes))
    connection.execute(table.delete().where(same))
    rows = [
        {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
        for key, value in attributes.items()
    ]
    connection.execute(table.insert(), rows)


def has_plan(study_id: int) -> ColumnElement[bool]:
    """Whether a study is there and is one of ours.

    A study that another tool deleted leaves its plan behind, and SQLite may give its id to a new
    one, which has no attribute of a plan.
    """
    attribute = models.StudyUserAttributeModel.__table__
    named = select(attribute.c.study_id).where(
        attribute.c.study_id == study_id, attribute.c.key == PLAN_ID
    )
    return named.exists()


def end_book(plan_id: str, point: int, attempt: int, fate: str) -> Update:
    """An UPDATE of the books that writes how the trial of a claim ended."""
    return (
        update(TRIALS)
        .where(TRIALS.c.plan_id == plan_id, TRIALS.c.point == point, TRIALS.c.attempt == attempt)
        .values(fate=fate)
    )


class LeaseStatement:
    """Leases a FREE point, and keeps the books of its new trial."""

    def __init__(self, row: RowMapping, worker: WorkerIdentity, study_id: int) -> None:
        self._row, self._worker = row, worker
        self._statement = (
            update(POINTS)
            .where(
                POINTS.c.plan_id == row["plan_id"],
                POINTS.c.number == row["number"],
                POINTS.c.state == FREE,
                POINTS.c.attempt == row["attempt"],
                has_plan(study_id),
            )
            .values(
                state=LEASED,
                attempt=row["attempt"] + 1,
                worker=worker.name,
                host=worker.host,
                machine=worker.machine,
                lease_until=DatabaseClock() + LEASE_S,
                reason=None,
                trial_number=None,
            )
        )

    def __call__(self, connection: Connection) -> None:
        """Lease it.

        Raises:
            PointTaken: It is not free any more.
            AlreadyClaimed: This very claim holds it.
        """
        if connection.execute(self._statement).rowcount != 1:
            raise AlreadyClaimed if self._is_ours(connection) else PointTaken

    def book(self, connection: Connection, number: int) -> None:
        """Write that the trial of that number evaluates the point."""
        row = {"plan_id": self._row["plan_id"], "point": self._row["number"]}
        row |= {"attempt": self._row["attempt"] + 1, "number": number}
        connection.execute(insert(TRIALS).values(row))

    def _is_ours(self, connection: Connection) -> bool:
        query = select(POINTS.c.worker, POINTS.c.attempt).where(
            POINTS.c.plan_id == self._row["plan_id"], POINTS.c.number == self._row["number"]
        )
        held_by = connection.execute(query).one_or_none()
        return held_by == (self._worker.name, self._row["attempt"] + 1)


class Fail:
    """Changes a point as its trial ends as FAIL."""

    def __init__(self, statement: Update, book: Update, trial_id: int, reason: str) -> None:
        self._statement, self._book = statement, book
        self._trial_id, self._reason = trial_id, reason

    def __call__(self, connection: Connection) -> None:
        """Change it, and write the trial's fate and reason.

        Raises:
            LeaseLost: Somebody else has changed it.
        """
        execute_fenced(connection, self._statement)
        connection.execute(self._book)
        write_attributes(connection, self._trial_id, {"reason": self._reason})


class Close:
    """Closes a point, with all that belongs to its trial's outcome."""

    def __init__(self, plan_id: str, claim: Claim, outcome: Outcome, trial_number: int) -> None:
        self._plan_id, self._claim = plan_id, claim
        self._outcome, self._trial_number = outcome, trial_number

    def __call__(self, connection: Connection) -> None:
        """Close it.

        Raises:
            LeaseLost: The claim no longer holds it.
        """
        outcome, claim = self._outcome, self._claim
        state = FAILED if outcome.state == TrialState.FAIL else DONE
        closed = held(self._plan_id, claim).values(
            state=state,
            trial_number=self._trial_number,
            reason=outcome.reason,
            lease_until=None,
        )
        execute_fenced(connection, closed)
        connection.execute(end_book(self._plan_id, claim.number, claim.attempt, state))
        reason = {} if outcome.reason is None else {"reason": outcome.reason}
        write_attributes(connection, claim.trial_id, {**outcome.attributes, **reason})
        if outcome.curves is not None:
            text = json.dumps(outcome.curves, separators=(",", ":"))
            row = {"plan_id": self._plan_id, "trial_number": self._trial_number, "curves": text}
            connection.execute(insert(CURVES).values(row))
