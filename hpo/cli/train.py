"""`hpo train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpo.cli.options import format_option, opened, storage_option
from hpo.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hpo.train import Session, TrainedRun
    from hpo.training.settings import MLPSettings
    from hpo.yaml_files.source import Document


@dataclass(frozen=True)
class TrainOptions:
    """What the command line asks of the runs, beside their settings."""

    device: str
    test: bool
    save: Path | None
    dry_run: bool
    style: str


@click.command("train")
@click.argument("file", type=click.Path(path_type=Path), required=False, metavar="[SETTINGS.yaml]")
@click.option("--study", metavar="NAME", help="Take the settings of a stored trial, ...")
@click.option("--trial", type=click.IntRange(min=0), help="... of this one; default: the best.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a setting.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option("--seed", type=click.IntRange(min=0), help="The seed of the run, or of the first.")
@click.option("--seeds", type=click.IntRange(min=1), help="Train this often: seed, seed + 1, ...")
@click.option("--test", is_flag=True, help="Evaluate on the test split, once, at the end.")
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Keep the weights.")
@click.option("--dry-run", is_flag=True, help="Train a single batch.")
@storage_option
@format_option
def train_command(
    file: Path | None,
    study: str | None,
    trial: int | None,
    changes: tuple[str, ...],
    seed: int | None,
    seeds: int | None,
    storage: str | None,
    **options: Any,
) -> int:
    """Train one MLP: by its defaults, a settings file, or a stored trial; print each epoch."""
    from hpo.cli.format_train import say_interrupted
    from hpo.train import check_target, settings_of

    asked = TrainOptions(**options)
    if asked.save is not None:
        if seeds is not None:
            raise UserError("--save keeps the weights of one run: leave --seeds out.")
        check_target(asked.save)
    settings = settings_of(_document(file, study, trial, storage), changes, seed)
    planned = [settings.with_seed(settings.seed + i) for i in range(seeds or 1)]
    try:
        runs = [_train(one, asked, f"seed {one.seed}  " if seeds else "") for one in planned]
    except KeyboardInterrupt:
        return say_interrupted()
    _show(runs, asked.style, as_many=seeds is not None)
    return 1 if any(run.is_diverged for run in runs) else 0


def _document(
    file: Path | None, study: str | None, trial: int | None, storage: str | None
) -> Document:
    """Where the settings come from, as plain data with places."""
    from hpo.reproduction import find_trial, trial_document
    from hpo.yaml_files.source import Document, read

    if file is not None and study is not None:
        raise UserError("Settings come from a file or from --study, but got both.")
    if study is None:
        if trial is not None:
            raise UserError("--trial needs --study NAME, the study that the trial is of.")
        return Document("the settings") if file is None else read(file)
    from hpo.ledger.stored_study import require_stored
    from hpo.stored_record import read_stored

    with opened(storage) as database:
        record = read_stored(require_stored(database, study))
    return trial_document(record, find_trial(record, trial))


def _train(settings: MLPSettings, asked: TrainOptions, prefix: str) -> TrainedRun:
    """One run, told line by line: on standard output, or beside it when that holds data."""
    from hpo import console
    from hpo.cli import format_train
    from hpo.train import choose_device, start

    tell = console.say if asked.style == "table" else console.tell
    device, reason = choose_device(asked.device)
    session = start(settings, device, dry_run=asked.dry_run)
    tell(prefix + format_train.opening(session, reason))
    _follow(session, lambda line: tell(prefix + line))
    run = session.end(test=asked.test)
    for line in format_train.closing(run):
        tell(prefix + line)
    if asked.save is not None:
        session.training.save(asked.save)
        tell(f"{asked.save} holds the weights, for torch.load and hpo.training.mlp.MLP.")
    return run


def _follow(session: Session, tell: Callable[[str], None]) -> None:
    from hpo.cli import format_train

    for epoch in session:
        tell(format_train.epoch_line(epoch, session.training.settings))


def _show(runs: Sequence[TrainedRun], style: str, *, as_many: bool) -> None:
    from hpo import console
    from hpo.train import spread

    if style == "csv":
        console.print_rows([row for run in runs for row in run.epoch_rows()], "csv")
    elif style == "json":
        series = [run.series() for run in runs]
        console.print_json({"runs": series, "spread": spread(runs)} if as_many else series[0])
    elif as_many:
        console.print_rows([run.outcome() for run in runs], "table", "Runs")
        console.print_rows(spread(runs), "table", "Over the seeds")
