"""What reports read of a stored study: the study goes in, its record comes out."""

from __future__ import annotations

from hpo.ledger.stored_study import StoredStudy
from hpo.reporting.records import StudyRecord, read_study


def read_stored(stored: StoredStudy, *, with_curves: bool = False) -> StudyRecord:
    """The record of a stored study, whoever made it.

    Args:
        stored: The study.
        with_curves: Whether the learning curves are read, too.
    """
    if not stored.is_ours:
        return read_study(stored.optuna_study(), {}, storage=stored.storage.name)
    return read_study(
        stored.optuna_study(),
        stored.storage.load_curves(stored.plan_id) if with_curves else {},
        source=stored.source,
        books=stored.ledger.books(),
        n_planned=stored.ledger.counts().total,
        storage=stored.storage.name,
    )
