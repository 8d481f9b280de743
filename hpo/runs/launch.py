"""From a study file and a database to a study that is ready to run: made, continued or refused."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from hpo.databases.storage import Storage
from hpo.errors import UserError
from hpo.ledger.ledger import new_plan_id
from hpo.ledger.sources import Source
from hpo.ledger.stored_study import (
    StoredStudy,
    create_stored,
    find_stored,
    live_hosts,
    require_stored,
)
from hpo.plan import Plan
from hpo.study_files.study_file import KEYS, StudyFile
from hpo.workers.processes import machine_id

_PACKAGES = ("hpo-service", "optuna", "torch", "numba", "numpy", "sqlalchemy")


@dataclass(frozen=True)
class Launched:
    """A study that is ready to run.

    Attributes:
        stored: The study.
        is_new: Whether it was made just now.
        notes: What the user should know, a sentence each.
        objective_changed: A hash of the changed objective text, if one was accepted.
    """

    stored: StoredStudy
    is_new: bool
    notes: tuple[str, ...] = ()
    objective_changed: str | None = None


def launch(
    storage: Storage,
    plan: Plan,
    objective_text: str,
    *,
    n_trials: int | None = None,
    accept_changed_objective: bool = False,
) -> Launched:
    """Make the study of a plan, or continue the one of its name.

    Args:
        storage: Open for writing.
        plan: The points that the study should have.
        objective_text: The text of its objective's file.
        n_trials: The total that was asked for beside the study file.
        accept_changed_objective: Whether an edited objective may go on with the study.

    Raises:
        UserError: The study of that name is another one, has another objective, or is larger than
            `n_trials`; or another host works on this SQLite file.
    """
    file = plan.study
    refuse_second_host(storage)
    if find_stored(storage, file.study) is None:
        source = Source(new_plan_id(), file.model_dump(mode="json"), objective_text, environment())
        if create_stored(storage, file.study, file.directions, source, plan.points):
            return Launched(require_stored(storage, file.study), is_new=True)
    stored = require_stored(storage, file.study)
    _refuse_other_identity(stored, file)
    changed = _accepted_change(stored, objective_text, accept=accept_changed_objective)
    notes = _extend(stored, plan, n_trials)
    return Launched(stored, is_new=False, notes=notes, objective_changed=changed)


def go_on(stored: StoredStudy, objective_text: str, *, accept_changed_objective: bool) -> Launched:
    """Continue a stored study as it is.

    Args:
        stored: The study, in a storage that is open for writing.
        objective_text: The text of its objective's file.
        accept_changed_objective: Whether an edited objective may go on with it.

    Raises:
        UserError: It has another objective, or another host works on this SQLite file.
    """
    refuse_second_host(stored.storage)
    changed = _accepted_change(stored, objective_text, accept=accept_changed_objective)
    return Launched(stored, is_new=False, objective_changed=changed)


def _accepted_change(stored: StoredStudy, text: str, *, accept: bool) -> str | None:
    """Compare the objective with the one the study was begun with.

    Returns:
        None when it is the same; a hash of the new text when the change is accepted.

    Raises:
        UserError: It was changed, and the change is not accepted.
    """
    if stored.source is not None and stored.source.objective == text:
        return None
    if not accept:
        raise UserError(
            f"{stored.file.objective} is not the objective that the study {stored.name!r} was "
            "begun with, so its results would not be comparable. Start another study with "
            "--name NAME, or go on with --accept-changed-objective."
        )
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def refuse_second_host(storage: Storage) -> None:
    """Refuse to share an SQLite file between hosts: its write-ahead log breaks there.

    Raises:
        UserError: Workers of another host hold leases.
    """
    if not storage.is_sqlite or storage.version is None:
        return
    others = {host for machine, host in live_hosts(storage).items() if machine != machine_id()}
    if others:
        raise UserError(
            f"Workers on {', '.join(sorted(others))} use {storage.name}, and an SQLite file cannot "
            "be shared between hosts. Use PostgreSQL: --storage postgresql+psycopg://..."
        )


def environment() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    return {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _refuse_other_identity(stored: StoredStudy, file: StudyFile) -> None:
    before, now = stored.file.model_dump(mode="json"), file.model_dump(mode="json")
    different = [
        name for name, key in KEYS.items() if key.is_identity and before.get(name) != now.get(name)
    ]
    if not different:
        return
    lines = [line for key in different for line in _difference(key, before.get(key), now.get(key))]
    raise UserError(
        f"The study {file.study!r} in {stored.storage.name} is another one:\n"
        + "\n".join(f"  {line}" for line in lines)
        + "\nStart a study of its own with --name NAME, or undo the change."
    )


def _difference(key: str, before: Any, now: Any) -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        names = [n for n in {**before, **now} if before.get(n) != now.get(n)]
        return [line for n in names for line in _lines(f"{key}.{n}", before.get(n), now.get(n))]
    return _lines(key, before, now)


def _lines(place: str, before: Any, now: Any) -> list[str]:
    return [
        f"{sign} {place}: {json.dumps(value)}"
        for sign, value in (("-", before), ("+", now))
        if value is not None
    ]


def _extend(stored: StoredStudy, plan: Plan, n_trials: int | None) -> tuple[str, ...]:
    """Append what the file or the command line asks for beyond the stored plan."""
    before, file = stored.file, plan.study
    notes: list[str] = []
    if n_trials is not None and before.n_trials is not None and n_trials < before.n_trials:
        raise UserError(
            f"The plan of study {stored.name!r} has {before.n_trials} trials and cannot shrink, "
            f"but got --n-trials {n_trials}."
        )
    sizes: dict[str, int] = {}
    for key in ("n_trials", "replicates"):
        old, new = getattr(before, key), getattr(file, key)
        if old is not None and new is not None and new < old:
            sizes[key] = old
            notes.append(f"{key} stays {old}: the file says {new}, but a plan cannot shrink.")
    wanted = file.model_copy(update=sizes)
    n_added = stored.ledger.extend(plan.points)
    if n_added:
        notes.append(f"{n_added} points were added; the plan has {len(plan.points)} now.")
    if wanted != before:
        stored.replace_file(wanted)
    return tuple(notes)
