"""`hpo dashboard`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hpo.cli.options import storage_option
from hpo.databases.urls import storage_url


@click.command("dashboard")
@storage_option
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option("--writable", is_flag=True, help="Allow changes, deleting included.")
@click.option("--users", type=click.Path(path_type=Path), help="Names and password hashes.")
@click.option("--add-user", metavar="NAME", help="Ask for a password and add NAME to --users.")
@click.option("--allow-host", "allowed_hosts", multiple=True, help="Answer for this name, too.")
@click.option(
    "--connections-per-address",
    default=64,
    show_default=True,
    type=click.IntRange(min=1),
    help="Behind a proxy, all visitors share one address.",
)
@click.option("--artifacts", type=click.Path(path_type=Path), help="The folder of artifacts.")
def dashboard_command(
    storage: str | None,
    users: Path | None,
    add_user: str | None,
    connections_per_address: int,
    **options: Any,
) -> None:
    """Serve optuna-dashboard on the storage, read-only unless --writable."""
    from hpo import dashboard
    from hpo.console import tell
    from hpo.errors import UserError

    if add_user is not None:
        if users is None:
            raise UserError("--add-user needs --users FILE to add the name to.")
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        dashboard.add_user(users, add_user, password)
        tell(f"{users} holds {add_user}.")
        return
    limits = dashboard.Limits(per_address=connections_per_address)
    dashboard.run_dashboard(storage_url(storage), users=users, limits=limits, say=tell, **options)
