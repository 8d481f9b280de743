"""A run of a study: a study file and a storage go in, workers finish it, a result comes out.

The line that data follows: the study file is planned once, its objective is read once, both are
checked in a child process, the study is made or continued, and its workers see it to its end.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.errors import HpoError, Interrupted
from hpo.events import Note, OnEvent, StudyOpened
from hpo.plan import Plan, make_plan
from hpo.workers import fork_server
from hpo.workers.devices import Choice, choose, discover
from hpo.workers.objective_file import ObjectiveSource, read_objective, source_text
from hpo.workers.objective_shape import refuse_other_shapes

if TYPE_CHECKING:
    from hpo.events import Event
    from hpo.ledger.points import Counts
    from hpo.ledger.stored_study import StoredStudy
    from hpo.runs.endings import Ending
    from hpo.runs.launch import Launched
    from hpo.runs.progress import OwnCounts
    from hpo.runs.result import RunResult
    from hpo.study_files.study_file import StudyFile
    from hpo.workers.objective_file import Objective

PUBLISH_AFTER_S = 10.0  # drawing takes seconds: shorter runs leave it to `hpo report --publish`
INTERRUPTED = Interrupted.exit_code
WAITING = "Preparing: importing the objective, loading data, compiling kernels (once a machine) ..."


@dataclass(frozen=True)
class RunArgs:
    """What a run is asked for, beside the study itself.

    Attributes:
        workers: How many workers; None for one on each device slot, 0 to work in this process.
        devices: Where, as `--devices` has it; None for what the study file says.
        timeout_s: Stop after so many seconds; None for what the study file says.
        n_trials: The study's total that was asked for beside the file.
        retry_failed: Whether points that FAILED are free again.
        accept_changed_objective: Whether an edited objective may go on with the study.
        learn_from: URL and name of another study, whose finished trials the sampler learns from.
        function: The objective itself, where only this process has it; it is run here.
    """

    workers: int | None = None
    devices: str | None = None
    timeout_s: float | None = None
    n_trials: int | None = None
    retry_failed: bool = False
    accept_changed_objective: bool = False
    learn_from: tuple[str, str] | None = None
    function: Objective | None = None

    @property
    def is_in_process(self) -> bool:
        """Whether this process does the work itself."""
        return self.workers == 0 or self.function is not None


def run(file: StudyFile, project: Path, url: str, args: RunArgs, on_event: OnEvent) -> RunResult:
    """Make or continue a study, and finish it.

    Args:
        file: The resolved study file.
        project: The folder that its objective is in.
        url: The storage, made where it is missing.
        args: What is asked for beside the study.
        on_event: Told of everything that happens.

    Raises:
        UserError: Something is wrong with the study, its objective, the storage or the devices.
        HpoError: The workers could not work at all.
    """
    objective = _read(file, project, args)
    plan = make_plan(file)
    choice = _choose(file, args)
    _check(plan, objective, on_event)

    from hpo.databases.storage import opened
    from hpo.runs.launch import launch

    with opened(url, create=True, read_only=False) as storage:
        launched = launch(
            storage,
            plan,
            objective.text,
            n_trials=args.n_trials,
            accept_changed_objective=args.accept_changed_objective,
        )
        if args.learn_from is not None:
            on_event(Note(_learn(launched.stored, *args.learn_from)))
        return _finish(launched, objective, choice, args, on_event)


def resume(name: str, project: Path, url: str, args: RunArgs, on_event: OnEvent) -> RunResult:
    """Go on with a stored study from its database alone, and finish it.

    Args:
        name: The study's name.
        project: The folder that its objective is in.
        url: The storage.
        args: What is asked for beside the study.
        on_event: Told of everything that happens.

    Raises:
        UserError: There is no such study, or something is wrong with its objective or the devices.
        HpoError: The workers could not work at all.
    """
    from hpo.databases.storage import opened
    from hpo.ledger.stored_study import require_stored
    from hpo.runs.launch import go_on

    with opened(url, read_only=False) as storage:
        stored = require_stored(storage, name)
        objective = _read(stored.file, project, args)
        launched = go_on(
            stored, objective.text, accept_changed_objective=args.accept_changed_objective
        )
        choice = _choose(stored.file, args)
        _check(make_plan(stored.file), objective, on_event)
        return _finish(launched, objective, choice, args, on_event)


def check(file: StudyFile, project: Path, on_event: OnEvent) -> Plan:
    """Plan a study, and have its objective imported and asked in a child process.

    Raises:
        ObjectiveError: The objective is missing, cannot be imported, or refuses settings.
    """
    objective = _read(file, project, RunArgs())
    plan = make_plan(file)
    _check(plan, objective, on_event)
    return plan


def _read(file: StudyFile, project: Path, args: RunArgs) -> ObjectiveSource:
    """Read the objective, and let the fork server prepare itself for it while we go on."""
    if args.function is not None:
        return ObjectiveSource(project, source_text(args.function), args.function)
    objective = read_objective(file.objective, project)
    fork_server.start(file, objective)
    return objective


def _choose(file: StudyFile, args: RunArgs) -> Choice:
    text = args.devices or file.devices or "auto"
    workers = 1 if args.is_in_process else args.workers
    return choose(text, discover(), workers, file.threads or 1)


def _check(plan: Plan, objective: ObjectiveSource, on_event: OnEvent) -> None:
    from hpo.runs.checking import check_objective

    if objective.function is not None:
        refuse_other_shapes(objective.function, plan.study.objective)
        return
    check_objective(plan, objective, on_wait=lambda: on_event(Note(WAITING)))


def _learn(target: StoredStudy, url: str, name: str) -> str:
    from hpo.databases.storage import opened
    from hpo.ledger.stored_study import require_stored
    from hpo.runs.warm_start import warm_start

    with opened(url) as storage:
        n_added, n_unfit = warm_start(target, require_stored(storage, name))
    unfit = f"; {n_unfit} do not fit the space" if n_unfit else ""
    return f"{n_added} finished trials of {name} were added for the sampler to learn from{unfit}."


def _finish(
    launched: Launched,
    objective: ObjectiveSource,
    choice: Choice,
    args: RunArgs,
    on_event: OnEvent,
) -> RunResult:
    """See a study that is ready to run to its end, unless it has ended already."""
    from hpo.runs.endings import Ending, StopReason, ended
    from hpo.runs.progress import OwnCounts
    from hpo.runs.result import limit_reached, result_of
    from hpo.runs.standing import StandingRead, read_standing

    stored, own, started = launched.stored, OwnCounts(), time.monotonic()
    if args.retry_failed:
        n_freed = stored.ledger.free_failed()
        on_event(Note(f"{n_freed} failed point{'s are' if n_freed != 1 else ' is'} free again."))
    for note in launched.notes:
        on_event(Note(note))
    standing = read_standing(stored)
    counts, reached = standing.counts, limit_reached(stored)
    is_over = counts.n_open == 0
    has_work = not is_over and reached is None
    on_event(_opening(launched, choice, counts, has_work=has_work))
    on_event(StandingRead(standing))
    if has_work:
        ending = _work(launched, objective, choice, args, _followed(stored, own, on_event))
    else:
        ending = ended(counts) if is_over else Ending(StopReason.LIMIT, str(reached))
    elapsed_s = time.monotonic() - started if has_work else 0.0
    result = result_of(stored, ending, own, elapsed_s, objective.project, was_ended=not has_work)
    on_event(StandingRead(read_standing(stored)))
    on_event(result)
    if elapsed_s >= PUBLISH_AFTER_S and result.exit_code != INTERRUPTED:
        _publish(stored, on_event)
    return result


def _opening(launched: Launched, choice: Choice, counts: Counts, *, has_work: bool) -> StudyOpened:
    stored = launched.stored
    return StudyOpened(
        study=stored.name,
        storage=stored.storage.name,
        method=stored.file.method,
        is_new=launched.is_new,
        total=counts.total,
        slots=[slot.name for slot in choice.slots],
        reason=choice.reason,
        to_go=counts.n_open,
        has_work=has_work,
    )


def _followed(stored: StoredStudy, own: OwnCounts, on_event: OnEvent) -> OnEvent:
    """`on_event` that is also told, now and then, how the study stands; and `own` is counted."""
    from hpo.runs.standing import Follower, StandingRead, read_standing

    follower = Follower(lambda: read_standing(stored))

    def told(event: Event) -> None:
        own.note(event)
        standing = follower.look()
        if standing is not None:
            on_event(StandingRead(standing))
        on_event(event)

    return told


def _work(
    launched: Launched,
    objective: ObjectiveSource,
    choice: Choice,
    args: RunArgs,
    on_event: OnEvent,
) -> Ending:
    """Run the workers to the end.

    Raises:
        HpoError: They could not work at all.
    """
    from hpo.ledger.presence import noticing_deletion
    from hpo.runs.endings import StopReason
    from hpo.runs.in_process import run_here
    from hpo.runs.supervisor import RunOptions, Supervisor

    stored = launched.stored
    timeout_s = stored.file.timeout_s if args.timeout_s is None else args.timeout_s
    options = RunOptions(objective.project, timeout_s, launched.objective_changed)
    with noticing_deletion(stored.ledger):
        if args.is_in_process:
            ending = run_here(stored, choice.slots[0], options, on_event, objective.function)
        else:
            ending = Supervisor(stored, choice.slots, options, on_event).run()
    stored.storage.checkpoint()
    if ending.why is StopReason.ERROR:
        raise HpoError(ending.reason)
    return ending


def _publish(stored: StoredStudy, on_event: OnEvent) -> None:
    """Put notes and figures into the dashboard; the study is done whatever becomes of it."""
    from hpo.publish import publish

    try:
        publish(stored.storage, stored.name)
        stored.storage.checkpoint()
    except Exception as error:
        words = f"The dashboard's notes and figures of {stored.name} were not written: {error}"
        on_event(Note(words))
