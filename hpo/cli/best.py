"""`hpo best`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpo.cli.options import analyzed, opened, storage_option
from hpo.control_characters import visible
from hpo.errors import UserError

if TYPE_CHECKING:
    from hpo.reporting.records import StudyRecord, TrialRecord


@click.command("best")
@click.argument("study")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file.")
@storage_option
def best_command(study: str, output: Path | None, storage: str | None) -> None:
    """Print the settings of STUDY's best trial as YAML; `hpo train` reads those of its trainer."""
    from hpo import console

    with opened(storage) as database:
        _, analysis = analyzed(database, study)
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
