from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import update

from hpo.databases.storage import Storage, open_storage
from hpo.databases.tables import POINTS
from hpo.ledger.fences import LEASE_S, LeaseLost
from hpo.ledger.points import Book, Claim, Counts, Outcome
from hpo.ledger.reaper import LEASE_RAN_OUT, reap_expired, reap_worker
from hpo.ledger.stored_study import (
    StoredStudy,
    create_stored,
    list_stored,
    require_stored,
)
from hpo.plan import make_plan
from tests.support import ME, YOU, launched_study


@pytest.fixture
def storage(storage_url: str) -> Iterator[Storage]:
    opened = open_storage(storage_url, create=True)
    yield opened
    opened.close()


@pytest.fixture
def study(storage: Storage, project: Path) -> StoredStudy:
    return launched_study(storage, project, n_trials=2)


def claim(study: StoredStudy, worker: object = ME) -> Claim:
    claimed = study.ledger.claim(worker, study.file.distributions(), {})  # type: ignore[arg-type]
    assert claimed is not None
    return claimed


def finish(study: StoredStudy, claimed: Claim, outcome: Outcome) -> None:
    trial = study.storage.optuna.get_trial(claimed.trial_id)
    study.ledger.finish(trial, claimed, outcome)


def let_lease_run_out(study: StoredStudy) -> None:
    with study.storage.engine.begin() as connection:
        connection.execute(update(POINTS).values(lease_until=study.ledger.clock() - 1))


def trials(study: StoredStudy) -> list[optuna.trial.FrozenTrial]:
    return study.optuna_study().get_trials()


COMPLETE = Outcome(TrialState.COMPLETE, [0.5])


def test_a_claim_makes_a_running_trial_with_the_planned_parameters(study: StoredStudy) -> None:
    claimed = claim(study)
    point = make_plan(study.file).points[0]
    (trial,) = trials(study)
    assert trial.state == TrialState.RUNNING
    assert trial.params == point.params == claimed.params
    assert trial.user_attrs == {"point": 0, "attempt": 1, "seed": point.seed, "worker": "me"}
    assert study.ledger.counts() == Counts(free=1, leased=1)


def test_no_point_is_claimed_twice_and_none_is_left_at_the_end(study: StoredStudy) -> None:
    assert [claim(study, ME).number, claim(study, YOU).number] == [0, 1]
    assert study.ledger.claim(ME, {}, {}) is None


def test_a_result_and_its_point_are_one_write(study: StoredStudy) -> None:
    claimed = claim(study)
    outcome = Outcome(TrialState.COMPLETE, [0.5], {"run_time_s": 2.0}, {"epochs": {}})
    finish(study, claimed, outcome)
    (trial,) = trials(study)
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.5)
    assert trial.user_attrs["run_time_s"] == 2.0
    assert study.storage.load_curves(study.plan_id) == {0: {"epochs": {}}}
    (row,) = study.ledger.rows("DONE")
    assert (row["number"], row["trial_number"]) == (0, 0)


def test_the_result_of_a_lost_lease_is_dropped_whole(study: StoredStudy) -> None:
    claimed = claim(study)
    let_lease_run_out(study)
    (reaped,) = reap_expired(study.ledger, retries=2)
    assert (reaped.number, reaped.state) == (0, "FREE")
    with pytest.raises(LeaseLost):
        finish(study, claimed, COMPLETE)
    again = claim(study, YOU)
    assert (again.number, again.attempt) == (0, 2)
    finish(study, again, COMPLETE)
    assert [trial.state for trial in trials(study)] == [TrialState.FAIL, TrialState.COMPLETE]
    assert trials(study)[0].user_attrs["reason"] == LEASE_RAN_OUT
    assert study.storage.load_curves(study.plan_id) == {}


def test_a_point_that_loses_more_workers_than_retries_has_failed(study: StoredStudy) -> None:
    states = []
    for _ in range(3):
        assert claim(study).number == 0
        let_lease_run_out(study)
        states += [reaped.state for reaped in reap_expired(study.ledger, retries=2)]
    assert states == ["FREE", "FREE", "FAILED"]
    (row,) = study.ledger.rows("FAILED")
    assert row["reason"] == LEASE_RAN_OUT
    assert study.ledger.free_failed() == 1
    assert claim(study).number == 0


def test_the_leases_of_live_children_are_spared(study: StoredStudy) -> None:
    claim(study)
    let_lease_run_out(study)
    assert reap_expired(study.ledger, retries=2, spare=["me"]) == []
    assert study.ledger.counts().leased == 1


def test_a_live_lease_is_not_reaped_and_can_be_renewed(study: StoredStudy) -> None:
    claimed = claim(study)
    assert reap_expired(study.ledger, retries=2) == []
    let_lease_run_out(study)
    assert study.ledger.renew(claimed)
    (row,) = study.ledger.rows("LEASED")
    assert row["lease_until"] == pytest.approx(study.ledger.clock() + LEASE_S, abs=5)
    reap_worker(study.ledger, "me", "it died", retries=2)
    assert not study.ledger.renew(claimed)


def test_the_books_tell_the_fate_of_every_trial(study: StoredStudy) -> None:
    study.ledger.release(claim(study), "released: interrupted")
    claim(study)
    reap_worker(study.ledger, "me", "it died", retries=2)
    claim(study)
    reap_worker(study.ledger, "me", "interrupted", retries=2, is_loss=False)
    finish(study, claim(study), COMPLETE)
    finish(study, claim(study), Outcome(TrialState.FAIL, reason="no"))
    study.ledger.free_failed()
    claim(study)
    study.optuna_study().add_trial(trials(study)[3])
    seeds = [point.seed for point in make_plan(study.file).points]
    told = [(0, 1, "RELEASED"), (0, 2, "LOST"), (0, 3, "RELEASED"), (0, 4, "DONE")]
    told += [(1, 1, "FAILED"), (1, 2, None)]  # type: ignore[list-item]
    assert study.ledger.books() == {
        number: Book(point, attempt, fate, closes_point=fate == "DONE", seed=seeds[point])
        for number, (point, attempt, fate) in enumerate(told)
    }
    assert study.ledger.trial_numbers() == set(range(6))


def test_attributes_that_an_objective_overwrites_decide_nothing(study: StoredStudy) -> None:
    claimed = claim(study)
    storage = study.storage.optuna
    for key, value in {"point": [1, 2], "attempt": "x", "worker": 3, "seed": None}.items():
        storage.set_trial_user_attr(claimed.trial_id, key, value)
    for key in ("hpo_plan_id", "hpo_method", "hpo_version"):
        storage.set_study_user_attr(study.study_id, key, ["spoilt"])
    again = require_stored(study.storage, study.name)
    assert (again.plan_id, again.file) == (study.plan_id, study.file)
    assert [found.plan_id for found in list_stored(study.storage)] == [study.plan_id]
    (reaped,) = reap_worker(again.ledger, "me", "it died", retries=2)
    assert (reaped.number, reaped.trial_number, reaped.state) == (0, 0, "FREE")
    assert [trial.state for trial in trials(study)] == [TrialState.FAIL]


def test_making_a_study_forgets_no_other_whose_attribute_was_spoilt(
    storage: Storage, project: Path
) -> None:
    study = launched_study(storage, project)
    storage.optuna.set_study_user_attr(study.study_id, "hpo_plan_id", "spoilt")
    launched_study(storage, project, name="another")
    assert require_stored(storage, study.name).ledger.counts() == Counts(free=3)


def test_a_study_that_the_dashboard_renames_keeps_its_plan(storage: Storage, project: Path) -> None:
    study = launched_study(storage, project)
    finish(study, claim(study), COMPLETE)
    copied = optuna.create_study(storage=storage.optuna, study_name="renamed")  # as it does it
    copied.add_trials(trials(study))
    for key, value in study.optuna_study().user_attrs.items():
        copied.set_user_attr(key, value)
    storage.optuna.delete_study(study.study_id)
    launched_study(storage, project, name="another")
    renamed = require_stored(storage, "renamed")
    assert (renamed.plan_id, renamed.file) == (study.plan_id, study.file)
    assert renamed.ledger.counts() == Counts(free=2, done=1)
    assert renamed.ledger.books()[0].fate == "DONE"
    assert claim(renamed).number == 1


def test_a_released_point_loses_no_retry(study: StoredStudy) -> None:
    for _ in range(4):
        study.ledger.release(claim(study), "released: interrupted")
    assert study.ledger.counts().free == 2
    assert claim(study).number == 0
    assert trials(study)[0].user_attrs["reason"] == "released: interrupted"


def test_a_stopped_worker_costs_its_point_nothing(study: StoredStudy) -> None:
    claim(study)
    reap_worker(study.ledger, "me", "interrupted", retries=0, is_loss=False)
    (row, _) = study.ledger.rows()
    assert (row["state"], row["lost"]) == ("FREE", 0)


def test_a_trial_that_another_tool_finished_makes_its_point_done(study: StoredStudy) -> None:
    claimed = claim(study)
    study.storage.optuna.set_trial_state_values(claimed.trial_id, TrialState.COMPLETE, [0.25])
    with pytest.raises(LeaseLost):
        finish(study, claimed, COMPLETE)
    (reaped,) = reap_worker(study.ledger, "me", "its lease was lost", retries=2)
    assert reaped.state == "DONE"
    assert [trial.value for trial in trials(study)] == [0.25]


def test_a_failed_trial_makes_its_point_failed_with_the_reason(study: StoredStudy) -> None:
    finish(study, claim(study), Outcome(TrialState.FAIL, reason="ValueError: no"))
    (row,) = study.ledger.rows("FAILED")
    assert row["reason"] == "ValueError: no"
    assert trials(study)[0].user_attrs["reason"] == "ValueError: no"


def test_telling_again_after_a_lost_acknowledgement_is_no_error(study: StoredStudy) -> None:
    claimed = claim(study)
    finish(study, claimed, COMPLETE)
    finish(study, claimed, COMPLETE)
    assert [trial.state for trial in trials(study)] == [TrialState.COMPLETE]


def test_extending_appends_only_what_is_new(storage: Storage, project: Path) -> None:
    study = launched_study(storage, project, n_trials=2)
    before = [dict(row) for row in study.ledger.rows()]
    longer = study.file.model_copy(update={"n_trials": 5})
    assert study.ledger.extend(make_plan(longer).points) == 3
    assert study.ledger.extend(make_plan(longer).points) == 0
    rows = [dict(row) for row in study.ledger.rows()]
    assert rows[:2] == before
    assert [row["number"] for row in rows] == [0, 1, 2, 3, 4]


def test_only_requests_to_stop_made_since_count(study: StoredStudy) -> None:
    since = study.ledger.clock()
    assert study.ledger.stop_requested(since) is None
    study.ledger.request_stop("hpo stop")
    assert study.ledger.stop_requested(since) == "hpo stop"
    assert study.ledger.stop_requested(study.ledger.clock() + 1) is None


def test_a_study_that_any_tool_deleted_starts_clean(storage: Storage, project: Path) -> None:
    first = launched_study(storage, project)
    finish(first, claim(first), COMPLETE)
    RDBStorage.delete_study(storage.backend, first.study_id)  # as stock Optuna does
    second = launched_study(storage, project)
    assert second.plan_id != first.plan_id
    assert second.ledger.counts() == Counts(free=3)
    assert first.ledger.rows() == []


def test_a_study_is_created_whole_or_not_at_all(storage: Storage, project: Path) -> None:
    study = launched_study(storage, project)
    assert study.source
    another = replace(study.source, plan_id="another")
    assert not create_stored(storage, study.name, ["minimize"], another, [])
    assert require_stored(storage, study.name).plan_id == study.plan_id


def test_a_missing_study_is_named_with_the_near_miss(study: StoredStudy) -> None:
    with pytest.raises(Exception, match="has no study 'z'. It holds: s"):
        require_stored(study.storage, "z")
    with pytest.raises(Exception, match="Did you mean 's'"):
        require_stored(study.storage, "ss")
