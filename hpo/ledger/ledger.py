"""The plan of a study in its database: points are claimed, leased, finished and released.

A point ends with exactly one COMPLETE or PRUNED trial, or is FAILED. Claiming a point and creating
its trial are one transaction, and so are telling a trial's result and closing its point: a crash
leaves either both or neither.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState
from sqlalchemy import RowMapping, Update, func, insert, select, update

from hpo.databases import version_1
from hpo.databases.atomic_storage import patient
from hpo.databases.tables import PLANS, POINTS, TRIALS, DatabaseClock
from hpo.errors import StudyGone
from hpo.ledger.fences import (
    LEASE_S,
    Close,
    Fail,
    LeaseLost,
    LeaseStatement,
    PointTaken,
    end_book,
    has_plan,
    held,
)
from hpo.ledger.points import (
    DONE,
    FAILED,
    FREE,
    RELEASED,
    Book,
    Claim,
    Counts,
    Outcome,
    WorkerIdentity,
    book_of,
    claim_of,
    rows_of,
    template_of,
)

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import BaseTrial

    from hpo.databases.storage import Storage
    from hpo.plan import Point

RENEWAL_S = 20.0
DELETE = "hpo delete --force"  # the reason of a request to stop that deleting makes
NOBODY: dict[str, None] = {"worker": None, "host": None, "machine": None, "lease_until": None}


def new_plan_id() -> str:
    """A random name, so that a study deleted by any tool and made anew starts clean."""
    return uuid.uuid4().hex


class Ledger:
    """The points of one study.

    Args:
        storage: The database.
        study_id: Optuna's id of the study.
        plan_id: The study's user attribute `hpo_plan_id`.
    """

    def __init__(self, storage: Storage, study_id: int, plan_id: str) -> None:
        self.storage = storage
        self.study_id = study_id
        self.plan_id = plan_id
        self.is_ours = POINTS.c.plan_id == plan_id

    def claim(
        self,
        worker: WorkerIdentity,
        distributions: Mapping[str, BaseDistribution],
        attributes: Mapping[str, Any],
    ) -> Claim | None:
        """Lease the first free point and create its trial; None when no point is free.

        Args:
            worker: Who asks.
            distributions: Of the parameters that points hold, as far as they are known.
            attributes: User attributes of the new trial, beside the point's own.

        Raises:
            StudyGone: The study was deleted.
        """
        while (row := self._first_free()) is not None:
            template = template_of(row, distributions, {**attributes, "worker": worker.name})
            lease = LeaseStatement(row, worker, self.study_id)
            try:
                with self.storage.backend.alongside(lease, created=lease.book):
                    trial_id = self.storage.optuna.create_new_trial(self.study_id, template)
            except PointTaken:
                self.require_study()  # or its points would be found anew for ever
                continue
            return claim_of(row, worker, trial_id)
        return None

    @patient
    def renew(self, claim: Claim) -> bool:
        """Lengthen a lease; False when it is lost."""
        statement = held(self.plan_id, claim).values(lease_until=DatabaseClock() + LEASE_S)
        with self.storage.engine.begin() as connection:
            return connection.execute(statement).rowcount == 1

    def finish(self, trial: BaseTrial, claim: Claim, outcome: Outcome) -> None:
        """Tell a trial's result and close its point; repeated safely when the database goes away.

        Raises:
            LeaseLost: The point is no longer held by this claim; nothing was written.
        """
        try:
            self._tell(trial, claim, outcome)
        except LeaseLost:
            # An earlier try may have been written, and only its acknowledgement lost.
            if not self._is_closed_by(claim):
                raise

    @patient
    def _tell(self, trial: BaseTrial, claim: Claim, outcome: Outcome) -> None:
        close = Close(self.plan_id, claim, outcome, trial.number)
        try:
            with self.storage.backend.alongside(close):
                is_told = self.storage.optuna.set_trial_state_values(
                    claim.trial_id, outcome.state, outcome.values
                )
        except UpdateFinishedTrialError:
            raise LeaseLost from None  # another tool has ended the trial
        if not is_told:
            raise LeaseLost  # Optuna's word for two writers of one value

    @patient
    def _is_closed_by(self, claim: Claim) -> bool:
        query = select(POINTS.c.number).where(
            self.is_ours,
            POINTS.c.number == claim.number,
            POINTS.c.state.in_([DONE, FAILED]),
            POINTS.c.attempt == claim.attempt,
            POINTS.c.worker == claim.worker,
        )
        with self.storage.engine.connect() as connection:
            return connection.execute(query).first() is not None

    @patient
    def release(self, claim: Claim, reason: str) -> None:
        """Give a point back unharmed; its trial ends as FAIL with the reason.

        Raises:
            LeaseLost: The point is no longer held by this claim; nothing was written.
        """
        freed = held(self.plan_id, claim).values(state=FREE, **NOBODY)
        book = end_book(self.plan_id, claim.number, claim.attempt, RELEASED)
        self.fail_trial(claim.trial_id, reason, freed, book)

    def fail_trial(self, trial_id: int, reason: str, statement: Update, book: Update) -> None:
        """End a RUNNING trial as FAIL in one transaction with a change of its point and its books.

        Raises:
            LeaseLost: The point was changed by somebody else; nothing was written.
            optuna.exceptions.UpdateFinishedTrialError: The trial has ended already.
        """
        with self.storage.backend.alongside(Fail(statement, book, trial_id, reason)):
            self.storage.optuna.set_trial_state_values(trial_id, TrialState.FAIL)

    @patient
    def counts(self) -> Counts:
        """How many points are in each state."""
        query = select(POINTS.c.state, func.count()).where(self.is_ours).group_by(POINTS.c.state)
        with self.storage.engine.connect() as connection:
            found = connection.execute(query).all()
        return Counts(**{state.lower(): n for state, n in found})

    @patient
    def rows(self, state: str | None = None) -> list[RowMapping]:
        """The points themselves, in order; all, or those in one state."""
        query = select(POINTS).where(self.is_ours).order_by(POINTS.c.number)
        if state is not None:
            query = query.where(POINTS.c.state == state)
        with self.storage.engine.connect() as connection:
            return list(connection.execute(query).mappings())

    @patient
    def books(self) -> dict[int, Book]:
        """What the ledger knows of each trial, by the trial's number.

        A trial without books evaluates no point: another study's, added to learn from.
        """
        points = {row["number"]: row for row in self.rows()}
        return {row["number"]: book_of(row, points[row["point"]]) for row in self._book_rows()}

    def trial_numbers(self) -> set[int]:
        """The numbers of the trials that evaluate points."""
        return {row["number"] for row in self._book_rows()}

    @patient
    def _book_rows(self) -> list[dict[str, Any]]:
        is_old = self.storage.read_only and self.storage.version == 1
        with self.storage.engine.connect() as connection:
            if is_old:
                return version_1.books(connection, self.study_id, self.plan_id)
            query = select(TRIALS).where(TRIALS.c.plan_id == self.plan_id)
            return [dict(row) for row in connection.execute(query).mappings()]

    def free_failed(self) -> int:
        """Make every FAILED point free again, with all its retries; how many these were."""
        statement = (
            update(POINTS)
            .where(self.is_ours, POINTS.c.state == FAILED)
            .values(state=FREE, lost=0, reason=None, trial_number=None, **NOBODY)
        )
        with self.storage.write() as connection:
            return connection.execute(statement).rowcount

    def extend(self, points: Sequence[Point]) -> int:
        """Append the points whose numbers the plan does not hold yet; how many these were."""
        with self.storage.write() as connection:
            known = set(connection.scalars(select(POINTS.c.number).where(self.is_ours)))
            rows = rows_of(self.plan_id, (p for p in points if p.number not in known))
            if rows:
                connection.execute(insert(POINTS), rows)
        return len(rows)

    @patient
    def clock(self) -> float:
        """Seconds since the epoch by the database's clock."""
        with self.storage.engine.connect() as connection:
            return float(connection.execute(select(DatabaseClock())).scalar_one())

    @patient
    def request_stop(self, reason: str) -> None:
        """Ask every worker that is at work now to stop."""
        statement = (
            update(PLANS)
            .where(PLANS.c.plan_id == self.plan_id)
            .values(stop_at=DatabaseClock(), stop_reason=reason)
        )
        with self.storage.engine.begin() as connection:
            connection.execute(statement)

    @patient
    def stop_requested(self, since: float) -> str | None:
        """The reason of a stop requested at or after `since` (the database's clock), or None.

        Raises:
            StudyGone: The study was deleted, or is about to be.
        """
        query = select(PLANS.c.stop_at, PLANS.c.stop_reason).where(
            PLANS.c.plan_id == self.plan_id, has_plan(self.study_id)
        )
        with self.storage.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise StudyGone(f"The study was deleted from {self.storage.name} while it ran.")
        if row.stop_at is None or row.stop_at < since:
            return None
        if row.stop_reason == DELETE:
            raise StudyGone(f"The study is being deleted from {self.storage.name}: {DELETE}.")
        return str(row.stop_reason)

    def require_study(self) -> None:
        """Return while the study and its plan are there.

        Raises:
            StudyGone: They were deleted.
        """
        self.stop_requested(since=math.inf)

    @patient
    def _first_free(self) -> RowMapping | None:
        query = (
            select(POINTS)
            .where(self.is_ours, POINTS.c.state == FREE)
            .order_by(POINTS.c.number)
            .limit(1)
        )
        with self.storage.engine.connect() as connection:
            return connection.execute(query).mappings().one_or_none()
