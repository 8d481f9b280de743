from __future__ import annotations

from typing import Any

import pytest

from hpo.reporting.claims import ClaimResult, judge_claims
from hpo.reporting.design import read_design
from hpo.reporting.units import PERCENT, PLAIN, Unit

from .made_article import make_article
from .test_summary import controlled

CLEAR: dict[str, list[float | None]] = {
    "base": [0.900, 0.910, 0.905],
    "wide": [0.950, 0.961, 0.954],
    "thin": [0.800, 0.812, 0.803],
}
NOISY: dict[str, list[float | None]] = {
    "base": [0.90, 0.92, 0.91],
    "wide": [0.93, 0.90, 0.92],
    "thin": [0.91, 0.93, 0.89],
}


def judge(
    claim: dict[str, Any],
    table: dict[str, list[float | None]],
    *,
    direction: str = "maximize",
    unit: Unit = PERCENT,
) -> ClaimResult:
    record = controlled(table, direction=direction)
    design = read_design(record)
    return judge_claims([claim], design, unit, is_maximized=record.is_maximized)[0]


def level(name: str) -> dict[str, str]:
    return {"width": name}


@pytest.mark.parametrize(
    ("claim", "answer"),
    [
        ({"worst": level("thin")}, "holds"),
        ({"worst": level("wide")}, "does not hold"),
        ({"best": level("wide")}, "holds"),
        ({"best": level("base")}, "does not hold"),
        ({"better": [level("wide"), level("thin")]}, "holds"),
        ({"better": [level("thin"), level("base")]}, "does not hold"),
        ({"alike": level("wide"), "within": 10}, "holds"),
        ({"alike": level("wide"), "within": 1}, "does not hold"),
        ({"alike": level("thin"), "within": 1}, "does not hold"),
        ({"alike": {"width": ["base", "wide", "thin"]}, "within": 20}, "holds"),
        ({"alike": {"width": ["base", "wide", "thin"]}, "within": 1}, "does not hold"),
    ],
)
def test_a_clear_effect_decides_a_claim(claim: dict[str, Any], answer: str) -> None:
    assert judge(claim, CLEAR).answer == answer


@pytest.mark.parametrize(
    "claim",
    [
        {"worst": level("thin")},
        {"best": level("wide")},
        {"better": [level("wide"), level("base")]},
        {"alike": level("wide"), "within": 0.5},
    ],
)
def test_an_effect_within_the_noise_cannot_be_told(claim: dict[str, Any]) -> None:
    result = judge(claim, NOISY)
    assert result.answer == "cannot be told"
    assert result.because == "An interval does not lie wholly on one side."
    assert result.comparisons


def test_a_minimized_study_turns_best_and_worst_around() -> None:
    assert judge({"best": level("thin")}, CLEAR, direction="minimize").answer == "holds"
    assert judge({"worst": level("wide")}, CLEAR, direction="minimize").answer == "holds"
    better = {"better": [level("thin"), level("wide")]}
    assert judge(better, CLEAR, direction="minimize").answer == "holds"


def test_the_margin_is_in_points_of_a_percentage_and_else_in_the_metrics_own_unit() -> None:
    claim = {"alike": level("wide"), "within": 0.1}
    assert judge(claim, CLEAR, unit=PLAIN).answer == "holds"
    assert judge(claim, CLEAR, unit=PERCENT).answer == "does not hold"


def test_one_replicate_tells_nothing() -> None:
    table: dict[str, list[float | None]] = {"base": [0.9], "wide": [0.1]}
    for claim in ({"best": level("base")}, {"alike": level("wide"), "within": 50.0}):
        result = judge(claim, table)
        assert result.answer == "cannot be told"
        assert "One replicate" in result.because


def test_a_missing_level_keeps_a_claim_open_unless_another_refutes_it() -> None:
    table: dict[str, list[float | None]] = {**CLEAR, "thin": [None]}
    open_claim = judge({"best": level("wide")}, table)
    assert open_claim.answer == "cannot be told"
    assert "missing" in open_claim.because
    assert judge({"best": level("base")}, table).answer == "does not hold"


def test_worst_is_refuted_only_after_holms_correction() -> None:
    one_of_two: dict[str, list[float | None]] = {
        "base": [0.90, 0.91, 0.92],
        "wide": [0.94, 0.94, 0.97],
    }
    many = {f"level {index}": [*one_of_two["base"]] for index in range(6)}
    assert judge({"worst": level("wide")}, one_of_two).answer == "does not hold"
    assert judge({"worst": level("wide")}, {**one_of_two, **many}).answer == "cannot be told"


def test_looking_for_one_difference_among_several_takes_a_wider_interval() -> None:
    # The difference 0.7 points has the 95 % interval 0.27 to 1.13; over three pairs (98.3 %) it
    # reaches down to -0.07.
    pair: dict[str, list[float | None]] = {
        "base": [0.90, 0.91, 0.92],
        "wide": [0.905268, 0.917, 0.928732],
    }
    three: dict[str, list[float | None]] = {**pair, "thin": [0.90001, 0.90999, 0.92]}
    claim = {"alike": {"width": list(three)}, "within": 0.1}
    assert judge({"alike": level("wide"), "within": 0.1}, pair).answer == "does not hold"
    assert judge(claim, three).answer == "cannot be told"


def test_the_slowest_level_is_told_by_run_times() -> None:
    record = make_article()
    design = read_design(record)
    claims = [{"slowest": {"batch_size": "16"}}, {"slowest": {"batch_size": "256"}}]
    slow, fast = judge_claims(claims, design, PERCENT, is_maximized=True)
    assert (slow.answer, fast.answer) == ("holds", "does not hold")
    assert "times the run time" in slow.comparisons[0].text(PERCENT)


def test_every_claim_of_the_article_is_judged_with_its_figures() -> None:
    record = make_article()
    results = judge_claims(record.file["claims"], read_design(record), PERCENT, is_maximized=True)
    assert {result.answer for result in results} == {"holds"}
    assert results[0].says == "Mean square error is the worst loss."
    assert results[4].says == "batch_size: 64 is better than batch_size: 16"
    shown = results[0].comparisons[0].text(PERCENT)
    assert shown.startswith("loss: mse against loss: nll: −0.7")
    assert shown.endswith("5 pairs")


@pytest.mark.parametrize(
    ("claim", "because"),
    [
        ({"worst": {"depth": "2"}}, "varies no factor 'depth'"),
        ({"best": level("huge")}, "has no level 'huge'"),
        ({"better": [level("wide")]}, "takes two levels"),
        ({"alike": level("wide")}, "needs a margin"),
        ({"alike": {"width": ["wide"]}, "within": 1}, "two levels or more"),
        ({"fastest": level("wide")}, "A claim is one of"),
    ],
)
def test_a_claim_that_cannot_be_understood_says_why(claim: dict[str, Any], because: str) -> None:
    result = judge(claim, CLEAR)
    assert result.answer == "cannot be told"
    assert because in result.because


def test_a_level_can_be_named_by_its_value_as_well_as_by_its_label() -> None:
    design = read_design(make_article())
    claims: list[dict[str, Any]] = [
        {"best": {"learning_rate": 1.0}},
        {"best": {"learning_rate": "1"}},
        {"worst": {"learning_rate": 10}},
    ]
    results = judge_claims(claims, design, PERCENT, is_maximized=True)
    assert results[0].comparisons == results[1].comparisons
    assert all(result.answer == "holds" for result in results)
