"""`hpo trials`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hpo.cli.options import analyzed, format_option, opened, storage_option

if TYPE_CHECKING:
    pass


@click.command("trials")
@click.argument("study")
@storage_option
@format_option
def trials_command(study: str, storage: str | None, style: str) -> None:
    """Print the trials of STUDY, a row each."""
    from hpo import console
    from hpo.reporting.trials import trial_rows

    with opened(storage) as database:
        _, analysis = analyzed(database, study)
    console.print_rows(trial_rows(analysis.record), style)
