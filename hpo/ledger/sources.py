"""What a study was made from: its file, its objective's text and its environment, by study.

They stand in a table of ours. Stock tools print every attribute of a study, so that its attributes
are short: the plan's name, the method and the version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.storages import RDBStorage
from sqlalchemy import Connection, Engine, select

from hpo.databases import version_1
from hpo.databases.atomic_storage import patient
from hpo.databases.database_schema import schema_version
from hpo.databases.tables import METHOD, PLAN_ID, STUDIES, VERSION
from hpo.study_files.study_file import StudyFile


@dataclass(frozen=True)
class Source:
    """What `hpo run` made a study from.

    Attributes:
        plan_id: The plan's name.
        file: The resolved study file, as JSON data.
        objective: The text of the objective's file.
        environment: Package, version pairs.
    """

    plan_id: str
    file: Mapping[str, Any]
    objective: str
    environment: Mapping[str, str]

    @property
    def version(self) -> str:
        """The version of hpo that made the study."""
        return self.environment.get("hpo-service", "")

    def attributes(self) -> dict[str, str]:
        """The study's user attributes."""
        return {PLAN_ID: self.plan_id, METHOD: self.file["method"], VERSION: self.version}

    def row(self) -> dict[str, str]:
        """The study's row in `hpo_studies`, without its number."""
        return {
            "plan_id": self.plan_id,
            "file": json.dumps(self.file),
            "objective": self.objective,
            "environment": json.dumps(self.environment),
        }


@patient
def find_sources(engine: Engine, attributes: Mapping[int, Mapping[str, Any]]) -> dict[int, Source]:
    """The sources of those studies that `hpo run` made.

    A study is ours that has the attribute of a plan and is the one the plan was made for: what an
    objective writes into the attribute changes nothing. The attribute's value names the plan of a
    study that the dashboard renamed, which copies it.

    Args:
        engine: The database.
        attributes: Of each study that is asked about, by its id.
    """
    with engine.connect() as connection:
        rows = _rows(connection, attributes) if schema_version(connection) is not None else []
    by_study = {row["study_id"]: row for row in rows}
    by_plan = {row["plan_id"]: row for row in rows}
    found = {
        study_id: by_study.get(study_id) or by_plan.get(str(mine[PLAN_ID]))
        for study_id, mine in attributes.items()
        if PLAN_ID in mine
    }
    return {study_id: _source(row) for study_id, row in found.items() if row is not None}


def file_of(study: optuna.Study) -> StudyFile | None:
    """The study file of a study that any tool has loaded; None when it is not ours."""
    storage = study._storage  # noqa: SLF001 (Optuna has no other way to it)
    backend = getattr(storage, "_backend", storage)
    if not isinstance(backend, RDBStorage):
        return None
    study_id = study._study_id  # noqa: SLF001
    source = find_sources(backend.engine, {study_id: study.user_attrs}).get(study_id)
    return None if source is None else StudyFile.model_validate(source.file)


def _rows(
    connection: Connection, attributes: Mapping[int, Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    if schema_version(connection) == 1:
        return list(version_1.sources(connection))
    plans = [str(mine[PLAN_ID]) for mine in attributes.values() if PLAN_ID in mine]
    query = select(STUDIES)
    if len(attributes) == 1:
        query = query.where(STUDIES.c.study_id.in_(attributes) | STUDIES.c.plan_id.in_(plans))
    return [dict(row) for row in connection.execute(query).mappings()]


def _source(row: Mapping[str, Any]) -> Source:
    return Source(
        row["plan_id"], json.loads(row["file"]), row["objective"], json.loads(row["environment"])
    )
