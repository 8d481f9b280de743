from __future__ import annotations

import math

from hpo.reporting.records import StudyRecord, TrialRecord
from hpo.reporting.units import (
    MISSING,
    PERCENT,
    PLAIN,
    duration,
    plural,
    probability,
    significant,
    unit_of,
)


def test_accuracies_are_shown_in_per_cent_with_two_digits() -> None:
    assert PERCENT.value(0.97684) == "97.68\N{NO-BREAK SPACE}%"
    assert PERCENT.change(0.00214) == "+0.21"
    assert PERCENT.change(-0.8665) == "−86.65"
    assert PERCENT.interval(-0.001, 0.002) == "−0.10 to +0.20"


def test_what_rounds_to_zero_has_no_sign() -> None:
    assert PERCENT.change(0.00001) == "0.00"
    assert PERCENT.change(-0.00001) == "0.00"
    assert PLAIN.change(0.0) == "0"


def test_what_is_unknown_is_a_dash() -> None:
    for shown in (
        PERCENT.value(math.nan),
        PLAIN.value(None),
        duration(None),
        probability(math.nan),
    ):
        assert shown == MISSING
    assert PERCENT.interval(math.nan, 1.0) == MISSING


def test_plain_numbers_have_four_significant_digits() -> None:
    assert significant(0.00012345) == "0.0001234"
    assert PLAIN.value(-1234567.0) == "−1.235e+06"


def test_p_values_have_the_digits_that_matter() -> None:
    assert [probability(p) for p in (0.0004, 0.0312, 0.5)] == ["< 0.001", "0.031", "0.50"]


def test_nouns_follow_their_count() -> None:
    assert [plural(1, "trial"), plural(2000, "trial"), plural(2, "study")] == [
        "1 trial",
        "2,000 trials",
        "2 studies",
    ]


def test_only_an_accuracy_within_0_and_1_is_a_percentage() -> None:
    def record(metric: str, value: float) -> StudyRecord:
        return StudyRecord("s", ("maximize",), (metric,), (TrialRecord(0, "COMPLETE", (value,)),))

    assert unit_of(record("accuracy", 0.9)) is PERCENT
    assert unit_of(record("accuracy", 90.0)) is PLAIN
    assert unit_of(record("objective value", 0.9)) is PLAIN
