"""`hpo delete`."""

from __future__ import annotations

import click

from hpo.cli.options import opened, storage_option
from hpo.control_characters import visible


@click.command("delete")
@click.argument("study")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Stop the workers that are at work on it, too.")
@storage_option
def delete_command(study: str, yes: bool, force: bool, storage: str | None) -> None:
    """Remove STUDY with its trials, points and curves; not while workers are at work on it."""
    from hpo import console
    from hpo.ledger.stored_study import delete_stored, require_stored
    from hpo.runs.removal import stop_and_delete

    with opened(storage, read_only=False) as database:
        stored = require_stored(database, study)
        n_trials = len(stored.optuna_study().get_trials(deepcopy=False))
        if not yes:
            question = f"Remove {study} with its {n_trials} trials from {database.name}?"
            click.confirm(visible(question), abort=True)
        if force:
            stop_and_delete(stored, console.tell)
        else:
            delete_stored(stored)
        database.checkpoint()
    console.tell(f"{study} is gone.")
