"""The whole layer over the real page: what was tried against it, and what it must still do."""

from __future__ import annotations

import itertools
import re
import sqlite3
from pathlib import Path
from urllib.parse import unquote

import optuna
import optuna_dashboard
import pytest
from werkzeug.test import Client

from hpo.dashboard.headers import ALWAYS

from .conftest import PASSWORD, TOKEN, MakeClient, basic, bearer

HERE = {"Host": "localhost:8080"}
JSON = {
    **HERE,
    "Content-Type": "application/json; charset=UTF-8",
    "Origin": "http://localhost:8080",
}
PARTS = {
    "study_id:int": "1",
    "trial_id:int": "1",
    "history_id": "ab",
    "filename:path": "bundle.js",
    "plot_type": "contour",
    "artifact_id:re:[0-9a-fA-F-]+": "ab",
    ":re:(/.*)?": "/studies/1",
}


def all_routes() -> list[tuple[str, str]]:
    """Method and path of everything that the page answers."""
    storage = optuna.storages.InMemoryStorage()
    routes = [(route.method, route.rule) for route in optuna_dashboard.wsgi(storage).routes]
    return [
        (method, re.sub("<([^>]+)>", lambda match: PARTS[match[1]], rule))
        for method, rule in routes
    ]


def dump(project: Path) -> list[str]:
    connection = sqlite3.connect(project / "hpo.db")
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def files(project: Path) -> list[Path]:
    return sorted((project / "artifacts").iterdir())


def artifact_paths(client: Client) -> dict[str, str]:
    detail = client.get("/api/studies/1", headers=HERE).get_json()
    return {a["filename"]: f"/artifacts/1/{a['artifact_id']}" for a in detail["artifacts"]}


def test_the_page_has_the_routes_that_were_judged() -> None:
    routes = all_routes()
    assert len(routes) == 33, "a new optuna-dashboard: judge its new routes, then change this"
    assert {method for method, _ in routes} == {"GET", "POST", "PUT", "DELETE"}


@pytest.mark.parametrize(("method", "path"), all_routes())
def test_read_only_nothing_changes_whatever_the_route(
    make_client: MakeClient, project: Path, method: str, path: str
) -> None:
    client = make_client()
    before = dump(project), files(project)
    for sent in {method, "POST", "DELETE", "PUT", "PATCH"}:
        body = {
            "study_name": "x",
            "directions": ["minimize"],
            "state": "Fail",
            "body": "",
            "version": 1,
        }
        answer = client.open(path, method=sent, headers=JSON, json=body)
        assert answer.status_code == 405 or sent == "GET"
    assert (dump(project), files(project)) == before


@pytest.mark.parametrize(
    "name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-Method"]
)
def test_no_header_turns_reading_into_writing(
    make_client: MakeClient, project: Path, name: str
) -> None:
    before = dump(project)
    client = make_client()
    client.get("/api/studies/1?_method=DELETE", headers={**HERE, name: "DELETE"})
    assert dump(project) == before


@pytest.mark.parametrize(("method", "path"), all_routes())
def test_without_a_login_every_route_is_closed(
    make_client: MakeClient, password_hash: str, method: str, path: str
) -> None:
    client = make_client(users={"ada": password_hash}, token=TOKEN, writable=True)
    for given in ({}, basic("ada", "wrong"), bearer("x" * 32)):
        answer = client.open(path, method=method, headers={**JSON, **given})
        assert answer.status_code == 401
        assert answer.headers.getlist("WWW-Authenticate") == [
            'Basic realm="hpo", charset="UTF-8"',
            'Bearer realm="hpo"',
        ]
        assert list(answer.get_json()) == ["reason"]


def test_the_right_credentials_open_the_page(make_client: MakeClient, password_hash: str) -> None:
    client = make_client(users={"ada": password_hash}, token=TOKEN)
    for given in (basic("ada", PASSWORD), bearer(TOKEN)):
        assert client.get("/dashboard", headers={**HERE, **given}).status_code == 200


def test_secrets_in_the_address_open_nothing(make_client: MakeClient, password_hash: str) -> None:
    client = make_client(users={"ada": password_hash}, token=TOKEN)
    for query in (f"token={TOKEN}", f"access_token={TOKEN}", f"user=ada&password={PASSWORD}"):
        assert client.get(f"/api/studies?{query}", headers=HERE).status_code == 401


def test_a_thousand_wrong_logins_let_nobody_in_and_the_honest_user_still_gets_in(
    make_client: MakeClient, password_hash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.dashboard.login.Throttle.admit", lambda *_: True)
    client = make_client(users={"ada": password_hash}, token=TOKEN)
    for number in range(500):
        for given in (basic(f"user{number}", PASSWORD), bearer(f"{number:032}")):
            answer = client.get("/api/studies", headers={**HERE, **given})
            assert answer.status_code == 401
    answer = client.get("/api/studies", headers={**HERE, **basic("ada", PASSWORD)})
    assert answer.status_code == 200


def test_a_full_slow_lane_is_told_to_come_back(
    make_client: MakeClient, password_hash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.dashboard.login.Throttle.admit", lambda *_: False)
    client = make_client(users={"ada": password_hash})
    answer = client.get("/api/studies", headers={**HERE, **basic("ada", "wrong")})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")


@pytest.mark.parametrize("host", ["evil.example", "", "localhost.evil.example", "192.0.2.1"])
@pytest.mark.parametrize(
    "path", ["/", "/dashboard", "/api/studies", "/healthz", "/static/bundle.js"]
)
def test_a_foreign_host_name_is_misdirected(make_client: MakeClient, host: str, path: str) -> None:
    assert make_client().get(path, headers={"Host": host}).status_code == 421


def test_a_forwarded_host_changes_nothing(make_client: MakeClient) -> None:
    forwarded = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    client = make_client()
    assert client.get("/", headers={**HERE, **forwarded}).headers["Location"] == "/dashboard"
    answer = client.get("/", headers={"Host": "evil.example", "X-Forwarded-Host": "localhost"})
    assert answer.status_code == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:8080"}, 403),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
    ],
)
def test_another_site_can_not_delete_with_the_users_own_browser(
    make_client: MakeClient, project: Path, password_hash: str, headers: dict[str, str], status: int
) -> None:
    client = make_client(writable=True, users={"ada": password_hash})
    before = dump(project)
    sent = {**HERE, "Content-Type": "application/json", **basic("ada", PASSWORD), **headers}
    for method, path in (("DELETE", "/api/studies/1"), ("POST", "/api/studies/1/rename")):
        answer = client.open(path, method=method, headers=sent, data=b'{"study_name": "x"}')
        assert answer.status_code == status
    assert dump(project) == before


def test_another_site_can_not_read(make_client: MakeClient) -> None:
    client = make_client()
    asked = {**HERE, "Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert client.get("/api/studies", headers=asked).status_code == 403
    answer = client.get("/api/studies", headers={**HERE, "Origin": "http://evil.example"})
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_writable_the_page_changes_and_deletes(make_client: MakeClient, project: Path) -> None:
    client = make_client(writable=True)
    body = {"body": "# Note", "version": 1}
    assert client.put("/api/studies/1/note", headers=JSON, json=body).get_json() == {}
    assert client.get("/api/studies/1", headers=HERE).get_json()["note"]["body"] == "# Note"
    assert client.delete("/api/studies/1", headers=JSON, json={}).get_json() == {}
    assert client.get("/api/studies", headers=HERE).get_json() == {"study_summaries": []}
    assert files(project) == []


@pytest.mark.parametrize(
    "path",
    [
        "/static/../index.html",
        "/static/%2e%2e/index.html",
        "/static/..%2f..%2f_app.py",
        "/static/..\\..\\_app.py",
        "/static/%252e%252e/_app.py",
        "//static//..//_app.py",
        "/static//etc/passwd",
        "/static/%00",
        "/artifacts/1/../../hpo.db",
        "/artifacts/1/..%2f..%2fhpo.db",
        "/artifacts/1/%2e%2e%2fhpo.db",
        "/artifacts/1/....//hpo.db",
        "/artifacts/1//etc/passwd",
        "/artifacts/1/1/../../../hpo.db",
        "/dashboard/../static/bundle.js",
        "/healthz/../api/studies",
        "/api/../healthz",
    ],
)
def test_no_path_climbs_out_of_its_folder(make_client: MakeClient, path: str) -> None:
    answer = make_client().get("/", headers=HERE, environ_overrides={"PATH_INFO": unquote(path)})
    assert answer.status_code in (400, 403, 404)
    for secret in (b"import", b"SQLite format", b"root:", b"study_name"):
        assert secret not in answer.data


def test_a_login_can_not_be_walked_around_by_way_of_the_health_check(
    make_client: MakeClient, password_hash: str
) -> None:
    client = make_client(users={"ada": password_hash})
    for path in ("/healthz/", "/healthz/../api/studies", "/healthz;/api/studies", "/HEALTHZ"):
        assert client.get(path, headers=HERE).status_code in (400, 401)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_health_check_needs_no_login_and_tells_nothing(
    make_client: MakeClient, password_hash: str, method: str
) -> None:
    client = make_client(users={"ada": password_hash})
    answer = client.open("/healthz?verbose=1", method=method, headers=HERE)
    assert answer.status_code == 200
    assert answer.data == (b"ok\n" if method == "GET" else b"")


def test_every_answer_is_hardened_refusals_included(make_client: MakeClient) -> None:
    client = make_client()
    for method, path in itertools.product(
        ("GET", "POST"), ("/", "/dashboard", "/nope", "/api/meta")
    ):
        answer = client.open(path, method=method, headers=HERE)
        assert {name: answer.headers[name] for name in ALWAYS} == ALWAYS
        assert "Content-Security-Policy" in answer.headers
