"""What to do with a trial's settings: a record and a trial go in, a command or Python comes out."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from hpo.reporting.records import StudyRecord, TrialRecord
from hpo.reporting.texts import storage_option
from hpo.reporting.trials import best_settings, is_of_the_trainer


class Usage(NamedTuple):
    """A text to be copied, and what it does."""

    purpose: str
    text: str
    language: Literal["sh", "python"]


def usage(record: StudyRecord, trial: TrialRecord) -> Usage:
    """How to use a trial's settings: with the trainer that made it, or the objective itself."""
    if record.is_ours and is_of_the_trainer(trial):
        name, storage = shlex.quote(record.name), storage_option(record)
        command = f"hpo train --study {name} --trial {trial.number} --save model.pt{storage}"
        return Usage("To train it again and keep the model:", command, "sh")
    if record.is_ours:
        place = "To call the objective with these parameters, in Python in the project folder:"
        return Usage(place, _call(record, trial), "python")
    return Usage("To use it from Python:", _stock_call(record), "python")


def _call(record: StudyRecord, trial: TrialRecord) -> str:
    file, _, function = str(record.file.get("objective", "")).rpartition(":")
    path = PurePosixPath(file)
    # Parameters as Optuna holds them, for `trial.suggest_*`, and as `hpo.suggest` gives them.
    given = {**trial.params, **best_settings(record, trial)}
    given |= {"seed": trial.seed} if trial.seed is not None else {}
    lines = [f"    {name!r}: {value!r}," for name, value in given.items()]
    where = str(path.parent)
    return "\n".join(
        (
            "import sys",
            "from importlib import import_module",
            "",
            "import optuna",
            "",
            f"sys.path.insert(0, {where!r})",
            f"module = import_module({path.stem!r})",
            "trial = optuna.trial.FixedTrial({",
            *lines,
            "})",
            f"print(module.{function}(trial))",
        )
    )


def _stock_call(record: StudyRecord) -> str:
    return (
        "import optuna\n\n"
        f"study = optuna.load_study(study_name={record.name!r}, storage=...)\n"
        "objective(study.best_trial)  # runs your objective with these parameters"
    )
