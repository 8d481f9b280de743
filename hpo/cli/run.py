"""`hpo run`, `resume`, `worker` and `stop`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpo.cli.options import opened, storage_option
from hpo.cli.run_sources import QUICK, load_studies, quick_options
from hpo.errors import UserError

if TYPE_CHECKING:
    from hpo.ledger.stored_study import StoredStudy
    from hpo.runs.launch import Launched
    from hpo.runs.running import Finished
    from hpo.runs.tally import Tally
    from hpo.study_files.study_file import StudyFile
    from hpo.workers.devices import Choice


PUBLISH_AFTER_S = 10.0  # drawing takes seconds: shorter runs leave it to `hpo report --publish`


@dataclass(frozen=True)
class Wishes:
    """What the command line asks of a run, beside the study itself."""

    storage: str | None
    workers: int | None
    devices: str | None
    timeout: float | None
    as_json: bool
    retry_failed: bool
    accept_changed_objective: bool


def _duration(
    context: click.Context,  # noqa: ARG001
    option: click.Option,  # noqa: ARG001
    text: str | None,
) -> float | None:
    """Read a time such as 30min before anything else is done."""
    from hpo.study_files.keys import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise UserError(f"--timeout {error}") from None


def _run_options(command: Any) -> Any:
    for option in reversed(
        (
            storage_option,
            click.option("--workers", type=click.IntRange(min=0), help="0 = in this process."),
            click.option("--devices", metavar="TEXT", help="auto, cpu, cpu*4, cuda:0,cuda:2, ..."),
            click.option(
                "--timeout", metavar="TIME", callback=_duration, help="Stop after 90s, 30min, 2h."
            ),
            click.option("--json", "as_json", is_flag=True, help="One JSON object an event."),
            click.option("--retry-failed", is_flag=True, help="Free the points that FAILED."),
            click.option(
                "--accept-changed-objective",
                is_flag=True,
                help="Go on with an objective that was edited since the study began.",
            ),
        )
    ):
        command = option(command)
    return command


@click.command("run")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--n-trials", type=click.IntRange(min=1), help="The study's total of trials.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change the file.")
@click.option("--name", help="Another name for the study.")
@click.option("--warm-start", metavar="STUDY", help="Learn from another study's trials first.")
@click.option("--warm-start-storage", metavar="URL", help="Where that study is. [--storage]")
@quick_options
@_run_options
def run_command(
    files: tuple[Path, ...],
    n_trials: int | None,
    changes: tuple[str, ...],
    name: str | None,
    warm_start: str | None,
    warm_start_storage: str | None,
    **options: Any,
) -> int:
    """Make or resume the studies of FILEs, one after another, and finish them."""
    quick = {key: options.pop(key) for key in QUICK}
    wishes = Wishes(**options)
    if name is not None and len(files) > 1:
        raise UserError(f"--name is for one study, but got {len(files)} files.")
    loaded = load_studies(files, quick, changes, {"n_trials": n_trials, "study": name})
    source = (warm_start_storage, warm_start) if warm_start is not None else None
    codes = []
    for file, project in loaded:
        codes.append(_run_one(file, project, n_trials, source, wishes))
        if codes[-1] == 130:
            break
    return max(codes)


def _run_one(
    file: StudyFile,
    project: Path,
    n_trials: int | None,
    source: tuple[str | None, str] | None,
    wishes: Wishes,
) -> int:
    from hpo.workers.fork_server import prepare_for

    prepare_for(file, project)  # first of all: it takes as long as the imports that follow

    from hpo.console import tell_to_wait
    from hpo.runs.launch import launch
    from hpo.runs.running import check

    choice = _choose(file, wishes)
    check(file, project, tell_to_wait)
    with opened(wishes.storage, create=True, read_only=False) as storage:
        launched = launch(
            storage,
            file,
            project,
            n_trials=n_trials,
            accept_changed_objective=wishes.accept_changed_objective,
        )
        if source is not None:
            _learn_from(source[0] or wishes.storage, source[1], launched.stored)
        return _work(launched, project, choice, wishes)


def _learn_from(url: str | None, name: str, target: StoredStudy) -> None:
    from hpo.console import tell
    from hpo.ledger.stored_study import require_stored
    from hpo.runs.warm_start import warm_start

    with opened(url) as storage:
        n_added, n_unfit = warm_start(target, require_stored(storage, name))
    unfit = f"; {n_unfit} do not fit the space" if n_unfit else ""
    tell(f"{n_added} finished trials of {name} were added for the sampler to learn from{unfit}.")


@click.command("resume")
@click.argument("study")
@click.option("--project", type=click.Path(path_type=Path), default=Path(), help="Its folder.")
@_run_options
def resume_command(study: str, project: Path, **wishes: Any) -> int:
    """Go on with STUDY from its database alone, and finish it."""
    return _go_on(study, project, Wishes(**wishes))


@click.command("worker")
@click.argument("study")
@click.option("--project", type=click.Path(path_type=Path), default=Path(), help="Its folder.")
@_run_options
def worker_command(study: str, project: Path, **wishes: Any) -> int:
    """Join STUDY with this machine's devices, until its points are done."""
    return _go_on(study, project, Wishes(**wishes))


def _go_on(study: str, project: Path, wishes: Wishes) -> int:
    from hpo.console import tell_to_wait
    from hpo.ledger.stored_study import require_stored
    from hpo.runs.launch import Launched, check_objective, refuse_second_host
    from hpo.runs.running import check
    from hpo.workers import objective_file

    with opened(wishes.storage, read_only=False) as storage:
        stored = require_stored(storage, study)
        refuse_second_host(storage)
        choice = _choose(stored.file, wishes)
        text = objective_file.read_text(stored.file.objective, project)
        changed = check_objective(stored, text, accept=wishes.accept_changed_objective)
        check(stored.file, project, tell_to_wait)
        launched = Launched(stored, is_new=False, objective_changed=changed)
        return _work(launched, project, choice, wishes)


@click.command("stop")
@click.argument("study")
@storage_option
def stop_command(study: str, storage: str | None) -> None:
    """Ask the workers of STUDY, on every machine, to stop and give their points back."""
    from hpo.console import say
    from hpo.ledger.stored_study import live_hosts, require_stored
    from hpo.runs.supervisor import STOPPED_BY_USER

    with opened(storage, read_only=False) as database:
        stored = require_stored(database, study)
        hosts = sorted(live_hosts(database, stored.plan_id).values()) if stored.is_ours else []
        if not hosts:
            say(f"No worker is at work on {study}.")
            return
        stored.ledger.request_stop(STOPPED_BY_USER)
        say(f"The workers of {study} on {', '.join(hosts)} stop at their next report.")


def _choose(file: StudyFile, wishes: Wishes) -> Choice:
    from hpo.workers.devices import choose, discover

    text = wishes.devices or file.devices or "auto"
    workers = 1 if wishes.workers == 0 else wishes.workers
    return choose(text, discover(), workers, file.threads or 1)


def _work(launched: Launched, project: Path, choice: Choice, wishes: Wishes) -> int:
    from hpo import console
    from hpo.cli import run_words
    from hpo.databases.storage import mask_password
    from hpo.runs.running import already_ended
    from hpo.runs.standing import read_standing
    from hpo.runs.tally import Tally

    stored = launched.stored
    if wishes.retry_failed:
        n_freed = stored.ledger.free_failed()
        console.tell(f"{n_freed} failed point{'s are' if n_freed != 1 else ' is'} free again.")
    for note in launched.notes:
        console.tell(note)
    storage = mask_password(wishes.storage) if wishes.storage else ""
    commands = run_words.Commands(stored.name, storage, project)
    tally = Tally(read_standing(stored), time.monotonic)
    finished = already_ended(stored)
    if finished is not None:
        if wishes.as_json:
            console.print_json_line(run_words.study_event(launched, choice))
            console.print_json_line(run_words.summary_event(stored, finished, tally))
        else:
            run_words.say_ended(stored, finished, commands)
        return finished.exit_code
    if not wishes.as_json:
        console.say(run_words.opening(launched, choice))
    finished = _watch(launched, project, choice, wishes, tally)
    if not wishes.as_json:
        run_words.say_closing(stored, finished, commands)
    if finished.elapsed_s >= PUBLISH_AFTER_S and finished.exit_code != 130:
        _publish(stored)
    return finished.exit_code


def _publish(stored: StoredStudy) -> None:
    """Put notes and figures into the dashboard; the study is done whatever becomes of it."""
    from hpo.console import tell
    from hpo.publish import publish

    try:
        publish(stored.storage, stored.name)
        stored.storage.checkpoint()
    except Exception as error:
        tell(f"The dashboard's notes and figures of {stored.name} were not written: {error}")


def _watch(
    launched: Launched, project: Path, choice: Choice, wishes: Wishes, tally: Tally
) -> Finished:
    """Run the workers and show what they do."""
    from hpo.cli import run_words
    from hpo.cli.run_output import RunOutput
    from hpo.console import view_run
    from hpo.runs.in_process import run_here
    from hpo.runs.running import supervise
    from hpo.runs.standing import Follower, read_standing
    from hpo.runs.supervisor import RunOptions

    stored = launched.stored
    timeout_s = stored.file.timeout_s if wishes.timeout is None else wishes.timeout
    options = RunOptions(project, timeout_s, objective_changed=launched.objective_changed)
    follower = Follower(lambda: read_standing(stored))
    with view_run(tally, as_json=wishes.as_json) as view:
        output = RunOutput(view.note)

        def on_event(event: dict[str, Any]) -> None:
            tally.note(event)
            if not wishes.as_json:
                tally.standing = follower.look() or tally.standing
            output.note(event)

        view.note(run_words.study_event(launched, choice))
        if wishes.workers == 0:
            finished = run_here(stored, choice.slots[0], options, on_event)
        else:
            finished = supervise(launched, choice, options, on_event)
        output.close()
        tally.standing = finished.standing
        view.note(run_words.summary_event(stored, finished, tally))
    return finished
