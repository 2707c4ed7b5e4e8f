"""Best of k, optimism, AUP, Shapley shares, anytime curves, outcomes of episodes."""

from itertools import combinations, pairwise
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.attempts import expected_best_of_k
from benchmarks.profiles import area_under_profiles, shared_range, task_scale
from benchmarks.scores import TaskScores
from benchmarks.statistics import (
    area_under_curve,
    best_of_k,
    best_of_k_summary,
    common_grid,
    mean_curve,
    median_to_threshold,
    on_grid,
    profile_areas,
    reference_of,
    restricted_spend_to_threshold,
    selection_optimism,
    shapley_shares,
    shapley_values,
    spend_gap,
    spend_to_threshold,
)
from benchmarks.statistics.outcomes import Outcomes
from engine.errors import BadSpecification
from engine.task import TaskCard
from tasks.registry import open_task

ROLES = ("a", "b", "c")
SUBSETS = [frozenset(chosen) for size in range(4) for chosen in combinations(ROLES, size)]


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def outcomes(values: np.ndarray, names: tuple[str, ...] = ()) -> Outcomes:
    return Outcomes(
        methods=names or tuple(f"m{i}" for i in range(len(values))),
        tasks=tuple(f"t{i}" for i in range(values.shape[1])),
        values=values,
        failed=np.zeros(values.shape, dtype=np.bool_),
        floors=np.zeros(values.shape[1]),
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=7), st.integers(1, 7))
def test_best_of_k_is_the_mean_over_all_subsets(values, k):
    k = min(k, len(values))

    found = best_of_k(np.array(values, dtype=np.float64), k)

    assert found == pytest.approx(np.mean([max(chosen) for chosen in combinations(values, k)]))
    assert found == pytest.approx(expected_best_of_k(values, k, "max"))


@given(st.lists(st.floats(-1, 1), min_size=5, max_size=9))
def test_more_attempts_are_never_worse(values):
    found = [float(best_of_k(np.array(values), k)) for k in range(1, 6)]

    assert all(later >= earlier - 1e-12 for earlier, later in pairwise(found))


def test_missing_runs_do_not_count_as_attempts():
    values = np.array([[1.0, np.nan, 3.0], [2.0, np.nan, np.nan]])

    assert best_of_k(values, 2) == pytest.approx([3.0, np.nan], nan_ok=True)


def test_best_of_all_runs_is_marked_as_a_single_draw():
    study = outcomes(rng().random((1, 1, 12)))

    few, every = (best_of_k_summary(study, k, generator=rng())[0] for k in (4, 12))

    assert (few.unbiased_by_averaging, every.unbiased_by_averaging) == (True, False)
    with pytest.raises(BadSpecification, match="13 asked for"):
        best_of_k_summary(study, 13, generator=rng())


def test_selecting_by_noise_promises_more_than_it_holds():
    worth = rng().normal(size=(1, 20, 8)) * 0.1
    shown = worth + rng(2).normal(size=worth.shape)
    best = np.argmax(shown, axis=2)[..., None]

    found = selection_optimism(
        "m",
        best_feedback=np.take_along_axis(shown, best, 2)[..., 0],
        its_final=np.take_along_axis(worth, best, 2)[..., 0],
    )

    assert found.promised.low > 0.5
    assert found.forgone is None


def test_the_area_under_the_profile_is_that_of_the_profiles_module():
    tables = [
        TaskScores(task="t0", direction="max", scores={"baseline": 0.2, "m0": 0.5, "m1": 0.9}),
        TaskScores(task="t1", direction="min", scores={"baseline": 3.0, "m0": 1.0, "m1": 4.0}),
    ]
    scales = {table.task: task_scale(table) for table in tables}
    t_max = shared_range(scales.values())
    raw = np.array([[[t.scores[m]] * 12 for t in tables] for m in ("m0", "m1")])

    areas = profile_areas(outcomes(raw), scales, t_max=t_max, generator=rng(), resamples=50)

    expected = area_under_profiles(tables, t_max=t_max, scales=scales)
    assert {a.method: round(a.over_seeds.estimate, 3) for a in areas} == {
        m: expected[m] for m in ("m0", "m1")
    }
    assert areas[0].over_tasks.tasks == 2


def test_redrawing_tasks_varies_where_redrawing_seeds_does_not():
    """All runs of a task are equal, and its two tasks differ."""
    tables = [
        TaskScores(task=task, direction="max", scores={"baseline": 0.2, "m0": score, "m1": 0.9})
        for task, score in (("t0", 0.9), ("t1", 0.3))
    ]
    scales = {table.task: task_scale(table) for table in tables}
    raw = np.array([[[0.9] * 12, [0.3] * 12]])

    found = profile_areas(outcomes(raw), scales, t_max=1.0, generator=rng(), resamples=200)[0]

    assert found.over_seeds.low == found.over_seeds.high
    assert found.over_tasks.low < found.over_tasks.high


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=8, max_size=8))
def test_shapley_values_divide_the_whole_gain(worths):
    worth = dict(zip(SUBSETS, worths, strict=True))

    shares = shapley_values(worth, ROLES)

    assert sum(shares.values()) == pytest.approx(worth[frozenset(ROLES)] - worth[frozenset()])


def test_shapley_values_of_equals_are_equal_and_of_nobody_nothing():
    worth = {subset: float(len(subset & {"a", "b"}) == 2) for subset in SUBSETS}

    assert shapley_values(worth, ROLES) == pytest.approx({"a": 0.5, "b": 0.5, "c": 0.0})
    with pytest.raises(BadSpecification, match="a \\+ b"):
        shapley_values({subset: 0.0 for subset in SUBSETS if subset != {"a", "b"}}, ROLES)


def test_shapley_shares_of_a_study_have_joint_intervals():
    noise = rng().normal(size=(1, 1, 12)) * np.ones((8, 1, 1))  # the same in all subsets: it cancels
    effect = np.array([2.0 * ("a" in subset) for subset in SUBSETS])[:, None, None]
    names = tuple("+".join(sorted(subset)) or "none" for subset in SUBSETS)

    shares = shapley_shares(
        outcomes(noise + effect, names),
        dict(zip(SUBSETS, names, strict=True)),
        ROLES,
        removal="vacuous",
        generator=rng(),
        resamples=200,
    )

    assert [share.share.estimate for share in shares] == pytest.approx([2.0, 0.0, 0.0])
    assert shares[0].share.high - shares[0].share.low == pytest.approx(0.0, abs=1e-9)
    assert shares[0].removal == "vacuous"


def test_a_curve_is_a_step_function_of_what_was_spent():
    grid = np.array([0.0, 1.0, 2.0, 3.0, 4.0])

    found = on_grid(np.array([1.0, 3.0]), np.array([0.5, 0.9]), grid, start=0.1)

    assert found.tolist() == [0.1, 0.5, 0.5, 0.9, 0.9]
    assert area_under_curve(found, grid) == pytest.approx((0.1 + 0.5 + 0.5 + 0.9) / 4)


def test_a_threshold_that_is_never_reached_is_censored():
    grid = np.array([0.0, 1.0, 2.0])
    curves = np.array([[0.0, 0.5, 0.5], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]])

    spends = spend_to_threshold(curves, grid, 0.5)

    assert spends.tolist() == [1.0, 2.0, inf]
    assert median_to_threshold(spends) == 2.0
    assert median_to_threshold(np.array([1.0, 2.0, inf, inf])) == inf
    assert restricted_spend_to_threshold(curves, grid, 0.5).tolist() == [1.0, 2.0, 2.0]


def test_a_grid_ends_where_the_thriftiest_method_ended():
    grid = common_grid([np.array([10.0, 20.0]), np.array([30.0])], points=4)

    assert grid.tolist() == [0.0, 5.0, 10.0, 15.0]
    assert len(mean_curve(np.zeros((1, 12, 4)), grid)) == 4


@pytest.mark.parametrize(("spent", "flagged"), [(109.0, False), (111.0, True), (89.0, True), (0.0, True)])
def test_gaps_of_spend_over_ten_percent_are_flagged(spent, flagged):
    found = spend_gap(
        "t", "c", treatment_spent=np.array([spent]), control_spent=np.array([100.0, np.nan]), axis="tokens"
    )

    assert found.is_flagged is flagged


def test_the_reference_of_a_task_is_its_optimum_or_the_best_published():
    card = open_task("planted").card

    assert reference_of(card, "verified") == (card.baseline, 1.0)
    nothing = TaskCard(id="x", title="X", version=1, metric="m", direction="max", baseline=0.0)
    with pytest.raises(BadSpecification, match="cannot be normalised"):
        reference_of(nothing, "verified")
