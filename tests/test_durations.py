"""Durations are written as people write them."""

from __future__ import annotations

import pytest

from hpo.durations import format_duration


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0123, "0.0123 s"),
        (8.26, "8.26 s"),
        (8, "8 s"),
        (99.6, "1 min 40 s"),
        (120, "2 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_are_written_as_people_do(seconds: float, shown: str) -> None:
    assert format_duration(seconds) == shown
