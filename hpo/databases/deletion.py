"""Deleting a study: Optuna's rows and ours in one transaction, never under workers by accident.

SQLite gives the ids of deleted rows out again, so that a worker that was forgotten, and wakes up
late, would write into another study's trials. A row of no study keeps the last ids from that.
"""

from __future__ import annotations

import json

from optuna.storages._rdb import models  # Optuna's own way swallows what goes wrong
from optuna.trial import TrialState
from sqlalchemy import Connection, Table, delete, func, insert, select

from hpo.databases.database_schema import schema_version
from hpo.databases.tables import (
    OF_A_PLAN,
    PLAN_ID,
    PLANS,
    POINTS,
    STUDIES,
    WORKERS,
    DatabaseClock,
)
from hpo.errors import UserError

_STUDIES: Table = models.StudyModel.__table__
_TRIALS: Table = models.TrialModel.__table__
_ATTRIBUTES: Table = models.StudyUserAttributeModel.__table__


def delete_study(connection: Connection, study_id: int, *, force: bool = False) -> None:
    """Delete a study, and its plan unless a renamed copy of the study has it.

    Args:
        connection: In a transaction that holds SQLite's write lock.
        study_id: Optuna's id of the study.
        force: Whether to delete under workers that are at work, too.

    Raises:
        UserError: Workers are at work on it.
        KeyError: There is no such study.
    """
    if not force:
        refuse_while_at_work(connection, study_id)
    name = select(_STUDIES.c.study_name).where(_STUDIES.c.study_id == study_id)
    if connection.scalar(name) is None:
        raise KeyError(models.NOT_FOUND_MSG)
    last_trial = connection.scalar(select(func.max(_TRIALS.c.trial_id)))
    connection.execute(delete(_ATTRIBUTES).where(_ATTRIBUTES.c.study_id == study_id))
    if schema_version(connection) is not None:
        forget_plans_without_study(connection)
    # A trial that is being made, or written to, is waited for.
    connection.execute(name.with_for_update())
    mine = select(_TRIALS.c.trial_id).where(_TRIALS.c.study_id == study_id)
    connection.execute(mine.with_for_update())
    for table in reversed(models.BaseModel.metadata.sorted_tables):
        if "trial_id" in table.c and table is not _TRIALS:
            connection.execute(delete(table).where(table.c.trial_id.in_(mine)))
        elif "study_id" in table.c:
            connection.execute(delete(table).where(table.c.study_id == study_id))
    if connection.dialect.name == "sqlite":
        _keep_ids(connection, study_id, last_trial)


def refuse_while_at_work(connection: Connection, study_id: int) -> None:
    """Refuse to go on while workers are known to be at work on a study.

    Until the transaction ends, none arrives.

    Raises:
        UserError: There are some.
    """
    if schema_version(connection) is None:
        return
    plan = select(PLANS.c.plan_id).where(PLANS.c.plan_id.in_(_plans_of(connection, study_id)))
    plans = list(connection.scalars(plan.with_for_update()))
    hosts = {host for plan_id in plans for host in hosts_at_work(connection, plan_id).values()}
    if hosts:
        name = select(_STUDIES.c.study_name).where(_STUDIES.c.study_id == study_id)
        study = connection.scalar(name)
        raise UserError(
            f"Workers on {', '.join(sorted(hosts))} are at work on {study!r}. Stop them first "
            f"(hpo stop {study}), or stop and delete at once: hpo delete --force {study}"
        )


def hosts_at_work(connection: Connection, plan_id: str | None = None) -> dict[str, str]:
    """Machines with a worker of a plan, or of any: machine -> the host's name.

    A worker is at work from its arrival to its goodbye, or until it has given no sign of life for
    a minute.
    """
    found: dict[str, str] = {}
    alive = WORKERS.c.until >= DatabaseClock()
    leased = (POINTS.c.state == "LEASED") & (POINTS.c.lease_until >= DatabaseClock())
    for table, condition in ((WORKERS, alive), (POINTS, leased)):
        query = select(table.c.machine, table.c.host).where(condition)
        if plan_id is not None:
            query = query.where(table.c.plan_id == plan_id)
        found |= {row.machine: row.host for row in connection.execute(query)}
    return found


def forget_plans_without_study(connection: Connection) -> None:
    """Remove the plans whose study is gone."""
    query = select(_ATTRIBUTES.c.study_id, _ATTRIBUTES.c.value_json).where(
        _ATTRIBUTES.c.key == PLAN_ID
    )
    named = {row.study_id: json.loads(row.value_json) for row in connection.execute(query)}
    stored = connection.execute(select(STUDIES.c.plan_id, STUDIES.c.study_id)).all()
    for plan_id, study_id in stored:
        if study_id not in named and plan_id not in named.values():
            for table in OF_A_PLAN:
                connection.execute(delete(table).where(table.c.plan_id == plan_id))


def next_study_id(connection: Connection) -> int | None:
    """An id that no study has had; None where the database sees to that itself."""
    if connection.dialect.name != "sqlite":
        return None
    last = connection.scalar(select(func.max(_TRIALS.c.number)).where(_TRIALS.c.study_id.is_(None)))
    present = connection.scalar(select(func.max(_STUDIES.c.study_id)))
    return 1 + max(last or 0, present or 0)


def _plans_of(connection: Connection, study_id: int) -> list[str]:
    """The plan that was made for a study, and the one that its attribute names."""
    query = select(_ATTRIBUTES.c.value_json).where(
        _ATTRIBUTES.c.study_id == study_id, _ATTRIBUTES.c.key == PLAN_ID
    )
    named = [str(json.loads(text)) for text in connection.scalars(query)]
    made = connection.scalars(select(STUDIES.c.plan_id).where(STUDIES.c.study_id == study_id))
    return [*named, *made]


def _keep_ids(connection: Connection, study_id: int, last_trial: int | None) -> None:
    """Leave the row of no study: its id is after every trial's, its number the last study's."""
    kept = _TRIALS.c.study_id.is_(None)
    last_study = connection.scalar(select(func.max(_TRIALS.c.number)).where(kept))
    connection.execute(delete(_TRIALS).where(kept))
    present = connection.scalar(select(func.max(_TRIALS.c.trial_id)))
    row = {
        "trial_id": max(present or 0, last_trial or 0) + 1,
        "number": max(last_study or 0, study_id),
        "state": TrialState.FAIL,
    }
    connection.execute(insert(_TRIALS).values(row))
