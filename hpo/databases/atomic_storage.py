"""Optuna's database storage, made safe under several workers.

Creating a trial and finishing it each become one transaction with our own rows, SQLite takes its
write lock before it reads what it will change, and a database server that goes away for a short
while is waited for.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar

import sqlalchemy
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.storages._rdb.storage import _VersionManager
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, event
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import scoped_session, sessionmaker

from hpo.databases import deletion
from hpo.databases.database_schema import has_current_schema
from hpo.databases.lean_storage import LeanStorage
from hpo.errors import StorageError

Alongside = Callable[[Connection], None]
Created = Callable[[Connection, int], None]
Result = TypeVar("Result")

SQLITE_TIMEOUT_S = 60.0
OUTAGE_S = 60.0  # how long a lost database server is waited for
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.1, 2.0

# Set while this process is in a hurry to end: then no outage is waited for.
hurry = threading.Event()

_logger = logging.getLogger(__name__)


class AtomicStorage(LeanStorage):
    """An `RDBStorage` whose state changes can carry statements of ours in the same transaction.

    Two of Optuna's methods change a trial's state: `_create_new_trial` (private: the cached
    storage calls it) and `set_trial_state_values`.
    """

    def __init__(self, url: str, engine_kwargs: dict[str, Any]) -> None:
        # Not by Optuna's constructor, which imports alembic, half a second, to read one row.
        self.url, self.engine_kwargs, self.skip_compatibility_check = url, engine_kwargs, False
        self.heartbeat_interval = self.grace_period = None
        self.heartbeat_stale_trial_callback = self.failed_trial_callback = None
        self.engine = sqlalchemy.create_engine(url, **engine_kwargs)
        self.scoped_session = scoped_session(sessionmaker(bind=self.engine))
        if not has_current_schema(self.engine):
            self._version_manager.check_table_schema_compatibility()
        self._local = threading.local()
        event.listen(self.scoped_session, "after_begin", self._run_alongside)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "begin", self._take_write_lock)

    @cached_property
    def _version_manager(self) -> _VersionManager:  # type: ignore[override]  # made when asked for
        """Optuna's own judge of the schema; making it marks tables that are new."""
        return _VersionManager(self.url, self.engine, self.scoped_session)

    @contextmanager
    def alongside(self, statements: Alongside, *, created: Created | None = None) -> Iterator[None]:
        """Run `statements` first in the transaction of the next state change of this thread.

        What they raise rolls the whole transaction back and reaches the caller. `created` runs
        last, where the change is a new trial, and is told its number.
        """
        self._local.statements, self._local.created = statements, created
        try:
            yield
        finally:
            self._local.statements = self._local.created = None

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Change a trial's state, with the statements given to `alongside`."""
        with self.state_change():
            return super().set_trial_state_values(trial_id, state, values)

    def delete_study(self, study_id: int) -> None:
        """Delete a study whole, with what is ours of it.

        Optuna's own method takes it for deleted when its rows changed at that moment.

        Raises:
            UserError: Workers are at work on it.
        """
        with self.state_change(), self.engine.begin() as connection:
            deletion.delete_study(connection, study_id)

    def check_trial_is_updatable(self, trial_id: int, trial_state: TrialState) -> None:
        """Refuse to change a finished trial.

        Optuna's own method reads the trial anew to name it, which ends, and so commits, the
        transaction that is to be rolled back.

        Raises:
            optuna.exceptions.UpdateFinishedTrialError: The trial is finished.
        """
        if trial_state.is_finished():
            raise UpdateFinishedTrialError(f"The trial with id {trial_id} is {trial_state.name}.")

    def _create_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None = None
    ) -> FrozenTrial:
        with self.state_change():
            return super()._create_new_trial(study_id, template_trial)

    def _get_prepared_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None, session: Any
    ) -> Any:
        trial = super()._get_prepared_new_trial(study_id, template_trial, session)
        created = getattr(self._local, "created", None)
        if created is not None:
            created(session.connection(), trial.number)
        return trial

    @contextmanager
    def state_change(self) -> Iterator[None]:
        """Transactions of this thread in here take SQLite's write lock when they begin."""
        self._local.is_state_change = True
        try:
            yield
        finally:
            self._local.is_state_change = False

    def _take_write_lock(self, connection: Connection) -> None:
        # Only here: a lock taken by every transaction would make readers queue.
        if getattr(self._local, "is_state_change", False):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    def _run_alongside(self, session: Any, transaction: Any, connection: Connection) -> None:  # noqa: ARG002
        statements = getattr(self._local, "statements", None)
        if statements is not None and getattr(self._local, "is_state_change", False):
            statements(connection)


def is_outage(error: BaseException) -> bool:
    """Whether a database server could not be reached or dropped the connection."""
    cause: BaseException | None = error
    while isinstance(cause, StorageInternalError | StorageError):
        cause = cause.__cause__
    if not isinstance(cause, OperationalError | InterfaceError):
        return False
    return "sqlite3" not in type(cause.orig).__module__


def patient(call: Callable[..., Result], outage_s: float = OUTAGE_S) -> Callable[..., Result]:
    """`call`, tried again with growing delays while the database server is away."""

    @functools.wraps(call)
    def tried(*args: Any, **kwargs: Any) -> Result:
        started, delay_s = time.monotonic(), _FIRST_DELAY_S
        while True:
            try:
                return call(*args, **kwargs)
            except (sqlalchemy.exc.SQLAlchemyError, StorageInternalError, StorageError) as error:
                if not is_outage(error) or time.monotonic() - started + delay_s > outage_s:
                    raise
                _logger.warning("The database does not answer; trying again in %.1f s.", delay_s)
                if hurry.wait(delay_s):
                    raise
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)

    return tried


class PatientStorage(AtomicStorage):
    """An `AtomicStorage` for a database server: calls that may be repeated wait out an outage.

    `_create_new_trial` and `set_trial_state_values` are not among them: whether they took effect
    before the connection broke is for the ledger to find out.
    """

    get_study_id_from_name = patient(RDBStorage.get_study_id_from_name)
    get_study_name_from_id = patient(RDBStorage.get_study_name_from_id)
    get_study_directions = patient(RDBStorage.get_study_directions)
    get_study_user_attrs = patient(RDBStorage.get_study_user_attrs)
    get_study_system_attrs = patient(RDBStorage.get_study_system_attrs)
    set_study_user_attr = patient(RDBStorage.set_study_user_attr)
    set_study_system_attr = patient(RDBStorage.set_study_system_attr)
    set_trial_user_attr = patient(LeanStorage.set_trial_user_attr)
    set_trial_system_attr = patient(LeanStorage.set_trial_system_attr)
    set_trial_intermediate_value = patient(LeanStorage.set_trial_intermediate_value)
    get_trial = patient(LeanStorage.get_trial)
    _get_trials = patient(LeanStorage._get_trials)  # noqa: SLF001 (the cached storage calls it)
    _set_trial_param = patient(LeanStorage._set_trial_param)  # noqa: SLF001 (likewise)
