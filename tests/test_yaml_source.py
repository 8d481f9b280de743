"""YAML text -> plain data and the line of everything in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.errors import FileFaults
from hpo.yaml_files.source import MAX_BYTES, parse, parse_value, read


def messages(text: str) -> list[str]:
    return [str(fault).splitlines()[0] for fault in parse("f.yaml", text).faults]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1.0e-4", 1e-4),
        (".5", 0.5),
        ("012", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("-3", -3),
        ("on", "on"),
        ("yes", "yes"),
        ("no", "no"),
        ("true", True),
        ("~", None),
        ("null", None),
        ('"3"', "3"),
        ("!!str 3", "3"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("[1, {a: 2.0}]", [1, {"a": 2.0}]),
        ("", None),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: Any) -> None:
    read_value = parse_value(text)
    assert read_value == value
    assert type(read_value) is type(value)


def test_a_yaml_1_1_directive_does_not_turn_words_into_truth_values() -> None:
    assert parse("f", "%YAML 1.1\n---\na: on\n").data == {"a": "on"}


def test_every_duplicate_key_is_found_also_inside_duplicates() -> None:
    text = "a: 1\nb:\n  c: 1\n  c: 2\na: {d: 1, d: 2}\nb: 3\n"
    assert messages(text) == [
        "f.yaml:4: b.c: this key is given twice.",
        "f.yaml:5: a: this key is given twice.",
        "f.yaml:5: a.d: this key is given twice.",
        "f.yaml:6: b: this key is given twice.",
    ]


def test_places_have_the_line_and_its_source() -> None:
    document = parse("f.yaml", "a:\n  b: 1\n  c:\n    - x\n    - y\n")
    place = document.places["a", "c", 1]
    assert (place.line, place.source) == (5, "    - y")
    assert document.fault(("a", "b", "unknown"), "text").line == 2


def test_text_beyond_16_bits_is_read_as_json_escapes_it() -> None:
    data = {"name 😀": ["🎉", {"x": "é"}]}
    document = parse("f", json.dumps(data))
    assert not document.faults
    assert document.data == data
    half = parse("f", r'a: "\ud83d"')
    assert "may not hold the character" in half.faults[0].message


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: {b: 1\nc: 2\n", 1, "the '{' of this line needs a ',' or its '}' before line 2 ends."),
        ("x: 1\na: [1, {b: 2]\n", 2, "the '{' of this line needs a ',' or its '}'."),
        ("x: 1\na: {b: 1\n", 2, "the '{' of this line is never closed: a '}' is missing."),
        ("a: [1]]\n", 1, "this ']' closes nothing."),
        ("a: 'b\nc: 1\n", 1, "the quote that is opened in this line is never closed."),
        ("a: 1\nb 2\nc: 3\n", 2, "a ':' is missing after the key in this line."),
        ("a:\n    b: 1\n  c: 2\n", 3, "is indented differently from the lines above it."),
        ("a: 1\n- b\n", 2, "list items ('- ') and keys stand at one level here."),
        ("a: @b\n", 1, "text that begins with '@' needs quotes."),
        ("a: *b\n", 1, "no anchor '&b' stands above this '*b'."),
    ],
)
def test_what_is_no_yaml_is_said_without_the_parsers_words(
    text: str, line: int, message: str
) -> None:
    (fault,) = parse("f", text).faults
    assert (fault.line, fault.message) == (line, message)


def test_no_slip_in_a_study_is_answered_with_tokens_of_the_parser() -> None:
    text = (
        "method: controlled\nbaseline: &base {loss: nll, sizes: [128, 64]}\nvary:\n"
        "  loss: [mse, 'brier']\n  size:\n    small: {sizes: [16]}\n    base: *base\n"
        'claims:\n  - {worst: {loss: mse}, says: "It is worst."}\n'
    )
    said = {
        fault.message
        for index, char in enumerate(text)
        if char in "{}[]:,'\"&*-"
        for fault in parse("f", text[:index] + text[index + 1 :]).faults
    }
    assert len(said) > 3
    assert [message for message in said if "<" in message or "is not YAML" in message] == []


def test_merges_and_anchors_are_read_with_own_keys_first() -> None:
    text = "base: &base {x: 1, y: 2}\nown:\n  <<: *base\n  y: 3\nagain: *base\n"
    document = parse("f", text)
    assert not document.faults
    assert document.data["own"] == {"x": 1, "y": 3}
    assert document.data["again"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.yaml: is empty."),
        ("# only a comment\n", "f.yaml: is empty."),
        ("- a\n- b\n", "f.yaml: must be a mapping of names to values."),
        ("word\n", "f.yaml: must be a mapping of names to values."),
        ("a:\n\t- b\n", "f.yaml:2: a tab cannot indent YAML: use spaces."),
        ("a: 1\n---\nb: 2\n", "f.yaml:2: a second document starts here; a file holds one."),
        ("a: [1, 2\nb: 3\n", "f.yaml:1: the '[' of this line needs a ',' or its ']'"),
        ("a: b: c\n", "f.yaml:1: a ':' cannot stand here."),
        ("a: *b\n", "f.yaml:1: no anchor '&b' stands above"),
        ("a: .nan\n", "f.yaml:1: a: a number must be finite, but got .nan."),
        ("a: [1, -.inf]\n", "f.yaml:1: a[1]: a number must be finite, but got -.inf."),
        ("a: 1e999\n", "f.yaml:1: a: a number must be finite, but got 1e999."),
        ("a: !!python/object 3\n", "f.yaml:1: a: the tag '!!python/object' is not known here."),
        ("a: !!set {b, c}\n", "f.yaml:1: a: the tag '!!set' is not known here."),
        ("a: !own 3\n", "f.yaml:1: a: the tag '!own' is not known here."),
        ("a: &x [*x]\n", "f.yaml:1: a[0]: an alias may not stand inside its own anchor."),
        ("? [a]\n: 1\n", "f.yaml:1: a key must be a word."),
        ("a: 1\x00\n", "f.yaml:1: the character '\\x00' cannot stand in YAML."),
        ('a: "\\ud800"\n', "f.yaml:1: text may not hold the character '\\ud800'."),
        ("a: 1" + "0" * 5_000 + "\n", "f.yaml:1: a: a whole number must be at most"),
    ],
)
def test_what_cannot_be_read_is_one_message(text: str, message: str) -> None:
    found = messages(text)
    assert len(found) == 1
    assert found[0].startswith(message)


def test_nesting_too_deep_to_read_is_one_fault() -> None:
    assert "nested too deeply" in messages("a: " + "[" * 3_000)[0]


def test_files_that_cannot_be_opened_say_why(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: 1\nname: caf\xe9\n")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    for path, message in (
        (tmp_path / "absent.yaml", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (latin, ":2: must be UTF-8 text, but byte 0xe9 is not."),
        (large, f"at most {MAX_BYTES} are read"),
        (Path("nul\x00byte.yaml"), "null byte"),
    ):
        with pytest.raises(FileFaults, match=message):
            read(path)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    document = read(path)
    assert document.data == {"a": 1, "b": 2}
    assert document.places["b",].line == 2


@given(st.text(max_size=60))
def test_any_text_is_data_or_faults_and_never_an_exception(text: str) -> None:
    document = parse("f", text)
    assert document.faults or isinstance(document.data, dict)


@given(st.text("{}[]:,-&*!|>'\"%@`#? \n\tab1.", max_size=40))
def test_any_punctuation_is_data_or_faults_and_never_an_exception(text: str) -> None:
    document = parse("f", text)
    assert document.faults or isinstance(document.data, dict)
