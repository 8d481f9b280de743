from __future__ import annotations

import pytest

from hpo.reporting.analysis import analyze
from hpo.reporting.notes import study_note, trial_note

from .made_article import make_article
from .made_searches import make_front, make_search
from .test_report import poisoned


def test_a_searchs_note_has_its_best_trial_and_commands() -> None:
    note = study_note(analyze(make_search()))
    assert "### Best: trial 3, accuracy 97.67" in note
    assert "hpo resume mnist-tpe" in note
    assert "n_trials: 60" in note
    assert "**Incomplete:**" in note


def test_a_controlled_studys_note_has_its_effects_and_claims_as_tables() -> None:
    note = study_note(analyze(make_article()))
    rows = [line for line in note.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows if "claim" not in row} >= {9}
    assert "| loss: mse | 5 of 5 |" in note
    assert "| holds | Mean square error is the worst loss. |" in note
    assert len([row for row in rows if row.count("|") == 9]) == 2 + 18


def test_a_note_of_several_objectives_has_the_front() -> None:
    assert "### Pareto front, 19 trials" in study_note(analyze(make_front()))


def test_a_trials_note_says_how_to_train_it_again() -> None:
    note = trial_note(make_search(), 3)
    assert "hpo train --study mnist-tpe --trial 3 --save model.pt" in note
    assert "optimizer: adadelta" in note


def test_a_failed_trials_note_has_its_reason() -> None:
    assert "learning\\_rate is too large" in trial_note(make_search(), 11)


def test_a_trial_that_is_not_there_has_no_note() -> None:
    with pytest.raises(KeyError):
        trial_note(make_search(5), 99)


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", "a|b\n# c", "```\n<b>x</b>"])
def test_nothing_that_a_user_named_leaves_its_cell_or_its_code_block(evil: str) -> None:
    for note in (study_note(analyze(poisoned(evil))), trial_note(poisoned(evil), 1)):
        fence = ""
        for line in note.splitlines():
            ticks = line[: len(line) - len(line.lstrip("`"))]
            if len(ticks) >= 3 and (not fence or line == fence):
                fence = "" if fence else ticks
            elif not fence:
                assert "<script>" not in line
                assert "<b>" not in line
                assert line.startswith("###") or not line.startswith("#")
        assert fence == ""


def test_control_characters_are_shown_in_notes() -> None:
    for note in (
        study_note(analyze(poisoned("a\u202eb\x1bc"))),
        trial_note(poisoned("a\u202eb\x1bc"), 1),
    ):
        assert "u202eb" in note
        assert not {"\u202e", "\x1b"} & set(note)
