from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from sqlalchemy import update

from hpo.databases.storage import Storage, open_storage
from hpo.databases.tables import POINTS
from hpo.errors import UserError
from tests.support import YOU, launch_file, launched_study, study_file


@pytest.fixture
def storage(sqlite_url: str) -> Iterator[Storage]:
    opened = open_storage(sqlite_url, create=True)
    yield opened
    opened.close()


def test_the_same_file_goes_on_with_its_study(storage: Storage, project: Path) -> None:
    first = launch_file(storage, study_file(project), project)
    second = launch_file(storage, study_file(project), project)
    assert (first.is_new, second.is_new) == (True, False)
    assert second.stored.plan_id == first.stored.plan_id
    assert second.notes == ()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 7),
        ("direction", "maximize"),
        ("search_space", {"x": {"low": -1.0, "high": 10.0}}),
        ("fixed", {"epochs": 3}),
        ("method", "tpe"),
        ("pruner", "median"),
        ("start_with", [{"x": 1.0}]),
    ],
)
def test_an_edited_identity_is_refused_with_the_difference(
    storage: Storage, project: Path, key: str, value: Any
) -> None:
    launched_study(storage, project)
    with pytest.raises(UserError) as error:
        launch_file(storage, study_file(project, **{key: value}), project)
    assert key.replace("direction", "directions") in str(error.value)
    assert "--name NAME" in str(error.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"timeout": "5min"},
        {"target": 0.5},
        {"retries": 5},
        {"devices": "cpu"},
        {"max_failures": 3},
    ],
)
def test_what_is_not_identity_may_change_and_is_kept(
    storage: Storage, project: Path, changes: dict[str, Any]
) -> None:
    launched_study(storage, project)
    stored = launch_file(storage, study_file(project, **changes), project).stored
    again = launch_file(storage, study_file(project, **changes), project).stored
    key = next(iter(changes)).replace("timeout", "timeout_s")
    assert getattr(again.file, key) == getattr(study_file(project, **changes), key)
    assert stored.ledger.counts().total == 3


def test_a_larger_total_adds_points(storage: Storage, project: Path) -> None:
    launched_study(storage, project, n_trials=3)
    launched = launch_file(storage, study_file(project, n_trials=5), project, n_trials=5)
    assert launched.notes == ("2 points were added; the plan has 5 now.",)
    assert launched.stored.ledger.counts().total == 5


def test_a_smaller_total_is_refused_when_asked_for_and_noted_when_in_the_file(
    storage: Storage, project: Path
) -> None:
    launched_study(storage, project, n_trials=3)
    with pytest.raises(UserError, match="has 3 trials and cannot shrink, but got --n-trials 2"):
        launch_file(storage, study_file(project, n_trials=2), project, n_trials=2)
    launched = launch_file(storage, study_file(project, n_trials=2), project)
    assert launched.notes == ("n_trials stays 3: the file says 2, but a plan cannot shrink.",)
    assert launched.stored.file.n_trials == 3


def test_a_changed_objective_is_refused_unless_accepted(storage: Storage, project: Path) -> None:
    launched_study(storage, project)
    (project / "objective.py").write_text("def objective(trial): return 1.0\n")
    with pytest.raises(UserError, match="--accept-changed-objective"):
        launch_file(storage, study_file(project), project)
    launched = launch_file(storage, study_file(project), project, accept_changed_objective=True)
    assert launched.objective_changed is not None


def test_a_study_of_stock_optuna_is_not_run(storage: Storage, project: Path) -> None:
    optuna.create_study(storage=storage.optuna, study_name="s")
    with pytest.raises(UserError, match="'s' was not made by hpo"):
        launch_file(storage, study_file(project), project)


def test_a_second_host_on_an_sqlite_file_is_refused(storage: Storage, project: Path) -> None:
    study = launched_study(storage, project)
    study.ledger.claim(YOU, study.file.distributions(), {})
    with pytest.raises(UserError, match="Workers on there use .*Use PostgreSQL"):
        launch_file(storage, study_file(project), project)
    with storage.engine.begin() as connection:
        connection.execute(update(POINTS).values(lease_until=0.0))
    launch_file(storage, study_file(project), project)
