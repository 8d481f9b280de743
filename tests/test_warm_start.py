from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

from hpo.databases.storage import Storage, open_storage
from hpo.errors import UserError
from hpo.ledger.stored_study import require_stored
from hpo.runs.standing import read_standing
from hpo.runs.warm_start import MARK, warm_start
from tests.support import launched_study


@pytest.fixture
def storage(sqlite_url: str) -> Iterator[Storage]:
    opened = open_storage(sqlite_url, create=True)
    yield opened
    opened.close()


def stock_study(storage: Storage, *values: float, name: str = "old") -> None:
    study = optuna.create_study(storage=storage.optuna, study_name=name)
    for x in values:
        study.add_trial(
            create_trial(
                params={"x": x}, distributions={"x": FloatDistribution(-99.0, 99.0)}, value=x * x
            )
        )


def test_trials_that_fit_are_added_marked_and_not_counted(storage: Storage, project: Path) -> None:
    stock_study(storage, 1.0, 2.0, 50.0)
    target = launched_study(storage, project, name="new", method="tpe")
    source = require_stored(storage, "old")
    assert warm_start(target, source) == (2, 1)
    trials = target.optuna_study().get_trials()
    assert [trial.params for trial in trials] == [{"x": 1.0}, {"x": 2.0}]
    assert trials[0].user_attrs == {MARK: "old, trial 0"}
    assert trials[0].distributions == {"x": FloatDistribution(-10.0, 10.0)}
    assert target.ledger.counts().free == target.ledger.counts().total == 3
    assert read_standing(target).best == ()
    assert warm_start(target, source) == (0, 1)


def test_trials_with_other_parameters_do_not_fit(storage: Storage, project: Path) -> None:
    study = optuna.create_study(storage=storage.optuna, study_name="other")
    study.add_trial(
        create_trial(params={"y": 1.0}, distributions={"y": FloatDistribution(0.0, 2.0)}, value=1.0)
    )
    target = launched_study(storage, project, name="new", method="tpe")
    assert warm_start(target, require_stored(storage, "other")) == (0, 1)


def test_a_method_that_learns_nothing_refuses(storage: Storage, project: Path) -> None:
    stock_study(storage, 1.0)
    target = launched_study(storage, project, name="new")
    with pytest.raises(UserError, match="got method random"):
        warm_start(target, require_stored(storage, "old"))


def test_another_direction_is_refused(storage: Storage, project: Path) -> None:
    stock_study(storage, 1.0)
    target = launched_study(storage, project, name="new", method="tpe", direction="maximize")
    with pytest.raises(UserError, match="same direction"):
        warm_start(target, require_stored(storage, "old"))
