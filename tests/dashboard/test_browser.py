"""The page in a real browser; its pictures are kept in HPO_SCREENSHOTS, or build/screenshots."""

from __future__ import annotations

import http.server
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest

from hpo.databases.storage import open_storage
from hpo.publish import publish

from .conftest import PASSWORD, add_trial
from .process import dashboard
from .test_publish import store_article

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

BUILD = Path(__file__).parents[2] / "build"
SCREENSHOTS = Path(os.environ.get("HPO_SCREENSHOTS", BUILD / "screenshots"))
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP evil.example 127.0.0.1",
]
WAIT_MS = 60_000
Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; without it these tests fail in CI and are skipped elsewhere."""
    missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("playwright is not installed: pip install playwright")
    chromium = shutil.which("chromium")
    if not chromium:
        missing("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium, args=FLAGS, timeout=2 * WAIT_MS
        )
        yield opened
        opened.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about."""
    return []


@pytest.fixture
def open_page(browser: Browser, complaints: list[str]) -> Iterator[Open]:
    """Opens an address in a new window; takes the arguments of a browser context."""
    contexts: list[BrowserContext] = []

    def listen(page: Page) -> None:
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))

    def open_(address: str, **arguments: Any) -> Page:
        context = browser.new_context(viewport={"width": 1400, "height": 1000}, **arguments)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        listen(page)
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()


def keep(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def delete_first_study(page: Page) -> None:
    page.get_by_role("button", name="delete study").first.click()
    page.get_by_role("button", name="Yes").click()


def names(url: str) -> list[str]:
    storage = open_storage(url, read_only=True)
    try:
        return optuna.get_all_study_names(storage.optuna)
    finally:
        storage.close()


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/dashboard", "1. first"),
        ("/dashboard/studies/1", "Hyperparameter Importance"),
        ("/dashboard/studies/1/analytics", "Hyperparameter Relationships"),
        ("/dashboard/studies/1/trials", "Trial 5"),
        ("/dashboard/studies/1/trialTable", "Parallel Coordinate"),
        ("/dashboard/studies/1/note", "first (id=1)"),
    ],
)
def test_every_page_is_drawn_without_a_complaint(
    running: str, open_page: Open, complaints: list[str], path: str, seen: str
) -> None:
    page = open_page(running + path)
    page.get_by_text(seen).first.wait_for()
    page.wait_for_load_state("networkidle")
    keep(page, path.strip("/").replace("/", "-"))
    assert complaints == []


def test_a_wrong_password_sees_nothing_and_the_right_one_everything(
    url: str, open_page: Open, tmp_path: Path, password_hash: str, complaints: list[str]
) -> None:
    (tmp_path / "users").write_text(f"ada:{password_hash}\n")
    with dashboard(url, users=tmp_path / "users") as (address, _):
        wrong = {"username": "ada", "password": "wrong"}
        page = open_page(f"{address}/dashboard", http_credentials=wrong)
        assert "is wrong" in page.content()
        assert "Optuna" not in page.content()
        keep(page, "login-wrong")
        complaints.clear()
        right = {"username": "ada", "password": PASSWORD}
        page = open_page(f"{address}/dashboard", http_credentials=right)
        page.get_by_text("1. first").wait_for()
        keep(page, "login-right")
    assert complaints == []


def test_a_published_controlled_study_shows_its_figures_and_its_note(
    url: str, open_page: Open, complaints: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(url)
    store_article(storage, monkeypatch)
    publish(storage, "article")
    storage.close()
    with dashboard(url) as (address, _):
        page = open_page(f"{address}/dashboard/studies/2")
        for name in ("effects", "run-times", "factor-loss"):
            figure = page.locator(f"[id='user-defined-plot:{name}']")
            figure.locator(".main-svg").first.wait_for(state="attached")
            figure.scroll_into_view_if_needed()
            keep(page, f"published-{name}")
        page = open_page(f"{address}/dashboard/studies/2/note")
        page.get_by_role("heading", name="Effects").wait_for()
        page.get_by_role("cell", name="sigmoid").first.wait_for()
        keep(page, "published-note")
    assert complaints == []


def test_a_trial_that_ends_appears_on_an_open_page(
    url: str, open_page: Open, complaints: list[str]
) -> None:
    with dashboard(url) as (address, _):
        page = open_page(f"{address}/dashboard/studies/1/trials")
        page.get_by_text("6 Trials").wait_for()
        storage = open_storage(url)
        add_trial(optuna.load_study(study_name="first", storage=storage.optuna), 0.9)
        storage.close()
        page.get_by_text("7 Trials").wait_for()
        keep(page, "running-study")
    assert complaints == []


def test_deleting_is_refused_read_only(url: str, open_page: Open, complaints: list[str]) -> None:
    with dashboard(url) as (address, _):
        page = open_page(f"{address}/dashboard")
        delete_first_study(page)
        page.get_by_text("Failed to delete study").wait_for()
        keep(page, "delete-refused")
    assert names(url) == ["first"]
    assert [text for text in complaints if "405" not in text] == []


def test_deleting_works_writable(url: str, open_page: Open, complaints: list[str]) -> None:
    with dashboard(url, writable=True) as (address, _):
        page = open_page(f"{address}/dashboard")
        delete_first_study(page)
        page.get_by_text("Success to delete").wait_for()
        keep(page, "delete-works")
    assert names(url) == []
    assert complaints == []


def test_a_hostile_artifact_is_saved_and_never_shown(
    url: str, project: Path, open_page: Open
) -> None:
    with dashboard(url, artifacts=project / "artifacts") as (address, _):
        page = open_page(f"{address}/dashboard")
        artifacts = page.evaluate("fetch('/api/studies/1').then(r => r.json())")["artifacts"]
        assert len(artifacts) == 3
        for artifact in artifacts:
            with page.expect_download() as download:
                page.evaluate(f"void (location = '/artifacts/1/{artifact['artifact_id']}')")
            assert download.value.failure() is None
        assert page.title() == "Optuna Dashboard"


def test_a_name_that_was_rebound_to_this_machine_is_refused(running: str, open_page: Open) -> None:
    page = open_page(running.replace("127.0.0.1", "evil.example") + "/api/studies")
    assert "does not answer" in page.content()
    assert "first" not in page.content()


class _Attacker(http.server.BaseHTTPRequestHandler):
    """A page of another site that uses every way a browser has of reaching the dashboard."""

    victim = ""

    def do_GET(self) -> None:
        page = f"""
            <iframe id=frame name=frame src="{self.victim}/dashboard"></iframe>
            <img src="{self.victim}/api/studies">
            <form id=form method=post target=frame action="{self.victim}/api/studies/1/rename"
                enctype="text/plain"><input name='{{"study_name":"' value='owned"}}'></form>
            <script>
            window.results = [];
            const go = (method, mode, type) => fetch("{self.victim}/api/studies/1", {{
                method, mode, credentials: "include",
                headers: type ? {{"Content-Type": type}} : {{}},
                body: method === "GET" ? undefined : "{{}}",
            }}).then(r => r.text()).then(t => results.push(t), e => results.push("refused"));
            Promise.all([
                go("GET", "cors"), go("GET", "no-cors"), go("POST", "no-cors", "text/plain"),
                go("DELETE", "cors", "application/json"), go("PUT", "cors", "application/json"),
            ]).then(() => {{ form.submit(); window.finished = true; }});
            </script>"""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_another_site_can_neither_read_nor_change_nor_frame_it(url: str, open_page: Open) -> None:
    with dashboard(url, writable=True) as (address, _):
        handler = type("Attacker", (_Attacker,), {"victim": address})
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            page = open_page(f"http://evil.example:{server.server_port}/")
            page.wait_for_function("window.finished")
            page.wait_for_timeout(500)
            results = page.evaluate("results")
            framed = [frame.url for frame in page.frames[1:]]
            server.shutdown()
    assert len(results) == 5
    assert set(results) <= {"refused", ""}
    assert not [address for address in framed if "/dashboard" in address]
    assert names(url) == ["first"]
