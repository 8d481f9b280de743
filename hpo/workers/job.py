"""What a worker is told when it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hpo.ledger.points import WorkerIdentity
from hpo.workers.objective_file import Objective


@dataclass(frozen=True)
class Job:
    """All that a worker is told when it starts.

    Attributes:
        url: The storage.
        study: The study's name.
        plan_id: Its plan's name, which a study made anew under the same name does not have.
        project: The folder that objective paths are relative to.
        worker: Who the worker is.
        device: What `hpo.device()` answers.
        environment: Variables set before the objective is imported, e.g. the visible GPU.
        since: When the run began, by the database's clock: older requests to stop are not for it.
        log: The file for everything the worker prints; None leaves it on the terminal.
        objective_changed: A hash of the changed objective's text, where a change was accepted.
        function: The objective, where no file has it; such a job cannot be pickled.
    """

    url: str
    study: str
    plan_id: str
    project: Path
    worker: WorkerIdentity
    device: str
    environment: Mapping[str, str]
    since: float
    log: Path | None = None
    objective_changed: str | None = None
    function: Objective | None = None
