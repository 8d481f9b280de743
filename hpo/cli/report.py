"""`hpo report`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpo.cli.options import opened, storage_option

if TYPE_CHECKING:
    from hpo.databases.storage import Storage

DEFAULT_FILE = Path("report.html")


@click.command("report")
@click.argument("studies", nargs=-1, required=True, metavar="STUDY...")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="[default: report.html]")
@click.option(
    "--format",
    "style",
    type=click.Choice(["html", "json"]),
    default="html",
    show_default=True,
    help="A page, or the numbers alone.",
)
@click.option("--png", type=click.Path(path_type=Path), help="Write the figures to this folder.")
@click.option("--publish", is_flag=True, help="Put notes and figures into the dashboard.")
@storage_option
def report_command(
    studies: tuple[str, ...],
    output: Path | None,
    style: str,
    png: Path | None,
    publish: bool,
    storage: str | None,
) -> None:
    """Write a report of one STUDY or compare several: one page that opens offline."""
    from hpo import console
    from hpo.ledger.stored_study import require_stored
    from hpo.reporting.report import report_data, write_pngs, write_report
    from hpo.stored_record import read_stored

    with opened(storage, read_only=not publish) as database:
        records = [
            read_stored(require_stored(database, name), with_curves=True) for name in studies
        ]
        if publish:
            _publish(database, studies)
    if png is not None:
        console.tell(f"{len(write_pngs(records, png))} figures are in {png}.")
    if style == "json":
        console.print_json(report_data(records))
    elif output is not None or not (publish or png):
        path = output or DEFAULT_FILE
        write_report(records, path)
        console.tell(f"{path} is written; it opens in any browser, offline too.")


def _publish(database: Storage, names: Sequence[str]) -> None:
    from hpo.console import tell
    from hpo.publish import publish

    for name in names:
        publish(database, name)
        tell(f"The dashboard shows the notes and figures of {name}.")
