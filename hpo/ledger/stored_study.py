"""A study as a database holds it: found, listed, created with its plan in one write, deleted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import optuna
from optuna.storages._rdb import models  # a study and its plan are one write
from optuna.study import StudyDirection
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from hpo.databases import deletion
from hpo.databases.storage import Storage
from hpo.databases.tables import PLANS, POINTS, STUDIES
from hpo.errors import UserError
from hpo.ledger.ledger import Ledger
from hpo.ledger.points import rows_of
from hpo.ledger.sources import Source, find_sources
from hpo.near_miss import near_miss
from hpo.plan import Point
from hpo.study_files.study_file import StudyFile


@dataclass(frozen=True)
class StoredStudy:
    """One study of an open database.

    Attributes:
        storage: The database.
        name: The study's name.
        study_id: Optuna's id.
        source: What `hpo run` made it from; None for a study that stock Optuna made.
    """

    storage: Storage
    name: str
    study_id: int
    source: Source | None

    @property
    def is_ours(self) -> bool:
        """Whether `hpo run` made it, so that it has a plan; stock Optuna's studies have none."""
        return self.source is not None

    @property
    def plan_id(self) -> str:
        """The plan's name; empty for a study that stock Optuna made."""
        return "" if self.source is None else self.source.plan_id

    @cached_property
    def file(self) -> StudyFile:
        """The resolved study file that the study was made from.

        Raises:
            UserError: The study was not made by `hpo run`.
        """
        if self.source is None:
            raise UserError(
                f"The study {self.name!r} was not made by hpo: it can be listed, shown and "
                "reported, but not run."
            )
        return StudyFile.model_validate(self.source.file)

    @cached_property
    def ledger(self) -> Ledger:
        """The study's points."""
        return Ledger(self.storage, self.study_id, self.plan_id)

    @property
    def directions(self) -> list[StudyDirection]:
        """One for each objective value."""
        return self.storage.optuna.get_study_directions(self.study_id)

    def optuna_study(self) -> optuna.Study:
        """The study for reading, with its trials."""
        return optuna.load_study(
            study_name=self.name,
            storage=self.storage.optuna,
            sampler=optuna.samplers.RandomSampler(),
            pruner=optuna.pruners.NopPruner(),
        )

    def replace_file(self, file: StudyFile) -> None:
        """Change what the study file says from now on."""
        text = json.dumps(file.model_dump(mode="json"))
        with self.storage.write() as connection:
            connection.execute(
                update(STUDIES).where(STUDIES.c.plan_id == self.plan_id).values(file=text)
            )


def list_stored(storage: Storage) -> list[StoredStudy]:
    """Every study of a database, oldest first."""
    studies = storage.optuna.get_all_studies()
    sources = find_sources(storage.engine, {s._study_id: s.user_attrs for s in studies})  # noqa: SLF001
    return [
        StoredStudy(storage, study.study_name, study._study_id, sources.get(study._study_id))  # noqa: SLF001
        for study in studies
    ]


def find_stored(storage: Storage, name: str) -> StoredStudy | None:
    """The study of that name, or None."""
    try:
        study_id = storage.optuna.get_study_id_from_name(name)
    except KeyError:
        return None
    attributes = storage.optuna.get_study_user_attrs(study_id)
    sources = find_sources(storage.engine, {study_id: attributes})
    return StoredStudy(storage, name, study_id, sources.get(study_id))


def require_stored(storage: Storage, name: str) -> StoredStudy:
    """The study of that name.

    Raises:
        UserError: There is none; the message has the near miss, or the names there are.
    """
    found = find_stored(storage, name)
    if found is not None:
        return found
    names = [study.name for study in list_stored(storage)]
    hint = near_miss(name, names) or f" It holds: {', '.join(names) or 'no study'}."
    raise UserError(f"{storage.name} has no study {name!r}.{hint}")


def create_stored(
    storage: Storage,
    name: str,
    directions: Sequence[str],
    source: Source,
    points: Sequence[Point],
) -> bool:
    """Make a study with its plan in one transaction.

    Returns:
        False when another process made a study of that name at the same moment.
    """
    try:
        with storage.write() as connection:
            deletion.forget_plans_without_study(connection)
            own = {"study_name": name, "study_id": deletion.next_study_id(connection)}
            known = {key: value for key, value in own.items() if value is not None}
            connection.execute(insert(models.StudyModel).values(known))
            study_id = connection.scalar(
                select(models.StudyModel.study_id).where(models.StudyModel.study_name == name)
            )
            connection.execute(
                insert(models.StudyDirectionModel),
                [
                    {"study_id": study_id, "objective": n, "direction": StudyDirection[d.upper()]}
                    for n, d in enumerate(directions)
                ],
            )
            connection.execute(
                insert(models.StudyUserAttributeModel),
                [
                    {"study_id": study_id, "key": key, "value_json": json.dumps(value)}
                    for key, value in source.attributes().items()
                ],
            )
            connection.execute(insert(STUDIES).values(study_id=study_id, **source.row()))
            connection.execute(insert(PLANS).values(plan_id=source.plan_id))
            if points:
                connection.execute(insert(POINTS), rows_of(source.plan_id, points))
    except IntegrityError:
        return False
    return True


def delete_stored(study: StoredStudy, *, force: bool = False) -> None:
    """Remove a study, its points, its books and its curves in one transaction.

    Args:
        study: The study.
        force: Whether to do so under workers that are at work, too.

    Raises:
        UserError: Workers are at work on it.
    """
    with study.storage.write() as connection:
        deletion.delete_study(connection, study.study_id, force=force)


def live_hosts(storage: Storage, plan_id: str | None = None) -> dict[str, str]:
    """Machines with workers at work on a plan, or on any: machine -> the host's name."""
    with storage.engine.connect() as connection:
        return deletion.hosts_at_work(connection, plan_id)
