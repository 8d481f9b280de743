"""Notes and figures in the study itself, and what becomes of them when it changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import optuna
import optuna_dashboard
import pytest

from hpo.databases.storage import Storage, open_storage
from hpo.databases.tables import CURVES, POINTS, STUDIES, TRIALS
from hpo.errors import UserError
from hpo.publish import publish
from tests.reporting import made_article

from .conftest import add_trial


def store_article(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store the article's design, filled with made-up values, as hpo would have left it."""
    monkeypatch.setattr(made_article, "read_made", lambda study, curves, **_: (study, curves))
    made = cast("Any", made_article.make_article(replicates=2))
    study, curves = cast("tuple[optuna.Study, dict[int, Any]]", made)
    optuna.copy_study(
        from_study_name=study.study_name,
        from_storage=study._storage,
        to_storage=storage.optuna,
    )
    plan = {"plan_id": study.user_attrs["hpo_plan_id"]}
    source = {
        "file": json.dumps(study.user_attrs["hpo_study"]),
        "objective": "",
        "environment": "{}",
    }
    rows: dict[Any, list[dict[str, Any]]] = {
        STUDIES: [{"study_id": storage.optuna.get_study_id_from_name(study.study_name), **source}],
        CURVES: [{"trial_number": n, "curves": json.dumps(c)} for n, c in curves.items()],
        POINTS: [
            {"number": t.number, "state": "DONE", "attempt": 1, "lost": 0}
            | {key: t.user_attrs.get(key) for key in ("factor", "level", "replicate", "seed")}
            for t in study.trials
        ],
        TRIALS: [
            {"point": t.number, "attempt": 1, "number": t.number, "fate": "DONE"}
            for t in study.trials
        ],
    }
    with storage.write() as connection:
        for table, found in rows.items():
            connection.execute(table.insert(), [{**plan, **row} for row in found])


@pytest.fixture
def storage(url: str) -> Iterator[Storage]:
    opened = open_storage(url)
    yield opened
    opened.close()


def figures(storage: Storage, name: str) -> dict[str, Any]:
    """The figures that the page would draw."""
    from optuna_dashboard._custom_plot_data import get_plotly_graph_objects

    number = storage.optuna.get_study_id_from_name(name)
    stored = get_plotly_graph_objects(storage.optuna.get_study_system_attrs(number))
    return {key: json.loads(text) for key, text in stored.items()}


def note(storage: Storage) -> str:
    study = optuna.load_study(study_name="first", storage=storage.optuna)
    return str(optuna_dashboard.get_note(study))


def test_a_study_gets_a_note_figures_and_a_note_on_its_best_trial(storage: Storage) -> None:
    written = publish(storage, "first")
    assert written[:2] == ["the study's note", "the note of trial 5"]
    assert "6 complete" in note(storage)
    drawn = figures(storage, "first")
    assert {f"the figure {name}" for name in drawn} == set(written[2:])
    assert "history" in drawn


def test_nothing_is_written_twice_until_the_study_changes(storage: Storage, project: Path) -> None:
    publish(storage, "first")
    storage.checkpoint()
    before = (project / "hpo.db").read_bytes()
    assert publish(storage, "first") == []
    storage.checkpoint()
    assert (project / "hpo.db").read_bytes() == before
    add_trial(optuna.load_study(study_name="first", storage=storage.optuna), 0.9)
    written = publish(storage, "first")
    assert written[:2] == ["the study's note", "the note of trial 6"]
    assert "the figure history" in written


def test_a_note_that_somebody_edited_is_left_as_it_is(storage: Storage) -> None:
    publish(storage, "first")
    study = optuna.load_study(study_name="first", storage=storage.optuna)
    optuna_dashboard.save_note(study, "My own words.")
    add_trial(study, 0.9)
    assert "the study's note" not in publish(storage, "first")
    assert note(storage) == "My own words."


def test_a_figure_that_became_smaller_is_whole(storage: Storage) -> None:
    import plotly.graph_objects as go

    from hpo.publish import _Notebook

    study = optuna.load_study(study_name="first", storage=storage.optuna)
    for points in (3000, 5):
        notebook = _Notebook(storage.optuna, study)
        notebook.write_figure("made", go.Figure(go.Scatter(y=[str(n) for n in range(points)])))
        notebook.remember()
    assert len(figures(storage, "first")["made"]["data"][0]["y"]) == 5


def test_a_controlled_study_gets_its_effects_and_claims(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_article(storage, monkeypatch)
    publish(storage, "article")
    drawn = figures(storage, "article")
    assert {"effects", "run-times", "factor-loss"} <= set(drawn)
    study = optuna.load_study(study_name="article", storage=storage.optuna)
    text = optuna_dashboard.get_note(study)
    assert "sigmoid" in text
    assert "Mean square error is the worst loss." in text


def test_the_digests_are_no_attribute_that_the_page_shows(storage: Storage) -> None:
    publish(storage, "first")
    study = optuna.load_study(study_name="first", storage=storage.optuna)
    assert study.user_attrs == {}


def test_an_unknown_study_is_one_message(storage: Storage) -> None:
    with pytest.raises(UserError, match="missing"):
        publish(storage, "missing")
