"""`hpo init`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--template",
    type=click.Choice(["mlp", "plain", "sklearn"]),
    default="mlp",
    show_default=True,
    help="MNIST with the trainer of hpo, any function, or scikit-learn.",
)
def init_command(folder: Path, template: str) -> None:
    """Write a project that runs at once into DIR, a new or an empty folder."""
    import shlex

    from hpo.console import say
    from hpo.init_project import KINDS, write_project

    files = write_project(template, folder)
    say(f"{folder} holds {', '.join(files)}.")
    missing = KINDS[template].missing_package()
    first = f"pip install {missing} && " if missing else ""
    move = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    say(f"Next: {first}{move}hpo run {KINDS[template].study}")
