"""The check before a run: a plan's settings are shown to its objective, in a child process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from hpo.errors import FileFaults, ObjectiveError
from hpo.plan import Plan
from hpo.study_files.refusals import Refusal, faults_of
from hpo.workers import objective_file
from hpo.workers.children import ChildEnded, call_in_child
from hpo.workers.objective_file import ObjectiveSource

N_CHECKED = 2000  # planned settings that the objective's `check` is asked about
N_DRAWN = 200  # settings drawn for it where the sampler decides
_DRAWS_SEED = 0


def check_objective(plan: Plan, objective: ObjectiveSource, on_wait: Callable[[], None]) -> None:
    """Have the objective of a plan imported and asked in a child process.

    Args:
        plan: The plan.
        objective: Where its objective is.
        on_wait: Called when that takes more than a few seconds.

    Raises:
        ObjectiveError: The objective is missing, cannot be imported or ends the process.
        FileFaults: It refuses settings, or does not measure a metric of the study.
    """
    reference, asked = plan.study.objective, settings_to_check(plan)
    try:
        refusals, measured = call_in_child(
            _ask_objective, reference, objective.project, asked, on_wait=on_wait
        )
    except ChildEnded as child:
        raise ObjectiveError(
            f"{reference}: its process {child} as it was imported, or as it checked settings."
        ) from None
    faults = faults_of(plan.study, refusals, measured)
    if faults:
        raise FileFaults(faults)


def _ask_objective(
    reference: str, project: Path, settings: Sequence[Mapping[str, Any]]
) -> tuple[list[Refusal], Sequence[str] | None]:
    """What the objective refuses, and what it measures."""
    objective = objective_file.load(reference, project)
    return objective_file.check_settings(objective, settings), objective.metrics


def settings_to_check(plan: Plan) -> list[dict[str, Any]]:
    """Settings of the plan's points; ends of the space and draws where the sampler decides."""
    file, space = plan.study, plan.study.search_space
    given = [point.params for point in plan.points[:N_CHECKED] if point.params is not None]
    if plan.decided == "sampler" and space is not None:
        rng = Random(_DRAWS_SEED)
        ends = [{name: end} for name, p in space.parameters.items() for end in p.ends()]
        some = [*given, *ends[:N_CHECKED], *({} for _ in range(N_DRAWN))]
        given = [space.complete(params, rng) for params in some]
    found = [file.settings(params) for params in given]
    return found or ([dict(file.fixed)] if file.fixed else [])
