"""Performance ratios, profiles and AUP."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.profiles import (
    area_under_profile,
    area_under_profiles,
    performance_profile,
    performance_ratio,
    performance_ratios,
    range_grid,
    shared_range,
    task_scale,
)
from benchmarks.scores import TaskScores, with_method
from engine.errors import BadSpecification
from engine.task import Direction


def table(direction: Direction = "max", task: str = "t", **scores: float | None) -> TaskScores:
    return TaskScores(task=task, direction=direction, scores=scores)


def test_the_worked_example_of_the_specification() -> None:
    example = table(baseline=0.5, A=0.9, B=0.6, C=0.4, D=None)

    ratios = performance_ratios(example)

    assert ratios == pytest.approx({"baseline": 1.8, "A": 1, "B": 1.5, "C": 1.89, "D": 1.89})
    assert task_scale(example).cap == 2


def test_less_is_better_where_the_direction_says_so() -> None:
    ratios = performance_ratios(table("min", baseline=16.0, A=8.0, B=12.0, C=20.0))

    assert ratios == pytest.approx({"baseline": 2, "A": 1, "B": 1.5, "C": 2.1})


def test_a_negative_score_is_infeasible_even_above_the_baseline() -> None:
    """So a negative baseline is infeasible itself, and the worst model sets the penalty."""
    scale = task_scale(table(baseline=-0.248, A=0.5, B=0.025, C=-0.244))

    assert (scale.best, scale.worst_ratio, scale.cap) == (0.5, 20.0, 21)
    assert performance_ratio(-0.244, scale) == performance_ratio(-0.248, scale) == 21.0


def test_without_a_baseline_every_score_from_zero_up_is_feasible() -> None:
    assert performance_ratios(table(A=2.0, B=1.0, C=-1.0)) == pytest.approx({"A": 1, "B": 2, "C": 2.1})


def test_a_score_of_zero_gets_the_penalty_and_leaves_the_range_finite() -> None:
    scores = table(baseline=-1.0, A=0.2, B=0.1, C=0.0)

    assert performance_ratios(scores)["C"] == pytest.approx(2.1)
    assert shared_range([task_scale(scores)]) == 0.5  # log10(3), rounded up


def test_where_nobody_is_feasible_all_are_alike() -> None:
    ratios = performance_ratios(table(baseline=-1.0, A=-2.0, B=None))

    assert set(ratios.values()) == {1.05}


def test_the_range_is_the_largest_cap_rounded_up_to_a_decimal() -> None:
    narrow, wide = table(baseline=1.0, A=1.5), table(baseline=1.0, A=25.0)

    assert shared_range([task_scale(narrow), task_scale(wide)]) == 1.5  # log10(27) = 1.431


def test_a_profile_is_the_share_of_tasks_reached() -> None:
    profile = performance_profile([1.0, 10.0], np.array([0.0, 0.5, 1.0]))

    assert profile.tolist() == [0.5, 0.5, 1.0]


def test_the_area_is_a_left_sum_so_the_last_point_does_not_count() -> None:
    grid = range_grid(1.0)
    only_last = np.zeros(500)
    only_last[-1] = 1.0

    assert area_under_profile(only_last, grid) == 0.0
    assert area_under_profile(np.ones(500), grid) == pytest.approx(1.0)


def test_with_frozen_scale_and_range_a_newcomer_leaves_the_others_where_they_were() -> None:
    before = [table(baseline=1.0, A=2.0, B=4.0)]
    scales = {"t": task_scale(before[0])}
    t_max = shared_range(scales.values())
    joined = [with_method(before[0], "new", 8.0)]

    frozen = area_under_profiles(joined, t_max=t_max, scales=scales)

    assert {m: a for m, a in frozen.items() if m != "new"} == area_under_profiles(before, t_max=t_max)
    assert frozen["new"] == pytest.approx(t_max)


def test_two_tables_of_one_task_are_refused() -> None:
    with pytest.raises(BadSpecification, match="one table per task"):
        area_under_profiles([table(A=1.0), table(A=2.0)])


score = st.one_of(st.none(), st.floats(0.015625, 64))
suites = st.lists(
    st.fixed_dictionaries({"baseline": st.floats(0.5, 2), "A": score, "B": score, "C": score}),
    min_size=1,
    max_size=4,
)
directions = st.sampled_from(["max", "min"])


def tables_of(suite: list[dict[str, float | None]], direction: Direction) -> list[TaskScores]:
    return [TaskScores(task=f"t{i}", direction=direction, scores=scores) for i, scores in enumerate(suite)]


@given(suite=suites, direction=directions, exponent=st.integers(-20, 20))
def test_a_tasks_unit_does_not_change_any_area(
    suite: list[dict[str, float | None]], direction: Direction, exponent: int
) -> None:
    """Powers of two, so that the ratios are equal to the last bit."""
    scaled = [
        {m: None if s is None else math.ldexp(s, exponent) for m, s in suite[0].items()},
        *suite[1:],
    ]

    assert area_under_profiles(tables_of(scaled, direction)) == area_under_profiles(
        tables_of(suite, direction)
    )


@given(suite=suites, direction=directions)
def test_areas_lie_between_nothing_and_the_range(
    suite: list[dict[str, float | None]], direction: Direction
) -> None:
    tables = tables_of(suite, direction)
    t_max = shared_range(map(task_scale, tables))

    areas = area_under_profiles(tables)

    assert all(0 <= area <= round(t_max, 3) for area in areas.values())


@given(suite=suites, direction=directions)
def test_a_method_that_is_best_on_every_task_has_the_largest_area(
    suite: list[dict[str, float | None]], direction: Direction
) -> None:
    champion = 100.0 if direction == "max" else 0.01
    tables = [with_method(t, "champion", champion) for t in tables_of(suite, direction)]

    areas = area_under_profiles(tables)

    assert areas["champion"] == pytest.approx(shared_range(map(task_scale, tables)))
    assert areas["champion"] == max(areas.values())
