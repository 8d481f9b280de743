from __future__ import annotations

import pytest
from werkzeug.datastructures import Headers

from hpo.dashboard.headers import ALWAYS, OTHER_POLICY, PAGE_POLICY, harden


def hardened(path: str, **headers: str) -> Headers:
    answer = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    harden(answer, path)
    return answer


@pytest.mark.parametrize(
    "path", ["/", "/dashboard", "/api/studies", "/artifacts/1/ab", "/static/bundle.js", "/nope"]
)
def test_every_answer_carries_the_headers_that_always_help(path: str) -> None:
    headers = hardened(path)
    assert {name: headers[name] for name in ALWAYS} == ALWAYS
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_only_the_page_may_run_anything() -> None:
    assert hardened("/dashboard")["Content-Security-Policy"] == PAGE_POLICY
    assert hardened("/dashboard/studies/1")["Content-Security-Policy"] == PAGE_POLICY
    for path in ("/dashboards", "/artifacts/1/ab", "/api/meta", "/", "/incompatible-rdb-schema"):
        assert hardened(path)["Content-Security-Policy"] == OTHER_POLICY


def test_the_page_runs_no_inline_script_and_no_foreign_one() -> None:
    script = next(part for part in PAGE_POLICY.split("; ") if part.startswith("script-src"))
    assert script == "script-src 'self' 'unsafe-eval'"
    assert "http" not in PAGE_POLICY


@pytest.mark.parametrize(
    "kind",
    [
        "text/html",
        "TEXT/HTML; charset=utf-8",
        "application/xhtml+xml",
        "text/javascript",
        "application/javascript",
        "text/css",
        "text/xml",
        "application/pdf",
        "application/wasm",
        "",
    ],
)
def test_an_artifact_that_could_run_is_served_as_plain_bytes(kind: str) -> None:
    headers = hardened("/artifacts/1/ab", Content_Type=kind)
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"] == "attachment"


@pytest.mark.parametrize("kind", ["image/png", "image/svg+xml", "text/csv", "audio/wav"])
def test_an_artifact_that_the_page_shows_keeps_its_kind_and_is_a_download(kind: str) -> None:
    headers = hardened("/artifacts/1/2/ab", Content_Type=kind, Access_Control_Allow_Origin="*")
    assert headers["Content-Type"] == kind
    assert headers["Content-Disposition"] == "attachment"
    assert "Access-Control-Allow-Origin" not in headers
    assert "sandbox" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "location", ["http://localhost:8080/dashboard", "https://evil.example//dashboard", "/dashboard"]
)
def test_a_redirect_never_leaves_this_server(location: str) -> None:
    assert hardened("/", Location=location)["Location"] == "/dashboard"


def test_data_is_never_kept_by_a_cache_and_scripts_are_asked_for_again() -> None:
    assert hardened("/api/studies/1")["Cache-Control"] == "no-store"
    assert hardened("/static/bundle.js")["Cache-Control"] == "private, no-cache"
    assert hardened("/static/bundle.js")["Vary"] == "Accept-Encoding"


def test_the_table_names_its_character_set() -> None:
    headers = hardened("/csv/1", Content_Type="text/csv; chatset=cp932")
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
