"""`hpo init`, `schema` and `doctor`."""

from __future__ import annotations

from pathlib import Path

import click

from hpo.cli.options import storage_option
from hpo.databases.urls import storage_url


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


@click.command("schema")
@click.option("--spaces", is_flag=True, help="That of search_spaces.yaml.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file.")
def schema_command(spaces: bool, output: Path | None) -> None:
    """Print the JSON Schema of study files, for editors."""
    import json

    from hpo.console import print_json, tell
    from hpo.errors import UserError
    from hpo.study_files.schema import spaces_schema, study_schema

    schema = spaces_schema() if spaces else study_schema()
    if output is None:
        print_json(schema)
        return
    try:
        output.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror}") from None
    tell(f"{output} holds the schema. Name it in the first line of a study file:")
    tell(f"# yaml-language-server: $schema={output}")


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
