"""`hpo list`, `show`, `trials` and `best`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpo.cli.options import format_option, opened, storage_option
from hpo.control_characters import visible
from hpo.errors import UserError

if TYPE_CHECKING:
    from hpo.databases.storage import Storage
    from hpo.ledger.stored_study import StoredStudy
    from hpo.reporting.analysis import Analysis
    from hpo.reporting.records import StudyRecord, TrialRecord


@click.command("list")
@storage_option
@format_option
def list_command(storage: str | None, style: str) -> None:
    """List the studies of a storage."""
    from hpo import console
    from hpo.ledger.stored_study import list_stored

    with opened(storage) as database:
        rows = [_study_row(stored) for stored in list_stored(database)]
        if rows or style != "table":
            console.print_rows(rows, style)
        else:
            console.say(f"{database.name} holds no study.")


def _study_row(stored: StoredStudy) -> dict[str, Any]:
    from hpo.reporting.analysis import analyze
    from hpo.reporting.trials import state_counts
    from hpo.stored_record import read_stored

    analysis = analyze(read_stored(stored))
    record, winner = analysis.record, analysis.winner
    counts = state_counts(record)
    planned = stored.ledger.counts() if stored.is_ours else None
    return {
        "study": stored.name,
        "method": stored.file.method if stored.is_ours else "(not made by hpo)",
        "direction": ", ".join(record.directions),
        "points": planned.total if planned else None,
        "done": planned.done if planned else counts.get("COMPLETE", 0) + counts.get("PRUNED", 0),
        "pruned": counts.get("PRUNED", 0),
        "failed": planned.failed if planned else counts.get("FAIL", 0),
        "running": counts.get("RUNNING", 0),
        "best": None if winner is None else winner.values[0],
    }


@click.command("show")
@click.argument("study")
@click.option("--trial", type=click.IntRange(min=0), help="One trial, with its log's last lines.")
@click.option("--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C.")
@click.option("--project", type=click.Path(path_type=Path), default=Path(), help="Where logs are.")
@storage_option
@format_option
def show_command(
    study: str, trial: int | None, watch: bool, project: Path, storage: str | None, style: str
) -> None:
    """Show how STUDY stands: counts, best, workers, failures with their reasons."""
    from hpo import console
    from hpo.cli import show_words

    with opened(storage) as database:
        if watch:
            console.watch(lambda: show_words.render(show_words.show_data(*_read(database, study))))
            return
        stored, analysis = _read(database, study)
        if trial is None:
            data = show_words.show_data(stored, analysis)
        else:
            data = show_words.trial_data(analysis.record, trial, project)
    if style == "json":
        console.print_json(data)
    elif style == "csv":
        console.print_rows([data] if trial is not None else data["failures"], "csv")
    elif trial is None:
        show_words.show_tables(data)
    else:
        show_words.show_trial(data)


@click.command("trials")
@click.argument("study")
@storage_option
@format_option
def trials_command(study: str, storage: str | None, style: str) -> None:
    """Print the trials of STUDY, a row each."""
    from hpo import console
    from hpo.reporting.trials import trial_rows

    with opened(storage) as database:
        _, analysis = _read(database, study)
    console.print_rows(trial_rows(analysis.record), style)


@click.command("best")
@click.argument("study")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file.")
@storage_option
def best_command(study: str, output: Path | None, storage: str | None) -> None:
    """Print the settings of STUDY's best trial as YAML, which `hpo train` reads."""
    from hpo import console

    with opened(storage) as database:
        _, analysis = _read(database, study)
    best = analysis.best
    if not best:
        raise UserError(f"The study {study!r} has no finished trial yet.")
    texts = [_settings_text(analysis.record, trial) for trial in best]
    if output is None:
        console.say("\n---\n".join(texts))
        return
    if len(texts) > 1:
        raise UserError(
            f"{study!r} has several objectives and {len(texts)} best trials: "
            "leave -o out and choose one."
        )
    try:
        output.write_text(texts[0] + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror}") from None
    console.tell(f"{output} holds the settings of trial {best[0].number}.")


def _settings_text(record: StudyRecord, trial: TrialRecord) -> str:
    from hpo.reporting.texts import yaml_text
    from hpo.reporting.trials import best_settings

    values = zip(record.metrics, trial.values, strict=False)
    said = ", ".join(f"{name} {value:.6g}" for name, value in values)
    settings = yaml_text(best_settings(record, trial)).rstrip()
    name = " ".join(visible(record.name).split())  # it must not end the comment
    return f"# {name}, trial {trial.number}: {said}\n{settings}"


def _read(database: Storage, study: str) -> tuple[StoredStudy, Analysis]:
    from hpo.ledger.stored_study import require_stored
    from hpo.reporting.analysis import analyze
    from hpo.stored_record import read_stored

    stored = require_stored(database, study)
    return stored, analyze(read_stored(stored))
