"""Deleting a study: whole, in one transaction, and never under workers by accident."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import MetaData, func, select, update

from hpo.databases.deletion import hosts_at_work
from hpo.databases.storage import Storage, open_storage
from hpo.databases.tables import WORKERS
from hpo.errors import StudyGone, UserError
from hpo.ledger import presence
from hpo.ledger.fences import LeaseLost
from hpo.ledger.ledger import DELETE
from hpo.ledger.points import Claim, Counts, Outcome, WorkerIdentity
from hpo.ledger.reaper import reap_worker
from hpo.ledger.stored_study import (
    StoredStudy,
    delete_stored,
    find_stored,
    live_hosts,
    require_stored,
)
from tests.support import ME, YOU, launched_study


@pytest.fixture
def storage(storage_url: str) -> Iterator[Storage]:
    opened = open_storage(storage_url, create=True)
    yield opened
    opened.close()


@pytest.fixture
def study(storage: Storage, project: Path) -> StoredStudy:
    return launched_study(storage, project, n_trials=3)


def claim(study: StoredStudy) -> Claim:
    claimed = study.ledger.claim(ME, study.file.distributions(), {})
    assert claimed is not None
    return claimed


def tell(study: StoredStudy, claimed: Claim) -> None:
    trial = optuna.Trial(study.optuna_study(), claimed.trial_id)
    outcome = Outcome(TrialState.COMPLETE, [0.5], {"device": "cpu"}, {"epochs": {}})
    study.ledger.finish(trial, claimed, outcome)


def rows_left(study: StoredStudy) -> dict[str, int]:
    """The rows of each table that belong to the study, to its plan, or to no trial there is."""
    found = MetaData()
    found.reflect(study.storage.engine)
    known = select(found.tables["trials"].c.trial_id)
    owners = {
        "study_id": lambda column: column == study.study_id,
        "plan_id": lambda column: column == study.plan_id,
        "trial_id": lambda column: column.not_in(known),
    }
    left = {}
    with study.storage.engine.connect() as connection:
        for name, table in found.tables.items():
            for key in owners.keys() & table.c.keys():
                query = select(func.count()).where(owners[key](table.c[key])).select_from(table)
                left[f"{name}.{key}"] = connection.execute(query).scalar_one()
    return {name: n for name, n in left.items() if n}


def test_nothing_is_left_of_a_deleted_study_and_all_of_the_others(
    storage: Storage, project: Path
) -> None:
    other = launched_study(storage, project, name="other")
    tell(other, claim(other))
    study = launched_study(storage, project)
    tell(study, claim(study))
    claimed = claim(study)
    storage.optuna.set_trial_intermediate_value(claimed.trial_id, 1, 0.5)
    storage.optuna.set_trial_system_attr(claimed.trial_id, "key", 1)
    storage.optuna.set_study_system_attr(study.study_id, "key", 1)
    reap_worker(study.ledger, ME.name, "it died", retries=2)
    delete_stored(study)
    assert find_stored(storage, study.name) is None
    assert rows_left(study) == {}
    assert other.ledger.counts() == Counts(free=2, done=1)
    assert storage.load_curves(other.plan_id) == {0: {"epochs": {}}}
    assert [trial.value for trial in other.optuna_study().trials] == [0.5]


def test_a_study_under_a_live_lease_is_not_deleted(study: StoredStudy) -> None:
    claimed = claim(study)
    assert live_hosts(study.storage) == {"kernel": "here"}
    with pytest.raises(UserError, match=r"Workers on here are at work on 's'.*hpo stop s.*--force"):
        delete_stored(study)
    study.ledger.release(claimed, "released")
    delete_stored(study)


def test_a_study_is_not_deleted_between_two_trials_of_a_worker(study: StoredStudy) -> None:
    with presence.present(study.ledger, YOU):
        assert live_hosts(study.storage, study.plan_id) == {"kernel": "there"}
        with pytest.raises(UserError, match="Workers on there are at work"):
            delete_stored(study)
        with pytest.raises(UserError, match="Workers on there are at work"):
            study.storage.optuna.delete_study(study.study_id)  # as the dashboard does
    delete_stored(study)


def test_a_worker_without_a_goodbye_is_gone_when_its_time_is_over(study: StoredStudy) -> None:
    presence.arrive(study.ledger, YOU)
    presence.stay(study.ledger, YOU)
    with study.storage.engine.begin() as connection:
        (until,) = connection.scalars(select(WORKERS.c.until))
        assert until == pytest.approx(study.ledger.clock() + 60, abs=5)
        connection.execute(update(WORKERS).values(until=study.ledger.clock() - 1))
        assert hosts_at_work(connection) == {}
    presence.arrive(study.ledger, ME)
    with study.storage.engine.connect() as connection:
        assert connection.scalars(select(WORKERS.c.worker)).all() == ["me"]
        assert hosts_at_work(connection) == {"kernel": "here"}


def test_a_worker_of_a_deleted_study_is_told_so(study: StoredStudy) -> None:
    claimed = claim(study)
    since = study.ledger.clock()
    study.ledger.request_stop(DELETE)
    with pytest.raises(StudyGone, match="is being deleted from .*hpo delete --force"):
        study.ledger.stop_requested(since)
    delete_stored(study, force=True)
    calls: list[Callable[[], object]] = [
        lambda: study.ledger.stop_requested(since),
        study.ledger.require_study,
        lambda: presence.arrive(study.ledger, ME),
        lambda: presence.stay(study.ledger, ME),
    ]
    for call in calls:
        with pytest.raises(StudyGone, match="was deleted from .* while it ran"):
            call()
    assert study.ledger.claim(ME, {}, {}) is None
    with pytest.raises(LeaseLost):
        study.ledger.release(claimed, "released")
    assert rows_left(study) == {}


def test_a_worker_of_a_study_that_another_tool_deleted_claims_nothing(study: StoredStudy) -> None:
    RDBStorage.delete_study(study.storage.backend, study.study_id)
    with pytest.raises(StudyGone):
        claim(study)
    made = optuna.create_study(storage=study.storage.optuna, study_name="new")
    with pytest.raises(StudyGone):
        claim(study)
    assert made.get_trials() == []


def test_no_id_of_a_deleted_study_is_given_out_again(storage: Storage, project: Path) -> None:
    study = launched_study(storage, project)
    first, second = claim(study), claim(study)
    for _ in range(2):
        delete_stored(study, force=True)
        study = launched_study(storage, project)
        for forgotten in (first, second):
            with pytest.raises(KeyError):
                storage.backend.set_trial_intermediate_value(forgotten.trial_id, 1, 9.9)
            with pytest.raises(KeyError):
                storage.backend.set_trial_user_attr(forgotten.trial_id, "late", 1)
        claimed = claim(study)
        assert claimed.trial_id > second.trial_id
        (trial,) = study.optuna_study().trials
        assert (trial.number, trial.intermediate_values) == (0, {})
    assert require_stored(storage, study.name).study_id > 2


def test_deleting_an_empty_study_or_another_one_gives_no_id_out_again(
    storage: Storage, project: Path
) -> None:
    empty = launched_study(storage, project, name="empty")
    kept = launched_study(storage, project, name="kept")
    last = launched_study(storage, project, name="last")
    claimed = claim(kept)
    for study in (empty, last):
        delete_stored(study)
    assert claim(kept).trial_id > claimed.trial_id
    assert [trial.number for trial in kept.optuna_study().trials] == [0, 1]
    reap_worker(kept.ledger, ME.name, "it died", retries=2)
    new = launched_study(storage, project, name="new")
    assert new.study_id > last.study_id
    assert claim(new).trial_id > claimed.trial_id


def test_a_renamed_study_keeps_its_plan_when_the_old_one_is_deleted(
    storage: Storage, project: Path
) -> None:
    study = launched_study(storage, project)
    copied = optuna.create_study(storage=storage.optuna, study_name="renamed")
    for key, value in study.optuna_study().user_attrs.items():
        copied.set_user_attr(key, value)
    storage.optuna.delete_study(study.study_id)
    renamed = require_stored(storage, "renamed")
    assert renamed.ledger.counts() == Counts(free=3)
    delete_stored(renamed)
    assert rows_left(renamed) == {}


def test_stock_studies_are_deleted_too(storage: Storage) -> None:
    stock = optuna.create_study(storage=storage.optuna, study_name="stock")
    stock.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    found = require_stored(storage, "stock")
    delete_stored(found)
    assert rows_left(found) == {}
    with pytest.raises(KeyError):
        storage.optuna.delete_study(found.study_id)


def test_deleting_under_a_storm_of_claims_leaves_nothing(
    storage_url: str, storage: Storage, project: Path
) -> None:
    study = launched_study(storage, project, n_trials=300)
    begun = threading.Barrier(4)
    errors: list[Exception] = []

    def storm(worker: WorkerIdentity) -> None:
        opened = open_storage(storage_url)
        mine = require_stored(opened, study.name)
        begun.wait()
        try:
            while True:
                claimed = mine.ledger.claim(worker, mine.file.distributions(), {})
                if claimed is None:
                    break
                opened.backend.set_trial_intermediate_value(claimed.trial_id, 1, 0.5)
                opened.backend.set_trial_user_attr(claimed.trial_id, "key", 1)
        except (KeyError, StudyGone) as error:
            errors.append(error)
        finally:
            opened.close()

    threads = [threading.Thread(target=storm, args=[replace(ME, name=f"w{n}")]) for n in range(3)]
    for thread in threads:
        thread.start()
    begun.wait()
    while len(study.ledger.books()) < 10:
        continue
    delete_stored(study, force=True)
    for thread in threads:
        thread.join()
    assert rows_left(study) == {}
