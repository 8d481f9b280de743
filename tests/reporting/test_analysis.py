from __future__ import annotations

import subprocess
import sys

import pytest

from hpo.reporting import analysis as module
from hpo.reporting.analysis import analyze
from hpo.reporting.figures import study_figures
from hpo.reporting.notes import study_note
from hpo.reporting.numbers import study_numbers

from .made_article import make_article
from .made_searches import make_front, make_search


def test_whoever_draws_from_an_analysis_nothing_is_worked_out_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[str] = []
    names = ("best_trials", "read_design", "summarize", "judge_claims", "best_so_far", "pruning")
    for name in names:
        original = getattr(module, name)

        def counting(*args: object, _name: str = name, _call: object = original, **more: object):  # type: ignore[no-untyped-def]
            called.append(_name)
            return _call(*args, **more)  # type: ignore[operator]

        monkeypatch.setattr(module, name, counting)
    for record in (make_article(), make_search()):
        called.clear()
        analysis = analyze(record)
        study_note(analysis), study_numbers(analysis), study_figures(analysis)
        assert sorted(called) == sorted(set(called))
    assert {"best_trials", "best_so_far", "pruning"} <= set(called)


def test_a_search_has_no_design_and_a_front_no_winner() -> None:
    search, front = analyze(make_search()), analyze(make_front())
    assert (search.design, search.effects, search.claims) == (None, None, ())
    assert search.winner is search.best[0]
    assert (front.winner, front.progress) == (None, None)
    assert len(front.best) > 1


def test_a_controlled_study_has_design_effects_and_claims() -> None:
    article = analyze(make_article())
    assert article.design is not None
    assert article.effects is not None
    assert article.effects.n_comparisons == 17
    assert article.claims[0].answer == "holds"
    assert article.incomplete


def test_counting_trials_waits_for_no_statistics() -> None:
    code = (
        "import sys; from hpo.reporting.analysis import analyze;"
        "from hpo.reporting.records import StudyRecord;"
        "analyze(StudyRecord('s', ('maximize',), ('value',), ())).endings;"
        "print('scipy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
