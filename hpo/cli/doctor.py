"""`hpo doctor`."""

from __future__ import annotations

import click

from hpo.cli.options import storage_option
from hpo.databases.urls import storage_url


@click.command("doctor")
@storage_option
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table")
def doctor_command(storage: str | None, style: str) -> int:
    """Check everything that a run needs; the exit code is 1 when there is a problem."""
    from hpo import console
    from hpo.doctor import examine

    findings = []
    for finding in examine(storage_url(storage)):
        findings.append(finding)
        if style == "table":
            mend = f"  -> {finding.mend}" if finding.mend else ""
            console.say(f"{finding.status:<8} {finding.name:<13} {finding.text}{mend}")
    if style == "json":
        console.print_json([finding.to_dict() for finding in findings])
    return 1 if any(finding.status == "problem" for finding in findings) else 0
