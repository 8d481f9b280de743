"""`hpo worker`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from hpo.cli.run_options import follow, run_options


@click.command("worker")
@click.argument("study")
@click.option("--project", type=click.Path(path_type=Path), default=Path(), help="Its folder.")
@run_options
def worker_command(study: str, project: Path, **options: Any) -> int:
    """Join STUDY with this machine's devices, until its points are done."""
    from hpo.runs.run import resume

    return follow(partial(resume, study, project), **options)
