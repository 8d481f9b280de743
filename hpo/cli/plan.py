"""`hpo plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpo.cli.options import format_option

if TYPE_CHECKING:
    from hpo.plan import Plan


@click.command("plan")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--n-trials", type=click.IntRange(min=1), help="The study's total of trials.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change the file.")
@format_option
def plan_command(file: Path, n_trials: int | None, changes: tuple[str, ...], style: str) -> None:
    """Check FILE and print its points and their count; nothing is created."""
    from hpo import console
    from hpo.run_display import display_run
    from hpo.runs.run import check
    from hpo.study_files.reading import load, project_folder

    study = load(file, changes, {"n_trials": n_trials})
    plan = check(study, project_folder(file), display_run().note)
    known = [point for point in plan.points if point.params is not None]
    if known or style != "table":
        console.print_rows([_row(point) for point in known], style)
    if style == "table":
        console.say(_count(plan))


def _row(point: Any) -> dict[str, Any]:
    row = {"point": point.number, **point.params}
    named = {"factor": point.factor, "level": point.level, "replicate": point.replicate}
    return {**row, **{k: v for k, v in named.items() if v is not None}, "seed": point.seed}


def _count(plan: Plan) -> str:
    n = len(plan.points)
    points = f"{n} point{'s' if n != 1 else ''}"
    decided = "" if plan.decided == "planned" else f", {_sampler(plan)} decides"
    epochs = plan.max_epochs()
    cost = "" if epochs is None else f", at most {epochs} epochs"
    return f"{plan.study.study}: {plan.study.method}, {points}{decided}{cost}"


def _sampler(plan: Plan) -> str:
    """The sampler in words: TPE's cost grows with the study where only Optuna's own will do."""
    from hpo.study_files.components import why_stock_tpe

    reason = why_stock_tpe(plan.study) if plan.study.method == "tpe" else None
    return "the sampler" if reason is None else f"Optuna's own TPE sampler ({reason})"
