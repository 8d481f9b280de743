"""`hpo reproduce`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hpo.cli.options import format_option, opened, storage_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo.reproduction import Original
    from hpo.train import TrainedRun


@click.command("reproduce")
@click.argument("study")
@click.option("--trial", type=click.IntRange(min=0), help="Which trial; default: the best.")
@click.option("--device", help="Default: what the trial ran on.")
@storage_option
@format_option
def reproduce_command(
    study: str, trial: int | None, device: str | None, storage: str | None, style: str
) -> int:
    """Train a trial of STUDY again, with its settings and seed, and compare epoch by epoch."""
    from hpo import console
    from hpo.cli import format_train
    from hpo.reproduction import Verdict, judge, pairs

    original = _original(study, trial, storage)
    tell = console.say if style == "table" else console.tell
    try:
        run = _again(original, device, tell)
    except KeyboardInterrupt:
        return format_train.say_interrupted()
    n_stored = len(original.epochs["epoch"])
    compared = pairs(original.epochs, run.epochs)
    verdict = judge(compared, n_stored)
    if style != "table":
        console.print_rows([pair.row() for pair in compared], style)
    elif verdict is not Verdict.IDENTICAL:
        rows = [pair.difference_row() for pair in compared]
        console.print_rows(rows, "table", "Differences")
    for line in format_train.verdict_lines(original, run, compared, verdict):
        tell(line)
    return 1 if verdict is Verdict.DIFFERENT else 0


def _original(study: str, number: int | None, storage: str | None) -> Original:
    from hpo.ledger.stored_study import require_stored
    from hpo.reproduction import find_trial, original_of
    from hpo.stored_record import read_stored

    with opened(storage) as database:
        stored = require_stored(database, study)
        record = read_stored(stored)
        trial = find_trial(record, number)
        curves = database.load_curves(stored.plan_id, [trial.number]).get(trial.number, {})
        return original_of(record, trial, curves)


def _again(original: Original, device: str | None, tell: Callable[[str], None]) -> TrainedRun:
    from itertools import islice

    from hpo.cli import format_train
    from hpo.train import choose_device, settings_of, start

    settings = settings_of(original.document, (), None)
    chosen, reason = choose_device(device or original.trial.device or "auto")
    reason = reason if device else "as the trial"
    session = start(settings, chosen, threads=original.threads)
    tell(
        f"trial {original.trial.number} of {original.study}: "
        + format_train.opening(session, reason)
    )
    for epoch in islice(session, len(original.epochs["epoch"])):
        tell(format_train.epoch_line(epoch, settings))
    return session.end()
