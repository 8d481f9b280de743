"""Small studies and databases that several tests need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpo.databases.storage import Storage
from hpo.ledger.points import WorkerIdentity
from hpo.ledger.stored_study import StoredStudy
from hpo.plan import make_plan
from hpo.runs.launch import Launched, launch
from hpo.study_files.reading import load
from hpo.study_files.study_file import StudyFile
from hpo.workers.objective_file import read_objective

SPACE = {"x": {"low": -10.0, "high": 10.0}}
ME = WorkerIdentity("me", "here", "kernel")
YOU = WorkerIdentity("you", "there", "kernel")


def study_file(folder: Path, name: str = "s", **keys: Any) -> StudyFile:
    """A study file as `hpo run` would read it; random search over x unless keys say otherwise."""
    import json

    defaults: dict[str, Any] = {"method": "random", "n_trials": 3, "direction": "minimize"}
    data = {**defaults, "search_space": SPACE, **keys}
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps({key: value for key, value in data.items() if value is not None}))
    return load(path)


def launch_file(storage: Storage, file: StudyFile, project: Path, **options: Any) -> Launched:
    """Make the study of a file, or continue it, as a run does after its checks."""
    text = read_objective(file.objective, project).text
    return launch(storage, make_plan(file), text, **options)


def launched_study(storage: Storage, project: Path, **keys: Any) -> StoredStudy:
    """A study in the database, with its plan."""
    return launch_file(storage, study_file(project, **keys), project).stored
