"""A stored study seen from Python: its trials, its best one, its report, and Optuna's own study."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from hpo.databases.urls import storage_url

if TYPE_CHECKING:
    import optuna
    import pandas as pd

    from hpo.reporting.records import TrialRecord


def open_study(name: str, storage: str | None = None) -> OpenStudy:
    """Open a stored study for looking at it; it is closed at the end of a `with`, or by `close`.

    Args:
        name: The study's name, whoever made it.
        storage: The database's URL; by default the one that the `hpo` command would take.

    Raises:
        hpo.errors.UserError: There is no such study, or no such database.
    """
    return OpenStudy(name, storage_url(storage))


class TrialRows(list[dict[str, Any]]):
    """One plain row a trial, with the columns of `hpo trials`."""

    def to_dataframe(self) -> pd.DataFrame:
        """The rows as a table of pandas, which must be installed."""
        import pandas as pd

        return pd.DataFrame(list(self))


class OpenStudy:
    """A stored study, open for reading; what it says is read anew at each call."""

    def __init__(self, name: str, url: str) -> None:
        from hpo.databases.storage import open_storage
        from hpo.ledger.stored_study import require_stored

        self._storage = open_storage(url, read_only=True)
        self._stored = require_stored(self._storage, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._storage.close()

    def trials(self) -> TrialRows:
        """All trials, a plain row each."""
        from hpo.reporting.trials import trial_rows
        from hpo.stored_record import read_stored

        return TrialRows(trial_rows(read_stored(self._stored)))

    @property
    def best(self) -> TrialRecord | None:
        """The best trial; None without one, and with several objectives."""
        from hpo.reporting.analysis import analyze
        from hpo.stored_record import read_stored

        return analyze(read_stored(self._stored)).winner

    def report(self, path: str | Path) -> None:
        """Write the study's report, one page that opens offline.

        Raises:
            hpo.errors.UserError: The file cannot be written.
        """
        from hpo.reporting.report import write_report
        from hpo.stored_record import read_stored

        write_report([read_stored(self._stored, with_curves=True)], Path(path))

    @property
    def optuna(self) -> optuna.Study:
        """The stock `optuna.Study`, for all that Optuna offers; it can only be read."""
        return self._stored.optuna_study()
