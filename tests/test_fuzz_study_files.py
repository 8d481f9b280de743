"""Mutated study files: each is read, or refused with its faults, and never anything else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from hpo.errors import FileFaults
from hpo.plan import make_plan, sampler_seed
from hpo.study_files.components import make_pruner, make_sampler
from hpo.study_files.reading import load
from hpo.study_files.study_file import StudyFile

ROOT = Path(__file__).parent.parent
SPACES = (ROOT / "search_spaces.yaml").read_text()
CONDITIONAL = """study: fuzz
method: random
direction: minimize
objective: own.py:f
n_trials: 4
timeout: 30min
target: 0.1
pruner: {patient: {patience: 2, wrapped_pruner: {percentile: {percentile: 25.0}}}}
search_space:
  optimizer: {choices: [sgd, adam, null, true]}
  momentum: {low: 0.0, high: 0.9, step: 0.3, when: {optimizer: [sgd, adam]}}
  layers: {length: {low: 0, high: 3}, each: {choices: [64, [1, 2]]}, when: {optimizer: sgd}}
  dropout: {length: 2, each: {low: 1.0e-3, high: 1, log: true, levels: [0.1, 1]}}
start_with: [{optimizer: sgd, momentum: 0.3}, {layers: [64]}]
fixed: {a: &a [1, 2], b: *a}
"""
BASES = [path.read_text() for path in sorted(ROOT.glob("studies/**/*.yaml"))] + [CONDITIONAL]
PIECES = [
    *("{", "}", "[", "]", ":", ",", "-", "#", "&x", "*x", "|", ">", "'", '"', "\t", "\n", " "),
    *("0", "-1", "1e999", ".nan", "1e-400", "true", "null", "~", "yes", "!!str ", "!x ", "<<: "),
    *("99999999999999999999", "100000", "0.1", "''", "[]", "{}", "[[]]", "{x: {}}", "é", "? "),
    *("\x00", "\ud800", "\\ud800"),
    *("grid", "tpe", "controlled", "cmaes", "qmc", "gp", "nsga2", "random", "none", "hyperband"),
    *("choices", "low", "high", "step", "log", "levels", "when", "length", "each", "optimizer"),
]


def drop(text: str, random: Random) -> str:
    start = random.randrange(len(text))
    return text[:start] + text[start + random.randint(1, 12) :]


def insert(text: str, random: Random) -> str:
    at = random.randrange(len(text))
    return text[:at] + random.choice(PIECES) + text[at:]


def replace_word(text: str, random: Random) -> str:
    words = text.split(" ")
    at = random.randrange(len(words))
    words[at] = random.choice([random.choice(words), random.choice(PIECES)])
    return " ".join(words)


def move_lines(text: str, random: Random) -> str:
    lines = text.splitlines()
    taken = lines.pop(random.randrange(len(lines)))
    for _ in range(random.randint(0, 2)):
        lines.insert(random.randrange(len(lines) + 1), taken)
    return "\n".join(lines)


def indent(text: str, random: Random) -> str:
    lines = text.splitlines()
    at = random.randrange(len(lines))
    lines[at] = random.choice(["  ", " ", "\t"]) + lines[at].lstrip()
    return "\n".join(lines)


def crossed(text: str, random: Random) -> str:
    other = random.choice(BASES).splitlines()
    start = random.randrange(len(other))
    return f"{text}\n" + "\n".join(other[start : start + random.randint(1, 6)])


MUTATIONS: list[Callable[[str, Random], str]] = [
    *(drop, insert, insert, replace_word, replace_word, move_lines, indent, crossed)
]


def mutated(text: str, random: Random) -> str:
    for _ in range(random.randint(1, 4)):
        if text.strip():
            text = random.choice(MUTATIONS)(text, random)
    return text


def outcome(path: Path) -> str:
    """Read and plan a file; whatever is not a value or FileFaults escapes and fails the test."""
    try:
        study = load(path)
    except FileFaults as error:
        return check_refusal(error)
    assert StudyFile.model_validate_json(study.model_dump_json()) == study
    plan = make_plan(study)
    assert [point.number for point in plan.points] == list(range(len(plan.points)))
    plan.max_epochs()
    make_sampler(study, sampler_seed(study, 0, 0))
    make_pruner(study)
    return "accepted"


def check_refusal(error: FileFaults) -> str:
    assert error.exit_code == 2
    assert error.faults
    assert all(fault.message and fault.file for fault in error.faults)
    str(error).encode()  # no half characters, which a terminal refuses
    return "refused"


@pytest.mark.parametrize("part", range(8))
def test_a_mutated_study_or_space_is_accepted_or_refused(part: int, tmp_path: Path) -> None:
    random = Random(part)
    outcomes: Counter[str] = Counter()
    for _ in range(250):
        in_spaces = random.random() < 0.25
        study, spaces = random.choice(BASES), SPACES
        if in_spaces:
            spaces = mutated(spaces, random)
        else:
            study = mutated(study, random)
        path = tmp_path / "fuzz.yaml"
        path.write_text(study, errors="surrogatepass")
        (tmp_path / "search_spaces.yaml").write_text(spaces, errors="surrogatepass")
        outcomes[outcome(path)] += 1
    assert outcomes["accepted"] > 5
    assert outcomes["refused"] > 50
