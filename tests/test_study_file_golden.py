"""Forty broken studies and what is said of each, by the reader of files or by the trainer.

The cases and the messages stand in `golden/broken_studies.txt`. After a change of words, renew the
messages and read the difference before it is committed:

    RENEW_GOLDEN=1 python -m pytest -n 0 tests/test_study_file_golden.py && git diff tests/golden
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpo.errors import FileFaults
from hpo.plan import make_plan
from hpo.runs.checking import settings_to_check
from hpo.study_files.reading import load
from hpo.study_files.refusals import faults_of
from hpo.study_files.study_file import StudyFile
from hpo.training.settings import MLPSettings
from hpo.workers.objective_file import LoadedObjective, check_settings

GOLDEN = Path(__file__).parent / "golden" / "broken_studies.txt"
SPACES = """mlp:
  lr: {low: 0.01, high: 1.0, log: true}
  activation: {choices: [relu, tanh]}
"""
METRICS = ("accuracy", "parameters", "seconds")
TRAINER = LoadedObjective(Path("objective.py"), lambda trial: 0.0, MLPSettings.from_mapping, None)
Case = dict[str, str]


def read_cases() -> dict[str, Case]:
    """Read case name -> part name (study.yaml, search_spaces.yaml, set, messages) -> text."""
    cases: dict[str, Case] = {}
    for block in GOLDEN.read_text().split("=== ")[1:]:
        name, _, rest = block.partition("\n")
        parts = (part.partition("\n") for part in rest.split("--- ")[1:])
        cases[name] = {part: text for part, _, text in parts}
    return cases


def messages_of(case: Case, folder: Path) -> str:
    (folder / "study.yaml").write_text(case["study.yaml"])
    (folder / "search_spaces.yaml").write_text(case.get("search_spaces.yaml", SPACES))
    with pytest.raises(FileFaults) as caught:
        ask_trainer(load(Path("study.yaml"), case.get("set", "").splitlines()))
    assert caught.value.exit_code == 2
    return f"{caught.value}\n"


def ask_trainer(study: StudyFile) -> None:
    """Refuse what the trainer would, as `hpo plan` does in a process of its own."""
    refusals = check_settings(TRAINER, settings_to_check(make_plan(study)))
    raise FileFaults(faults_of(study, refusals, METRICS))


def test_there_are_forty_cases_or_more() -> None:
    assert len(read_cases()) >= 40


@pytest.mark.parametrize("name", read_cases())
def test_a_broken_study_says_what_is_wrong_and_where(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cases = read_cases()
    said = messages_of(cases[name], tmp_path)
    if os.environ.get("RENEW_GOLDEN"):
        cases[name]["messages"] = said
        GOLDEN.write_text("".join(write_case(*case) for case in cases.items()))
    assert said == cases[name]["messages"]


def write_case(name: str, case: Case) -> str:
    return f"=== {name}\n" + "".join(f"--- {part}\n{text}" for part, text in case.items())
