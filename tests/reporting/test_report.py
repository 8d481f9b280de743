from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from hpo.control_characters import visible
from hpo.errors import MissingPackage, UserError
from hpo.reporting.records import StudyRecord
from hpo.reporting.report import report_data, report_html, write_pngs, write_report

from .made_article import make_article
from .made_searches import make_front, make_search
from .made_studies import TrialPlan, make_study, ours, read_made

MEGABYTE = 1_000_000


class Page(HTMLParser):
    """What a page is made of: its elements with attributes, and its text outside scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("script", "style"):
            self.text += data + " "


def poisoned(evil: str) -> StudyRecord:
    file = {
        "method": evil,
        "objective": evil,
        "fixed": {evil: evil},
        "directions": ["maximize"],
        "n_trials": 9,
    }
    attributes = dict.fromkeys(("worker", "device", "engine", "reason"), evil)
    plans = [
        TrialPlan(
            number / 10 if number else None,
            {evil: evil},
            {evil: CategoricalDistribution([evil, "other"])},
            {**attributes, "settings": {evil: [evil]}},
            state=TrialState.COMPLETE if number else TrialState.FAIL,
            start_s=20.0 * number,
        )
        for number in range(4)
    ]
    study_attributes = {
        **ours(file),
        "hpo_objective": evil,
        "hpo_environment": {"hpo-service": evil},
    }
    return read_made(make_study(plans, name=evil, attributes=study_attributes), {}, storage=evil)


def test_the_page_needs_nothing_from_outside() -> None:
    page = Page(report_html([make_article()]))
    for tag, attributes in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base"), tag
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    policy = next(a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1]


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        "\"'><img src=x onerror=alert(1)>",
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "]]>&lt;b&gt;${7*7}{{7*7}}",
        "a\u2028b`$(reboot)`; rm -rf /",
    ],
)
def test_nothing_that_a_user_named_becomes_markup(evil: str) -> None:
    clean = Page(report_html([poisoned("harmless")]))
    page = Page(report_html([poisoned(evil)]))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in clean.elements]
    handlers = [name for _, attributes in page.elements for name in attributes if name[:2] == "on"]
    assert handlers == []
    assert " ".join(visible(evil).split()) in " ".join(page.text.split())


def test_names_in_commands_are_quoted_for_the_shell() -> None:
    record = poisoned("x; rm -rf ~")
    commands = report_data([record])["studies"][0]["commands"]
    assert all("'x; rm -rf ~" in command for command in commands)


def test_a_controlled_page_tells_its_claims_effects_and_what_is_missing() -> None:
    text = Page(report_html([make_article()])).text
    for expected in (
        "Mean square error is the worst loss.",
        "holds",
        "17 comparisons with the baseline in 7 factors, 5 replicates",
        "Incomplete:",
        "4 of 5",
        "replicate 3 failed (trial 67): out of memory on cuda:0",
        "replicate 2 diverged (trial 47)",
        "within the noise of the seeds",
        "hpo run study.yaml --name article-again",
        "torch 2.14.1",
    ):
        assert expected in text, expected


def test_a_page_with_one_replicate_says_that_noise_is_unknown() -> None:
    text = Page(report_html([make_article(replicates=1)])).text
    assert "There is one replicate: the noise of the seeds is unknown" in text
    assert "cannot be told" in text
    effects = text[text.index("95 % interval") :]
    assert effects.count("noise is unknown") == 17


def test_a_searchs_page_tells_its_best_trial_and_what_pruning_saved() -> None:
    record = make_search()
    text = Page(report_html([record])).text
    for expected in (
        "Best trial",
        "hpo train --study mnist-tpe --trial 3 --save model.pt",
        "optimizer: adadelta",
        "ValueError: learning_rate is too large",
        "Pruning ended 37 trials early",
        "1 trial running or waiting",
        "node-3",
        "cuda:1 (30 trials)",
    ):
        assert expected in text, expected


def test_a_stock_study_is_reported_without_commands_that_do_not_apply() -> None:
    text = Page(report_html([make_search(30, name="stock", by_hpo=False)])).text
    assert "made by Optuna without hpo" in text
    assert "optuna.load_study(study_name='stock'" in text
    assert "hpo train" not in text
    assert "hpo resume" not in text


def test_several_studies_are_compared_first() -> None:
    html = report_html([make_search(30), make_search(20, name="random", seed=8)])
    assert html.index("Comparison") < html.index('id="study-0"')
    assert 'data-figure="compared-epochs"' in html
    assert 'data-figure="compared-seconds"' in html


def test_studies_that_share_no_axis_say_so() -> None:
    assert "share no axis" in Page(report_html([make_search(30), make_front()])).text


def test_several_objectives_show_the_front_as_a_table() -> None:
    text = Page(report_html([make_front()])).text
    assert "Pareto front" in text
    assert "objective 1" in text


def test_a_study_without_trials_has_a_page() -> None:
    assert "No trial has finished." in Page(report_html([read_made(make_study([]), {})])).text


def test_plotly_stands_in_the_page_once() -> None:
    html = report_html([make_search(20), make_search(20, name="other")])
    assert len(re.findall(r"plotly\.js v\d", html)) == 1


def test_a_report_of_2000_trials_stays_under_15_megabytes(
    tmp_path: Path, large: StudyRecord
) -> None:
    path = tmp_path / "report.html"
    write_report([large], path)
    assert path.stat().st_size < 15 * MEGABYTE


def test_writing_replaces_a_report_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report([make_search(5)], path)
    assert path.read_text().startswith("<!DOCTYPE html>")
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_that_cannot_be_written_is_a_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        write_report([make_search(5)], tmp_path / "missing" / "report.html")


def test_the_numbers_are_plain_json() -> None:
    data = report_data([make_article(), make_search(), make_front()])
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_the_numbers_are_those_of_the_page() -> None:
    study = report_data([make_article()])["studies"][0]
    loss = next(factor for factor in study["factors"] if factor["factor"] == "loss")
    mse = loss["levels"][0]
    assert (mse["level"], mse["verdict"], mse["change"]["pairs"]) == ("mse", "worse", 5)
    assert study["comparisons"] == 17
    assert study["claims"][0]["answer"] == "holds"
    assert study["states"] == {"COMPLETE": 88, "PRUNED": 1, "FAIL": 1}
    failed = next(level for level in study["factors"][6]["levels"] if level["level"] == "L1 1e-4")
    assert failed["runs"][3]["outcome"] == "failed"
    assert failed["runs"][3]["value"] is None


def test_the_numbers_of_a_search_tell_its_course() -> None:
    study = report_data([make_search()])["studies"][0]
    assert study["best"][0]["trial"] == 3
    assert study["pruning"]["n_pruned"] == 37
    assert study["best_so_far"]["values"][-1] == study["best"][0]["values"][0]


def test_pictures_without_kaleido_name_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kaleido", None)
    with pytest.raises(MissingPackage, match=r"pip install 'hpo-service\[png\]'"):
        write_pngs([make_search(5)], tmp_path)


def test_pictures_without_chrome_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kaleido = pytest.importorskip("kaleido")
    errors = pytest.importorskip("kaleido.errors")

    def fail(*arguments: object, **options: object) -> None:
        raise errors.ChromeNotFoundError

    monkeypatch.setattr(kaleido, "write_fig_from_object_sync", fail)
    with pytest.raises(UserError, match="need Chrome or Chromium"):
        write_pngs([make_search(5)], tmp_path)
