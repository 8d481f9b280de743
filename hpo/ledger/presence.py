"""Who is at work: a worker tells when it arrives, shows that it is alive, and says goodbye.

Between two trials a worker holds no lease; by this it is known all the same. One that does not say
goodbye counts as gone a minute after its last sign of life, or when its supervisor says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import delete, insert, select, update

from hpo.databases.atomic_storage import patient
from hpo.databases.tables import PLANS, WORKERS, DatabaseClock
from hpo.ledger.fences import LEASE_S
from hpo.ledger.ledger import Ledger
from hpo.ledger.points import WorkerIdentity


@contextmanager
def present(ledger: Ledger, worker: WorkerIdentity) -> Iterator[None]:
    """The worker is known to be at work here.

    Raises:
        StudyGone: The study was deleted before, or meanwhile.
    """
    arrive(ledger, worker)
    try:
        with noticing_deletion(ledger):
            yield
    finally:
        leave(ledger, worker.name)


@contextmanager
def noticing_deletion(ledger: Ledger) -> Iterator[None]:
    """Whatever comes of a study that is deleted meanwhile, it is called by its name.

    Raises:
        StudyGone: The study is not there at the end.
    """
    try:
        yield
    except Exception:
        ledger.require_study()
        raise
    ledger.require_study()


@patient
def arrive(ledger: Ledger, worker: WorkerIdentity) -> None:
    """Tell that a worker is at work; a plan with workers is not deleted by accident.

    Raises:
        StudyGone: The study was deleted.
    """
    mine = WORKERS.c.plan_id == ledger.plan_id
    is_lapsed = WORKERS.c.until < DatabaseClock()
    # Whoever deletes the plan waits for this transaction, or this one for the end of that.
    plan = select(PLANS.c.plan_id).where(PLANS.c.plan_id == ledger.plan_id)
    with ledger.storage.write() as connection:
        is_there = connection.scalar(plan.with_for_update(read=True, key_share=True)) is not None
        if is_there:
            gone = mine & (is_lapsed | (WORKERS.c.worker == worker.name))
            connection.execute(delete(WORKERS).where(gone))
            row = {"plan_id": ledger.plan_id, "worker": worker.name}
            row |= {"host": worker.host, "machine": worker.machine}
            connection.execute(insert(WORKERS).values(**row, until=DatabaseClock() + LEASE_S))
    ledger.require_study()


@patient
def stay(ledger: Ledger, worker: WorkerIdentity) -> None:
    """Show that a worker is alive.

    Raises:
        StudyGone: The study was deleted.
    """
    mine = (WORKERS.c.plan_id == ledger.plan_id) & (WORKERS.c.worker == worker.name)
    statement = update(WORKERS).where(mine).values(until=DatabaseClock() + LEASE_S)
    with ledger.storage.engine.begin() as connection:
        is_known = connection.execute(statement).rowcount == 1
    if not is_known:
        arrive(ledger, worker)


@patient
def leave(ledger: Ledger, worker: str) -> None:
    """Say goodbye, or have a supervisor say it for its dead child."""
    mine = (WORKERS.c.plan_id == ledger.plan_id) & (WORKERS.c.worker == worker)
    with ledger.storage.engine.begin() as connection:
        connection.execute(delete(WORKERS).where(mine))
