"""`hpo list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hpo.cli.options import format_option, opened, storage_option

if TYPE_CHECKING:
    from hpo.ledger.stored_study import StoredStudy


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
