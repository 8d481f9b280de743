"""Optuna's database storage with fewer statements for what every trial writes.

The rows are the same; a trial's parameters and attributes go in together when it is created, and a
report or a parameter is one statement that also checks that the trial is running.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    check_distribution_compatibility,
    distribution_to_json,
)
from optuna.storages import RDBStorage
from optuna.storages._rdb import models  # the schema itself
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Table, insert, literal, select
from sqlalchemy.exc import IntegrityError

_TRIALS: Table = models.TrialModel.__table__
_PARAMS: Table = models.TrialParamModel.__table__
_REPORTS: Table = models.TrialIntermediateValueModel.__table__
_USER_ATTRIBUTES: Table = models.TrialUserAttributeModel.__table__
_SYSTEM_ATTRIBUTES: Table = models.TrialSystemAttributeModel.__table__


class LeanStorage(RDBStorage):
    """An `RDBStorage` that writes the same with fewer statements.

    Wherever the short way finds anything unusual, Optuna's own way is taken.
    """

    _created: Mapping[int, FrozenTrial] = {}

    def _create_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None = None
    ) -> FrozenTrial:
        created = super()._create_new_trial(study_id, template_trial)
        self._created = {created._trial_id: created}  # noqa: SLF001 (Optuna's own key)
        return created

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """A trial; the one created last is known and, once, not read."""
        created, self._created = self._created, {}
        known = created.get(trial_id)
        return super().get_trial(trial_id) if known is None else copy.deepcopy(known)

    def _get_prepared_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None, session: Any
    ) -> Any:
        if template_trial is None:
            return super()._get_prepared_new_trial(study_id, None, session)
        bare = copy.copy(template_trial)
        bare.params, bare.distributions = {}, {}
        bare.user_attrs, bare.system_attrs = {}, {}
        trial = super()._get_prepared_new_trial(study_id, bare, session)
        for table, rows in _details(template_trial).items():
            if rows:
                own = {"trial_id": trial.trial_id}
                session.execute(insert(table), [own | row for row in rows])
        return trial

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        """Keep a reported value."""
        model = models.TrialIntermediateValueModel
        value, kind = model.intermediate_value_to_stored_repr(intermediate_value)
        row = {"step": step, "intermediate_value": value, "intermediate_value_type": kind}
        if not self._insert_while_running(_REPORTS, trial_id, row):
            super().set_trial_intermediate_value(trial_id, step, intermediate_value)

    def _set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None,
    ) -> None:
        if previous_distribution is not None:
            check_distribution_compatibility(previous_distribution, distribution)
            row = _param_row(param_name, param_value_internal, distribution)
            if self._insert_while_running(_PARAMS, trial_id, row):
                return
        super()._set_trial_param(
            trial_id, param_name, param_value_internal, distribution, previous_distribution
        )

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keep a user attribute."""
        (row,) = _attribute_rows({key: value})
        if not self._insert_while_running(_USER_ATTRIBUTES, trial_id, row):
            super().set_trial_user_attr(trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keep a system attribute: TPE shares with it what a running trial tries."""
        (row,) = _attribute_rows({key: value})
        if not self._insert_while_running(_SYSTEM_ATTRIBUTES, trial_id, row):
            super().set_trial_system_attr(trial_id, key, value)

    def _insert_while_running(self, table: Table, trial_id: int, row: Mapping[str, Any]) -> bool:
        """Insert a row of a running trial; False when the trial has ended or the row is there."""
        values = [literal(value, table.c[name].type) for name, value in row.items()]
        running = select(_TRIALS.c.trial_id, *values).where(
            _TRIALS.c.trial_id == trial_id, _TRIALS.c.state == TrialState.RUNNING
        )
        try:
            with self.engine.begin() as connection:
                statement = insert(table).from_select(["trial_id", *row], running)
                return connection.execute(statement).rowcount == 1
        except IntegrityError:
            return False


def _details(trial: FrozenTrial) -> dict[Table, list[dict[str, Any]]]:
    """The rows of a trial's parameters and attributes."""
    distributions = trial.distributions
    return {
        _PARAMS: [
            _param_row(name, distributions[name].to_internal_repr(value), distributions[name])
            for name, value in trial.params.items()
        ],
        _USER_ATTRIBUTES: _attribute_rows(trial.user_attrs),
        _SYSTEM_ATTRIBUTES: _attribute_rows(trial.system_attrs),
    }


def _param_row(name: str, internal: float, distribution: BaseDistribution) -> dict[str, Any]:
    text = distribution_to_json(distribution)
    return {"param_name": name, "param_value": internal, "distribution_json": text}


def _attribute_rows(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value_json": json.dumps(value)} for key, value in attributes.items()]
