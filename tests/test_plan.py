"""Laws of plans: what follows from a study file alone, and keeps when the file grows."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.plan import Plan, make_plan, point_seed, sampler_seed
from hpo.spaces.search_space import SearchSpace
from hpo.study_files.factors import read_vary
from hpo.study_files.reading import load
from hpo.study_files.study_file import StudyFile
from tests.space_strategies import STEPPED, spaces

ARTICLE = Path(__file__).parent.parent / "studies" / "article" / "article.yaml"


def study(method: str, space: dict[str, Any] | None = None, **fields: Any) -> StudyFile:
    fields |= {"search_space": SearchSpace.from_data(space)} if space else {}
    return StudyFile.model_validate(
        {"study": "s", "method": method, "directions": ["maximize"]} | fields
    )


@st.composite
def controlled(draw: st.DrawFn) -> StudyFile:
    names = draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True))
    values = {n: draw(st.lists(st.integers(0, 9), min_size=2, unique=True)) for n in names}
    baseline = {name: first for name, (first, *_) in values.items()}
    vary, findings = read_vary({name: rest for name, (_, *rest) in values.items()}, baseline)
    assert not findings
    counts: dict[str, Any] = {
        "replicates": draw(st.integers(1, 4)),
        "seed": draw(st.integers(0, 99)),
    }
    return study("controlled", baseline=baseline, vary=vary, **counts)


@given(controlled())
def test_a_controlled_point_differs_from_the_baseline_in_its_factor_only(file: StudyFile) -> None:
    baseline = file.baseline or {}
    for point in make_plan(file).points:
        settings = file.settings(point.params or {})
        changed = [name for name in baseline if settings[name] != baseline[name]]
        assert changed == ([] if point.factor is None else [point.factor])
        assert settings.keys() == baseline.keys()


@given(controlled())
def test_each_replicate_has_one_baseline_and_every_level_once(file: StudyFile) -> None:
    points = make_plan(file).points
    expected: list[tuple[str | None, str | None]] = [(None, None)]
    expected += [(f, level) for f, labels in file.levels().items() for level in labels[1:]]
    for replicate in range(file.replicates):
        own = [point for point in points if point.replicate == replicate]
        assert [(point.factor, point.level) for point in own] == expected
        assert {point.seed for point in own} == {file.seed + replicate}
    assert len(points) == file.replicates * len(expected)


@given(controlled())
def test_a_controlled_point_has_a_level_of_every_factor(file: StudyFile) -> None:
    levels = file.levels()
    for point in make_plan(file).points:
        assert point.params is not None
        assert point.params.keys() == levels.keys()
        assert all(point.params[factor] in labels for factor, labels in levels.items())


@given(controlled(), st.integers(1, 3))
def test_raising_replicates_only_appends(file: StudyFile, more: int) -> None:
    before = make_plan(file).points
    raised = file.model_copy(update={"replicates": file.replicates + more})
    assert make_plan(raised).points[: len(before)] == before


@given(spaces(), st.integers(0, 2**31 - 1), st.integers(1, 8), st.integers(1, 8))
@settings(max_examples=60)
def test_raising_n_trials_only_appends(
    space: dict[str, Any], seed: int, n_trials: int, more: int
) -> None:
    for method in ("random", "tpe"):
        before = make_plan(study(method, space, n_trials=n_trials, seed=seed)).points
        after = make_plan(study(method, space, n_trials=n_trials + more, seed=seed)).points
        assert after[: len(before)] == before
        assert [point.number for point in after] == list(range(n_trials + more))


@given(spaces(), st.integers(0, 2**31 - 1))
@settings(max_examples=60)
def test_the_same_file_gives_the_same_plan_after_a_round_trip(
    space: dict[str, Any], seed: int
) -> None:
    file = study("random", space, n_trials=5, seed=seed)
    again = StudyFile.model_validate_json(file.model_dump_json())
    assert make_plan(again) == make_plan(file)


@given(spaces(STEPPED))
@settings(max_examples=40)
def test_a_grid_plan_numbers_the_points_of_the_grid(space: dict[str, Any]) -> None:
    file = study("grid", space)
    assert file.search_space is not None
    size = 1
    for parameter in file.search_space.parameters.values():
        size *= parameter.n_levels
    if size < 2_000:
        plan = make_plan(file)
        assert plan.decided == "planned"
        assert [point.params for point in plan.points] == list(file.search_space.grid())


def test_random_points_are_drawn_from_the_seed_and_are_not_all_alike() -> None:
    space = {"x": {"low": 0.0, "high": 1.0}}
    drawn = [
        [p.params for p in make_plan(study("random", space, n_trials=50, seed=s)).points]
        for s in (1, 2)
    ]
    assert drawn[0] != drawn[1]
    assert len({point["x"] for point in drawn[0] if point}) == 50


def test_without_a_space_the_sampler_decides_random_points_too() -> None:
    plan = make_plan(study("random", n_trials=3))
    assert plan.decided == "sampler"
    assert [point.params for point in plan.points] == [None] * 3


def test_starting_points_come_first_and_are_filled_by_random_but_not_by_tpe() -> None:
    space: dict[str, Any] = {"x": {"choices": [[1], [1, 2]]}, "y": {"low": 0.0, "high": 1.0}}
    start = [{"x": [1, 2]}]
    random = make_plan(study("random", space, n_trials=3, start_with=start)).points
    tpe = make_plan(study("tpe", space, n_trials=3, start_with=start)).points
    assert tpe[0].params == {"x": "1-2"}
    assert tpe[1].params is None
    assert random[0].params is not None
    assert random[0].params["x"] == "1-2"
    assert set(random[0].params) == {"x", "y"}


def test_seeds_of_points_differ_and_fit_31_bits() -> None:
    seeds = [point_seed(study_seed, point) for study_seed in range(50) for point in range(50)]
    assert max(Counter(seeds).values()) == 1
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_a_retry_changes_the_sampler_seed_of_adaptive_samplers_only() -> None:
    for method, changes in (("tpe", True), ("gp", True), ("random", False), ("grid", False)):
        file = study(method, n_trials=1)
        assert (sampler_seed(file, 3, 0) != sampler_seed(file, 3, 1)) == changes
    assert sampler_seed(study("tpe"), 3, 0) != point_seed(1, 3)


@pytest.mark.parametrize(
    ("file", "epochs"),
    [
        (study("tpe", {"x": {"choices": [1]}}, n_trials=3, fixed={"epochs": 5}), 15),
        (study("tpe", {"epochs": {"low": 2, "high": 9}}, n_trials=3), 27),
        (study("tpe", {"epochs": {"choices": [2, 4]}}, n_trials=3), 12),
        (study("grid", {"epochs": {"choices": [2, 4]}}), 6),
        (study("tpe", n_trials=3), None),
        (study("tpe", n_trials=3, max_epochs_total=7), 7),
        (study("tpe", n_trials=3, fixed={"epochs": 5}, max_epochs_total=7), 7),
    ],
)
def test_the_most_epochs_of_a_plan(file: StudyFile, epochs: int | None) -> None:
    assert make_plan(file).max_epochs() == epochs


def article() -> Plan:
    return make_plan(load(ARTICLE))


def test_the_article_has_seven_factors_and_five_replicates() -> None:
    plan = article()
    levels = plan.study.levels()
    assert {factor: len(labels) - 1 for factor, labels in levels.items()} == {
        "hidden_layers": 2,
        "activation": 2,
        "loss": 2,
        "batch_size": 2,
        "epochs": 1,
        "learning_rate": 2,
        "regularization": 6,
    }
    assert len(plan.points) == 5 * (1 + 17)
    assert {point.seed for point in plan.points} == {1, 2, 3, 4, 5}
    assert plan.max_epochs() == 5 * (17 * 14 + 25)


def test_a_quick_look_at_the_article_trains_one_replicate_for_two_epochs() -> None:
    plan = make_plan(load(ARTICLE, ["epochs=2", "replicates=1"]))
    assert len(plan.points) == 18
    assert plan.max_epochs() == 17 * 2 + 25


def test_no_two_controlled_points_of_the_article_train_the_same_settings_with_one_seed() -> None:
    plan = article()
    trained = [(point.seed, plan.study.settings(point.params or {})) for point in plan.points]
    assert all(one != other for one, other in combinations(trained, 2))
