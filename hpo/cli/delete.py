"""`hpo delete`."""

from __future__ import annotations

import click

from hpo.cli.options import opened, storage_option
from hpo.control_characters import visible


@click.command("delete")
@click.argument("study")
@click.option("--yes", is_flag=True, help="Do not ask.")
@storage_option
def delete_command(study: str, yes: bool, storage: str | None) -> None:
    """Remove STUDY with its trials, points and curves; not while workers are at work on it."""
    from hpo import console
    from hpo.ledger.stored_study import delete_stored, require_stored

    with opened(storage, read_only=False) as database:
        stored = require_stored(database, study)
        n_trials = len(stored.optuna_study().get_trials(deepcopy=False))
        if not yes:
            question = f"Remove {study} with its {n_trials} trials from {database.name}?"
            click.confirm(visible(question), abort=True)
        delete_stored(stored)
        database.checkpoint()
    console.tell(f"{study} is gone.")
