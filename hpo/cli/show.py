"""`hpo show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpo.cli.options import analyzed, format_option, opened, storage_option

if TYPE_CHECKING:
    pass


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
    from hpo.cli import format_show

    with opened(storage) as database:
        if watch:
            console.watch(
                lambda: format_show.render(format_show.show_data(*analyzed(database, study)))
            )
            return
        stored, analysis = analyzed(database, study)
        if trial is None:
            data = format_show.show_data(stored, analysis)
        else:
            data = format_show.trial_data(analysis.record, trial, project)
    if style == "json":
        console.print_json(data)
    elif style == "csv":
        console.print_rows([data] if trial is not None else data["failures"], "csv")
    elif trial is None:
        format_show.show_tables(data)
    else:
        format_show.show_trial(data)
