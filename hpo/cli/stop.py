"""`hpo stop`."""

from __future__ import annotations

import click

from hpo.cli.options import opened, storage_option


@click.command("stop")
@click.argument("study")
@storage_option
def stop_command(study: str, storage: str | None) -> None:
    """Ask the workers of STUDY, on every machine, to stop and give their points back."""
    from hpo.console import say
    from hpo.ledger.stored_study import live_hosts, require_stored
    from hpo.runs.endings import STOPPED_BY_USER

    with opened(storage, read_only=False) as database:
        stored = require_stored(database, study)
        hosts = sorted(live_hosts(database, stored.plan_id).values()) if stored.is_ours else []
        if not hosts:
            say(f"No worker is at work on {study}.")
            return
        stored.ledger.request_stop(STOPPED_BY_USER)
        say(f"The workers of {study} on {', '.join(hosts)} stop at their next report.")
