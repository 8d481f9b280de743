"""What others wrote is shown as text: it does nothing to a terminal, a page, JSON or YAML."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo import console
from hpo.control_characters import visible
from hpo.events import StudyOpened, TrialFailed
from hpo.reporting.figures.style import label
from hpo.reporting.page import environment
from hpo.reporting.texts import yaml_text
from hpo.run_display import display_run

TITLE = "\x1b]0;owned\x07"  # an escape sequence that sets a terminal's title
RED = "\x9b31m"  # one that begins with a C1 control
BACKWARDS = "\u202egnp.exe\u2066"
SURROGATE = "\udcff"  # what a file name's wrong byte becomes
HOSTILE = f"a{TITLE}{RED}{BACKWARDS}\x7f{SURROGATE}z"
HARMLESS = "é 漢字 🙂 👩\u200d💻 עברית [bold] :smile: \\x1b"
EVENT = TrialFailed(trial=1, reason=HOSTILE)


def assert_harmless(text: str) -> None:
    """No control but newline and tab, and the text is still to be read."""
    controls = [c for c in text if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert controls == []
    assert not set(text) & set("\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069")
    assert "owned" in text


def test_what_is_ordinary_stays_as_it_is() -> None:
    assert visible(HARMLESS) == HARMLESS
    assert visible("one\n\ttwo") == "one\n\ttwo"
    assert visible("\x1b[31m\u202e") == "\\x1b[31m\\u202e"


ROWS = [{HOSTILE: HOSTILE, "b": [HOSTILE], "c": HARMLESS}]
PRINTERS: Mapping[str, Callable[[], None]] = {
    "say": lambda: console.say(HOSTILE + HARMLESS),
    "tell": lambda: console.tell(HOSTILE + HARMLESS),
    "complain": lambda: console.complain(HOSTILE + HARMLESS),
    "facts": lambda: console.print_facts([("name", HOSTILE + HARMLESS)]),
    "table": lambda: console.print_rows(ROWS, "table", HOSTILE),
    "csv": lambda: console.print_rows(ROWS, "csv"),
    "json": lambda: console.print_rows(ROWS, "json"),
    "json line": lambda: console.print_json_line(ROWS[0]),
}


@pytest.mark.parametrize("name", PRINTERS)
def test_nothing_that_is_printed_does_anything_to_a_terminal(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    PRINTERS[name]()
    printed = "".join(capsys.readouterr())
    assert_harmless(printed)
    assert HARMLESS.split(" [")[0] in printed


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_events_of_a_run_do_nothing_to_a_terminal(
    is_terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with display_run() as display:
        display.note(an_opening())
        display.note(EVENT)
    printed = capsys.readouterr().out
    assert "owned" in printed
    for control in ("\x1b]", "\x07", "\x9b", "\u202e", SURROGATE):
        assert control not in printed


def an_opening() -> StudyOpened:
    return StudyOpened("s", "url", "random", True, 2, ["cpu#0"], "as asked", to_go=2, has_work=True)


def test_a_table_is_as_wide_as_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_rows([{"a": HOSTILE, "b": "end"}, {"a": "short", "b": "end"}], "table")
    lines = capsys.readouterr().out.splitlines()
    assert len({line.index("end") for line in lines if "end" in line}) == 1


def test_the_terminals_own_colours_stay(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    console.complain("no such study")
    assert "\x1b[1;31merror: \x1b[0m" in capsys.readouterr().err


def test_json_means_the_same_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({HOSTILE: [HOSTILE, HARMLESS, 0.5, None]})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {HOSTILE: [HOSTILE, HARMLESS, 0.5, None]}
    assert "\\u202e" in printed


TEXTS = st.text(st.characters(categories=["Ll", "Cc", "Cf", "Zl", "Zp"]))


@given(st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS), max_size=3))
def test_yaml_means_the_same_as_before(data: dict[str, Any]) -> None:
    from ruamel.yaml import YAML

    assert YAML(typ="safe").load(yaml_text(data)) == data


@pytest.mark.parametrize(
    "shown",
    [
        environment().from_string('<p title="{{ x }}">{{ x }}</p>').render(x=HOSTILE),
        label(HOSTILE, longest=1000),
        yaml_text({HOSTILE: HOSTILE, "b": [HOSTILE]}),
    ],
    ids=["page", "figure", "yaml"],
)
def test_pages_and_figures_show_it_too(shown: str) -> None:
    assert_harmless(shown)
