"""`hpo run`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from hpo.cli.run_options import follow, run_options
from hpo.cli.run_sources import QUICK, load_studies, quick_options
from hpo.databases.urls import storage_url
from hpo.errors import UserError


@click.command("run")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--n-trials", type=click.IntRange(min=1), help="The study's total of trials.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change the file.")
@click.option("--name", help="Another name for the study.")
@click.option("--warm-start", metavar="STUDY", help="Learn from another study's trials first.")
@click.option("--warm-start-storage", metavar="URL", help="Where that study is. [--storage]")
@quick_options
@run_options
def run_command(
    files: tuple[Path, ...],
    n_trials: int | None,
    changes: tuple[str, ...],
    name: str | None,
    warm_start: str | None,
    warm_start_storage: str | None,
    **options: Any,
) -> int:
    """Make or resume the studies of FILEs, one after another, and finish them."""
    quick = {key: options.pop(key) for key in QUICK}
    if name is not None and len(files) > 1:
        raise UserError(f"--name is for one study, but got {len(files)} files.")
    loaded = load_studies(files, quick, changes, {"n_trials": n_trials, "study": name})
    if warm_start is not None:
        options["learn_from"] = storage_url(warm_start_storage or options["storage"]), warm_start
    from hpo.runs.run import run

    codes = []
    for file, project in loaded:
        codes.append(follow(partial(run, file, project), n_trials=n_trials, **options))
        if codes[-1] == 130:
            break
    return max(codes)
