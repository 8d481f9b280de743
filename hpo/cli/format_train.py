"""What `hpo train` and `hpo reproduce` say to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hpo.durations import format_duration
from hpo.reproduction import EpochPair, Verdict, largest_differences
from hpo.train import evaluated_on

if TYPE_CHECKING:
    from hpo.reproduction import Original
    from hpo.train import Session, TrainedRun
    from hpo.training.settings import MLPSettings
    from hpo.training.trainer import EpochMetrics


def opening(session: Session, device_reason: str) -> str:
    """What is trained, where and how, and why there."""
    training = session.training
    settings = training.settings
    layers = "-".join(map(str, settings.hidden_layers)) or "no hidden layer"
    return (
        f"{layers} on {settings.dataset}, {training.n_parameters:,} parameters, "
        f"{session.device} ({device_reason}), engine {training.engine} ({training.engine_reason})"
    )


def epoch_line(epoch: EpochMetrics, settings: MLPSettings) -> str:
    """One epoch."""
    width = len(str(settings.epochs))
    return (
        f"epoch {epoch.epoch:>{width}}/{settings.epochs}  loss {epoch.train_loss:.4f}  "
        f"{evaluated_on(settings)} loss {epoch.evaluation_loss:.4f}  "
        f"accuracy {epoch.evaluation_accuracy:7.2%}  {epoch.seconds:6.1f} s"
    )


def closing(run: TrainedRun) -> list[str]:
    """How a run ended."""
    epochs = run.curves["epochs"]
    lines = []
    if run.is_diverged:
        lines.append(f"It diverged in epoch {epochs['epoch'][-1]}: a loss is no longer finite.")
    if run.test is not None:
        lines.append(f"test loss {run.test.loss:.4f}  test accuracy {run.test.accuracy:.2%}")
    lines.append(f"Ended after {format_duration(run.run_time_s)}.")
    return lines


def verdict_lines(
    original: Original, run: TrainedRun, compared: Sequence[EpochPair], verdict: Verdict
) -> list[str]:
    """The verdict with its reason, and what differs around the run where the numbers do."""
    n_stored = len(original.epochs["epoch"])
    of_all = f"all {n_stored} epochs" if n_stored > 1 else "its epoch"
    if verdict is Verdict.IDENTICAL:
        return [f"identical: {of_all}, to the last bit"]
    largest = largest_differences(compared)
    said = ", ".join(f"{name} {value:.2g}" for name, value in largest.items())
    lines = [f"{verdict.words}: the largest differences over {of_all} are {said}"]
    if len(compared) < n_stored:
        lines.append(f"It ended after {len(compared)} of {n_stored} epochs.")
    return lines + circumstances(original, run)


def circumstances(original: Original, run: TrainedRun) -> list[str]:
    """What was another when the trial was made: engine, device, versions."""
    from hpo.runs.launch import environment

    before = {"engine": original.trial.engine, "device": original.trial.device}
    now = {"engine": run.engine, "device": run.device}
    return _changes({**before, **original.environment}, {**now, **environment()})


def _changes(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    return [
        f"{name} was {before[name]}, is {value}"
        for name, value in now.items()
        if before.get(name) not in (None, "", value)
    ]


def say_interrupted() -> int:
    """Say that Ctrl-C ended the training; the exit code."""
    from hpo.console import tell

    tell("Interrupted; nothing was saved.")
    return 130
