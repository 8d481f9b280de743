"""The article's whole study: from an empty folder to its report, and by a DataLoader program.

Ours is measured in wall-clock time: `hpo init`, `hpo run` and `hpo report` as a user types them,
for the whole study and for the article's own 13 configurations with one seed. The DataLoader
program would run the same configurations one after another; its time is estimated from the second
of two epochs of each, in CPU seconds of one thread.

    python -m benchmarks.article
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.trainer import epoch_seconds
from hpo.plan import make_plan
from hpo.study_files.reading import load
from hpo.study_files.study_file import StudyFile

FILE = "studies/article/article.yaml"
# Of what the article left open, its program named one: L2 as a weight decay of 0.01.
OWN = ("replicates=1", 'vary.regularization={"L2 1e-2": {"weight_decay": 0.01}}')
TARGET = 20


def main() -> None:
    file = Path(__file__).parents[1] / FILE
    ours = {}
    for overrides in ((), OWN):
        ours[overrides] = measure(overrides)
        runs = every_settings(load(file, overrides))
        print(f"{len(runs)} runs: hpo {ours[overrides]:.0f} s", flush=True)
    seconds = epoch_times(load(file))
    for overrides, hpo_s in ours.items():
        runs = every_settings(load(file, overrides))
        plain_s = sum(seconds[key(settings)] * settings["epochs"] for settings in runs)
        print(
            f"{len(runs)} runs: hpo {hpo_s:.0f} s, the DataLoader program {plain_s:.0f} s, "
            f"{plain_s / hpo_s:.0f} times as long (target {TARGET})"
        )


def measure(overrides: tuple[str, ...]) -> float:
    """Seconds from an empty folder to the report."""
    changes = [part for override in overrides for part in ("--set", override)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "project"
        started = time.perf_counter()
        _hpo(folder.parent, "init", str(folder))
        _hpo(folder, "run", FILE, *changes)
        _hpo(folder, "report", "article", "-o", "report.html")
        return time.perf_counter() - started


def _hpo(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "hpo", *arguments]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def every_settings(study: StudyFile) -> list[dict[str, Any]]:
    """The settings of every run of a study."""
    return [study.settings(point.params or {}) for point in make_plan(study).points]


def epoch_times(study: StudyFile) -> dict[str, float]:
    """Seconds of an epoch of the DataLoader program, for each configuration; prints them."""
    found: dict[str, float] = {}
    for settings in every_settings(study):
        if key(settings) not in found:
            seconds = epoch_seconds("trainer_dataloader.py", settings | {"epochs": 2})
            found[key(settings)] = seconds
            changed = {k: v for k, v in settings.items() if (study.baseline or {}).get(k) != v}
            print(f"{json.dumps(changed):50} {seconds:6.2f} s an epoch", flush=True)
    return found


def key(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)


if __name__ == "__main__":
    main()
