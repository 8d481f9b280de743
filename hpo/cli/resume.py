"""`hpo resume`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from hpo.cli.run_options import follow, run_options


@click.command("resume")
@click.argument("study")
@click.option("--project", type=click.Path(path_type=Path), default=Path(), help="Its folder.")
@run_options
def resume_command(study: str, project: Path, **options: Any) -> int:
    """Go on with STUDY from its database alone, and finish it."""
    from hpo.runs.run import resume

    return follow(partial(resume, study, project), **options)
