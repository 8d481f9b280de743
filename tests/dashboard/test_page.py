"""What the page gets wrong and the layer makes good: files, encodings, stale trials, failures."""

from __future__ import annotations

import datetime
import json
import logging
from pathlib import Path

import optuna
import pytest
from werkzeug.test import Client

from hpo.dashboard import make_app
from hpo.databases.storage import open_storage
from hpo.ledger import presence
from hpo.ledger.stored_study import list_stored, require_stored
from tests.support import ME, launched_study

from .conftest import MakeClient, add_trial
from .test_guard import HERE, JSON, all_routes, artifact_paths


def test_hostile_artifacts_are_downloads_that_cannot_run(make_client: MakeClient) -> None:
    client = make_client()
    paths = artifact_paths(client)
    assert sorted(paths) == ["code.js", "figure.svg", "page.html"]
    for path in paths.values():
        answer = client.get(path, headers=HERE)
        assert answer.status_code == 200
        assert b"owned" in answer.data
        assert answer.headers["Content-Disposition"] == "attachment"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert "script" not in answer.headers["Content-Type"]
        assert "html" not in answer.headers["Content-Type"]
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_an_artifact_whose_file_is_gone_is_not_found(
    make_client: MakeClient, project: Path
) -> None:
    client = make_client()
    path = artifact_paths(client)["page.html"]
    (project / "artifacts" / path.rpartition("/")[2]).unlink()
    assert client.get(path, headers=HERE).status_code == 404
    assert client.get("/artifacts/99/ab", headers=HERE).status_code == 404


@pytest.mark.parametrize("path", [path for method, path in all_routes() if method == "GET"])
def test_head_answers_as_get_does_without_a_body(make_client: MakeClient, path: str) -> None:
    client = make_client()
    get, head = client.get(path, headers=HERE), client.head(path, headers=HERE)
    assert get.status_code == head.status_code
    assert get.status_code < 500
    assert head.data == b""


@pytest.mark.parametrize(
    "accepted", [None, "identity", "gzip;q=0", "gzip, br", "*", "nonsense;q=x"]
)
def test_scripts_and_the_icon_are_served_whatever_encodings_a_client_names(
    make_client: MakeClient, accepted: str | None
) -> None:
    headers = {**HERE, **({"Accept-Encoding": accepted} if accepted else {})}
    client = make_client()
    script = client.get("/static/bundle.js", headers=headers)
    assert script.status_code == 200
    packed = script.headers.get("Content-Encoding") == "gzip"
    assert packed == (accepted in ("gzip, br", "*"))
    assert script.data[:2] == (b"\x1f\x8b" if packed else script.data[:2])
    icon = client.get("/favicon.ico", headers=headers)
    assert (icon.status_code, icon.data[:4]) == (200, b"\x00\x00\x01\x00")


def test_the_empty_page_leads_to_the_table(make_client: MakeClient) -> None:
    answer = make_client().get("/dashboard/studies/1/trialTable", headers=HERE)
    assert (answer.status_code, answer.headers["Location"]) == (
        302,
        "/dashboard/studies/1/smartSelection",
    )


def test_a_trial_that_ends_while_the_page_is_open_appears(
    make_client: MakeClient, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client()
    assert len(client.get("/api/studies/1", headers=HERE).get_json()["trials"]) == 6
    storage = open_storage(url)
    add_trial(optuna.load_study(study_name="first", storage=storage.optuna), 0.9)
    storage.close()
    monkeypatch.setattr("optuna_dashboard._storage.timedelta", lambda **_: datetime.timedelta(0))
    trials = client.get("/api/studies/1?after=6", headers=HERE).get_json()["trials"]
    assert [trial["values"] for trial in trials] == [[0.9]]


def test_a_study_made_anew_under_the_number_of_a_deleted_one_shows_its_own_trials(
    make_client: MakeClient, url: str
) -> None:
    client = make_client(renew=lambda: open_storage(url).optuna)
    storage = open_storage(url)
    old = optuna.load_study(study_name="first", storage=storage.optuna)
    old.set_user_attr("hpo_plan_id", "plan-1")
    assert len(client.get("/api/studies/1", headers=HERE).get_json()["trials"]) == 6
    optuna.delete_study(study_name="first", storage=storage.optuna)
    study = optuna.create_study(study_name="first", storage=storage.optuna, direction="maximize")
    study.set_user_attr("hpo_plan_id", "plan-2")
    add_trial(study, 0.7)
    number = study._study_id
    storage.close()
    assert number == 1
    trials = client.get("/api/studies/1", headers=HERE).get_json()["trials"]
    assert [trial["values"] for trial in trials] == [[0.7]]


def test_a_study_under_workers_is_neither_deleted_nor_renamed(
    make_client: MakeClient, url: str, tmp_path: Path
) -> None:
    storage = open_storage(url)
    (tmp_path / "objective.py").write_text("def objective(trial): return 0.0\n")
    (tmp_path / "search_spaces.yaml").write_text("{}\n")
    study = launched_study(storage, tmp_path, name="busy")
    client, path = make_client(writable=True), f"/api/studies/{study.study_id}"
    renaming = {"study_name": "idle"}
    with presence.present(study.ledger, ME):
        refused = [
            client.delete(path, headers=JSON, json={}),
            client.post(f"{path}/rename", headers=JSON, json=renaming),
        ]
        for answer in refused:
            assert answer.status_code == 409
            assert "Workers on here are at work on 'busy'" in answer.get_json()["reason"]
    assert [found.name for found in list_stored(storage)] == ["first", "busy"]
    renamed = client.post(f"{path}/rename", headers=JSON, json=renaming)
    assert renamed.status_code == 201
    assert require_stored(storage, "idle").ledger.counts().free == 3
    path = f"/api/studies/{require_stored(storage, 'idle').study_id}"
    assert client.delete(path, headers=JSON, json={}).status_code == 200
    assert [found.name for found in list_stored(storage)] == ["first"]
    storage.close()


def test_a_storage_that_fails_is_one_message_without_its_details(
    make_client: MakeClient, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("password=hunter2")

    storage = open_storage(url)
    storage.optuna.get_study_user_attrs = lambda _: fail()  # type: ignore[assignment, method-assign, return-value]
    client = Client(make_app(storage.optuna, renew=lambda: storage.optuna))
    with caplog.at_level(logging.ERROR, "hpo.dashboard"):
        answer = client.get("/api/studies/1", headers=HERE)
    storage.close()
    assert answer.status_code == 500
    assert json.loads(answer.data) == {"reason": "The page failed; see the server's log."}
    assert "GET /api/studies/1 failed" in caplog.text
