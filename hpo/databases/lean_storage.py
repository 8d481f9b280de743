"""Optuna's database storage with fewer statements for what every trial writes and reads.

The rows are the same, but the object mapper has no part in them: a trial's parameters and
attributes go in together when it is created, a report or a parameter is one statement that also
checks that the trial is running, and trials are read with one statement a table.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Container, Mapping
from types import SimpleNamespace
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    check_distribution_compatibility,
    distribution_to_json,
)
from optuna.storages import RDBStorage
from optuna.storages._rdb import models  # the schema itself
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import ColumnElement, Table, insert, literal, select
from sqlalchemy.exc import IntegrityError

_TRIALS: Table = models.TrialModel.__table__
_PARAMS: Table = models.TrialParamModel.__table__
_REPORTS: Table = models.TrialIntermediateValueModel.__table__
_USER_ATTRIBUTES: Table = models.TrialUserAttributeModel.__table__
_SYSTEM_ATTRIBUTES: Table = models.TrialSystemAttributeModel.__table__
# By the names that Optuna's model of a trial gives them.
_PARTS = {
    "params": _PARAMS,
    "values": models.TrialValueModel.__table__,
    "user_attributes": _USER_ATTRIBUTES,
    "system_attributes": _SYSTEM_ATTRIBUTES,
    "intermediate_values": _REPORTS,
}


class LeanStorage(RDBStorage):
    """An `RDBStorage` that writes and reads the same with fewer statements.

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
        if known is not None:
            return copy.deepcopy(known)
        found = self._read(_TRIALS.c.trial_id == trial_id)
        return found[0] if found else super().get_trial(trial_id)

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        wanted = (_TRIALS.c.trial_id > trial_id_greater_than) | _TRIALS.c.trial_id.in_(
            sorted(included_trial_ids)
        )
        found = self._read((_TRIALS.c.study_id == study_id) & wanted)
        if found:
            return [trial for trial in found if states is None or trial.state in states]
        return super()._get_trials(study_id, states, included_trial_ids, trial_id_greater_than)

    def _read(self, wanted: ColumnElement[bool]) -> list[FrozenTrial]:
        """Trials in the order of their ids, one statement a table."""
        ids = select(_TRIALS.c.trial_id).where(wanted)
        with self.engine.connect() as connection:
            trials = connection.execute(
                select(_TRIALS).where(wanted).order_by(_TRIALS.c.trial_id)
            ).all()
            details: dict[int, dict[str, list[Any]]] = {
                trial.trial_id: {name: [] for name in _PARTS} for trial in trials
            }
            for name, table in _PARTS.items():
                rows = select(table).where(table.c.trial_id.in_(ids)).order_by(*table.primary_key)
                for row in connection.execute(rows):
                    if row.trial_id in details:  # another trial may have begun in between
                        details[row.trial_id][name].append(row)
        whole: list[Any] = [
            SimpleNamespace(**trial._mapping, **details[trial.trial_id])  # noqa: SLF001 (public)
            for trial in trials
        ]
        return [self._build_frozen_trial_from_trial_model(trial) for trial in whole]

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
