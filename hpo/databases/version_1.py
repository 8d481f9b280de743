"""Databases of version 1: what they keep in attributes, as rows of the tables of version 2.

They are read as they are, and changed for good when they are first opened for writing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from optuna.storages._rdb import models  # the attributes that held all of this
from optuna.trial import TrialState
from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from hpo.databases.tables import (
    METADATA,
    METHOD,
    PLAN_ID,
    POINTS,
    SCHEMA,
    SCHEMA_VERSION,
    STUDIES,
    TRIALS,
    DatabaseClock,
)
from hpo.errors import StorageError

_FILE, _OBJECTIVE, _ENVIRONMENT = "hpo_study", "hpo_objective", "hpo_environment"
_MOVED = (_FILE, _OBJECTIVE, _ENVIRONMENT)
_TRIALS = models.TrialModel.__table__
_TRIAL_ATTRIBUTES = models.TrialUserAttributeModel.__table__
_STUDY_ATTRIBUTES = models.StudyUserAttributeModel.__table__
_RELEASES = (  # how the reasons of trials begin whose points went back unharmed
    "released: ",
    "interrupted",
    "its lease was lost",
    "the database went away",
    "the process that started its worker is gone",
)


def migrate(connection: Connection) -> None:
    """Make version 2 of version 1, within a transaction that holds the lock of `hpo_schema`.

    Raises:
        StorageError: Workers of the older release are at work, who would write no books.
    """
    live = select(POINTS.c.host).where(
        POINTS.c.state == "LEASED", POINTS.c.lease_until >= DatabaseClock()
    )
    hosts = sorted(set(connection.scalars(live)))
    if hosts:
        raise StorageError(
            f"Workers of an older release of hpo, on {', '.join(hosts)}, are at work in this "
            "database, and it must be brought to a new version before this release can write to "
            "it. End them first (Ctrl-C in their run); a minute after a crash they count as gone."
        )
    METADATA.create_all(connection)
    for source in list(sources(connection)):
        connection.execute(insert(STUDIES).values(source))
        rows = books(connection, source["study_id"], source["plan_id"])
        if rows:
            connection.execute(insert(TRIALS), rows)
        method = json.dumps(json.loads(source["file"])["method"])
        connection.execute(
            insert(_STUDY_ATTRIBUTES).values(
                study_id=source["study_id"], key=METHOD, value_json=method
            )
        )
    connection.execute(delete(_STUDY_ATTRIBUTES).where(_STUDY_ATTRIBUTES.c.key.in_(_MOVED)))
    connection.execute(update(SCHEMA).values(version=SCHEMA_VERSION))


def sources(connection: Connection) -> Iterator[dict[str, Any]]:
    """The rows of `hpo_studies`."""
    attributes: dict[int, dict[str, str]] = {}
    wanted = _STUDY_ATTRIBUTES.c.key.in_([PLAN_ID, *_MOVED])
    for row in connection.execute(select(_STUDY_ATTRIBUTES).where(wanted)):
        attributes.setdefault(row.study_id, {})[row.key] = row.value_json
    for study_id, found in attributes.items():
        if found.keys() >= {PLAN_ID, *_MOVED}:
            yield {
                "plan_id": json.loads(found[PLAN_ID]),
                "study_id": study_id,
                "file": json.dumps(study_file(json.loads(found[_FILE]))),
                "objective": json.loads(found[_OBJECTIVE]),
                "environment": found[_ENVIRONMENT],
            }


def study_file(resolved: dict[str, Any]) -> dict[str, Any]:
    """A study file's data, which had other forms for some of its keys."""
    file = {**resolved, "timeout": resolved.get("timeout_s")}
    file["pruner"] = _written(file.get("pruner"))
    file["sampler"] = (file.get("sampler") or {}).get("arguments")
    file["metrics"] = file.get("metrics") or None
    if file["method"] == "controlled":
        del file["search_space"]  # made of `vary`
    return {key: value for key, value in file.items() if value is not None and key != "timeout_s"}


def _written(component: Any) -> Any:
    """``{name, arguments}`` as ``name`` or ``{name: arguments}``, nested ones too."""
    if not isinstance(component, dict) or component.keys() != {"name", "arguments"}:
        return component
    arguments = {name: _written(value) for name, value in component["arguments"].items()}
    return {component["name"]: arguments} if arguments else component["name"]


def books(connection: Connection, study_id: int, plan_id: str) -> list[dict[str, Any]]:
    """The rows of `hpo_trials` of one study.

    A closed point knows its trial. Of other trials the attributes speak, as far as an objective
    has not overwritten them; of one at work its worker's name does.
    """
    query = select(POINTS).where(POINTS.c.plan_id == plan_id)
    points = {row["number"]: row for row in connection.execute(query).mappings()}
    trials = list(_trials(connection, study_id))
    by_claim: dict[tuple[int, int], int] = {
        (point["number"], point["attempt"]): point["trial_number"]
        for point in points.values()
        if point["state"] in ("DONE", "FAILED") and point["trial_number"] is not None
    }
    booked = set(by_claim.values())
    for trial in trials:
        claim = _claim(trial, points)
        if claim is not None and trial["number"] not in booked:
            by_claim.setdefault(claim, trial["number"])
    by_number = {trial["number"]: trial for trial in trials}
    return [
        {"plan_id": plan_id, "point": point, "attempt": attempt, "number": number}
        | {"fate": _fate(by_number[number])}
        for (point, attempt), number in by_claim.items()
        if number in by_number
    ]


def _trials(connection: Connection, study_id: int) -> Iterator[dict[str, Any]]:
    """Number, state and the attributes that tell of claims, of each trial."""
    attributes: dict[int, dict[str, Any]] = {}
    mine = select(_TRIALS.c.trial_id).where(_TRIALS.c.study_id == study_id)
    query = select(_TRIAL_ATTRIBUTES).where(
        _TRIAL_ATTRIBUTES.c.trial_id.in_(mine),
        _TRIAL_ATTRIBUTES.c.key.in_(["point", "attempt", "worker", "reason"]),
    )
    for row in connection.execute(query):
        attributes.setdefault(row.trial_id, {})[row.key] = json.loads(row.value_json)
    trials = select(_TRIALS).where(_TRIALS.c.study_id == study_id).order_by(_TRIALS.c.number)
    for row in connection.execute(trials):
        yield {**attributes.get(row.trial_id, {}), "number": row.number, "state": row.state}


def _claim(trial: Mapping[str, Any], points: Mapping[int, RowMapping]) -> tuple[int, int] | None:
    if trial["state"] == TrialState.RUNNING:
        held = (p for p in points.values() if p["state"] == "LEASED")
        mine = next((p for p in held if p["worker"] == trial.get("worker")), None)
        return None if mine is None else (mine["number"], mine["attempt"])
    point, attempt = trial.get("point"), trial.get("attempt")
    if not isinstance(point, int) or not isinstance(attempt, int) or point not in points:
        return None
    return point, attempt


def _fate(trial: Mapping[str, Any]) -> str | None:
    if not trial["state"].is_finished():
        return None
    if trial["state"] != TrialState.FAIL:
        return "DONE"
    reason = str(trial.get("reason", ""))
    if reason.startswith(_RELEASES):
        return "RELEASED"
    return "LOST" if reason.startswith("its worker ") else "FAILED"
