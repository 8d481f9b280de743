"""`hpo schema`."""

from __future__ import annotations

from pathlib import Path

import click


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
