from __future__ import annotations

from pathlib import Path

import pytest

from hpo.reporting.study_text import study_file_text
from hpo.study_files.reading import load

PROJECT = Path(__file__).parents[2]
STUDIES = sorted((PROJECT / "studies").rglob("*.yaml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_shipped_study_written_from_its_stored_form_reads_as_the_same(
    path: Path, tmp_path: Path
) -> None:
    study = load(path)
    again = tmp_path / "study.yaml"
    again.write_text(study_file_text(study.model_dump(mode="json")), encoding="utf-8")
    assert load(again) == study


def test_all_that_a_search_can_say_survives(tmp_path: Path) -> None:
    text = """
        study: rich
        method: tpe
        objective: mine.py:objective
        directions: [minimize]
        n_trials: 12
        timeout: 30min
        target: 0.1
        search_space:
          layers: {choices: [[128], [128, 64, 64]]}
          rate: {low: 1.0e-4, high: 1.0, log: true}
          on: {choices: ["1", "true", "null"]}
          momentum: {low: 0.0, high: 0.9, when: {layers: [128]}}
        pruner: {patient: {wrapped_pruner: median, patience: 3}}
        sampler: {n_startup_trials: 4}
        start_with: [{rate: 0.1, layers: [128]}]
        fixed: {epochs: 3, note: "a: b"}
        seed: 9
        retries: 0
        max_failures: 5
        keep: best
        artifacts: kept
    """
    path = tmp_path / "first.yaml"
    path.write_text(text, encoding="utf-8")
    study = load(path)
    again = tmp_path / "again.yaml"
    again.write_text(study_file_text(study.model_dump(mode="json")), encoding="utf-8")
    assert load(again) == study
