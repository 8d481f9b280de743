"""Reports in a real browser without a network: every figure is drawn, the console is silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hpo.reporting.records import StudyRecord
from hpo.reporting.report import write_report

from .conftest import WAIT_MS
from .made_article import make_article
from .made_searches import make_front, make_search

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = {"desktop": 1200, "phone": 390}
REPORTS: dict[str, Callable[[], list[StudyRecord]]] = {
    "controlled": lambda: [make_article()],
    "several": lambda: [make_search(), make_search(40, name="random", seed=9)],
    "stock": lambda: [make_search(40, name="stock <b>bold</b>", by_hpo=False)],
    "front": lambda: [make_front(n_objectives=3)],
}

# For each figure: how many traces have something to show, and how many have ink.
DRAWN = """() => [...document.querySelectorAll('[data-figure]')].map((place) => ({
  key: place.dataset.figure,
  expected: place.data.filter((trace) =>
    trace.visible !== false && [...(trace.x ?? [])].some((x) => x !== null)).length,
  drawn: [...place.querySelectorAll('.cartesianlayer .trace')].filter((trace) => {
    const box = trace.getBoundingClientRect();
    return trace.querySelector('path[d]') && box.width + box.height > 0;
  }).length,
  width: place.getBoundingClientRect().width,
}))"""

# Pairs of upright labels of one figure that cover each other by more than a pixel or two.
OVERLAPS = """() => [...document.querySelectorAll('[data-figure]')].flatMap((place) => {
  const isSlanted = (text) => /rotate\\((?!0[,)])/.test(text.getAttribute('transform') ?? '');
  const labels = [...place.querySelectorAll(
    '.xtick text, .ytick text, .y2tick text, .legendtext, .xtitle, .annotation-text')]
    .filter((text) => text.textContent.trim() && !isSlanted(text));
  const boxes = labels.map((text) => [text.textContent, text.getBoundingClientRect()]);
  return boxes.flatMap(([one, a], i) => boxes.slice(i + 1)
    .filter(([, b]) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
      && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4)
    .map(([other]) => `${place.dataset.figure}: ${one} | ${other}`));
})"""

Opener = Callable[..., "Page"]


@pytest.fixture
def open_report(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Open a report offline; the console must stay empty and nothing may be asked of a network."""
    said: list[str] = []
    asked: list[str] = []
    contexts = []

    def open_page(records: list[StudyRecord], **options: Any) -> Page:
        path = tmp_path / "report.html"
        write_report(records, path)
        context = browser.new_context(offline=True, **options)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-drawn-ms]", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "blob:", "data:"))] == []


def viewport(width: str) -> dict[str, Any]:
    return {"viewport": {"width": WIDTHS[width], "height": 800}, "has_touch": width == "phone"}


def faulty(page: Page) -> list[dict[str, Any]]:
    figures = page.evaluate(DRAWN)
    assert figures
    return [f for f in figures if f["expected"] == 0 or f["drawn"] < f["expected"]]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", REPORTS)
def test_every_figure_draws_its_data_and_labels_do_not_overlap(
    open_report: Opener, kind: str, width: str
) -> None:
    page = open_report(REPORTS[kind](), **viewport(width))
    assert faulty(page) == []
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width]


def test_a_dark_room_gets_dark_figures_and_paper_light_ones(open_report: Opener) -> None:
    page = open_report([make_search(20)], color_scheme="dark")
    ink = "getComputedStyle(document.querySelector('.xtitle')).fill"
    assert page.evaluate(ink) == "rgb(230, 230, 230)"
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"() => {ink} === 'rgb(31, 35, 40)'")
    page.emulate_media(color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(ink) == "rgb(31, 35, 40)"
    widths = "[...document.querySelectorAll('.main-svg')].map((svg) => svg.clientWidth)"
    assert max(page.evaluate(widths)) <= 680
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(ink) == "rgb(230, 230, 230)"


def test_single_replicates_are_shown_on_demand(open_report: Opener) -> None:
    page = open_report([make_article()])
    traces = (
        "document.querySelector('[data-figure=s0-factor-loss]').querySelectorAll('.trace').length"
    )
    before = page.evaluate(traces)
    page.click("[data-replicates=s0-factor-loss]")
    shown = page.evaluate(traces) - before
    assert shown == 2 * 3 * 5
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(traces) == before + shown
    page.click("[data-replicates=s0-factor-loss]")
    assert page.evaluate(traces) == before


def test_a_report_of_2000_trials_opens(open_report: Opener, large: StudyRecord) -> None:
    page = open_report([large])
    assert faulty(page) == []
    took = page.evaluate("document.documentElement.dataset.drawnMs")
    ready = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    print(f"2,000 trials: page ready after {ready:.0f} ms, all figures drawn in {took} ms")
