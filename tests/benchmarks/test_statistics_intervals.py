"""Intervals and bootstrap draws over blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks.statistics.blocks import resample, resampled_studies
from benchmarks.statistics.figures import interquartile_mean, mean_of_tasks, unpaired_wins
from benchmarks.statistics.interval import (
    bootstrap_interval,
    mean_of_tasks_interval,
    standard_error,
    wilson_interval,
)

scores = st.lists(st.floats(-5, 5), min_size=10, max_size=20)


def sample(n: int, tasks: int = 1, methods: int = 1, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, size=(methods, tasks, n))


def test_the_mean_of_one_task_has_students_interval():
    values = sample(12)[0]

    found = mean_of_tasks_interval(values)

    expected = stats.ttest_1samp(values[0], 0.0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.method == "t"


def test_two_equal_tasks_have_the_freedom_of_both():
    values = np.concatenate([sample(12)[0], sample(12)[0]])

    error, freedom = standard_error(values)

    assert error == pytest.approx(stats.sem(values[0]) / np.sqrt(2))
    assert freedom == pytest.approx(22)


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_bootstrap_intervals_are_those_of_scipy(method):
    values = sample(25)
    drawn = resample(values, mean_of_tasks, generator=np.random.default_rng(2), resamples=20_000)

    ours = bootstrap_interval(drawn, 0, method=method)

    theirs = stats.bootstrap(
        (values[0, 0],),
        np.mean,
        n_resamples=20_000,
        method={"bca": "BCa"}.get(method, method),
        rng=np.random.default_rng(2),  # the same draws
    ).confidence_interval
    assert ours.method == method
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_the_expanded_interval_is_wider_than_the_plain_one():
    drawn = resample(sample(10), mean_of_tasks, generator=np.random.default_rng(2), resamples=4000)

    plain, wide = (bootstrap_interval(drawn, 0, method=m) for m in ("bca", "expanded-bca"))

    assert wide.low < plain.low < plain.high < wide.high


def test_nine_blocks_show_points_and_no_interval():
    found = mean_of_tasks_interval(sample(9)[0])

    assert (found.low, found.high, found.method) == (None, None, "points")
    assert len(found.points) == 9
    assert "9 blocks" in found.reason


def test_a_task_with_few_blocks_takes_the_interval_from_all():
    values = sample(12, tasks=2)[0]
    values[1, 5:] = np.nan

    assert mean_of_tasks_interval(values).method == "points"


def test_at_a_ceiling_the_fallback_is_declared():
    drawn = resample(np.ones((1, 1, 12)), mean_of_tasks, generator=np.random.default_rng(1), resamples=100)

    found = bootstrap_interval(drawn, 0)

    assert found.method == "expanded-percentile"
    assert "ceiling" in found.reason


def test_a_drawn_block_brings_the_runs_of_every_method():
    values = np.arange(24.0).reshape(1, 2, 12)
    both = np.concatenate([values, values + 100])

    for drawn in resampled_studies(both, generator=np.random.default_rng(1), resamples=50):
        assert np.all(drawn[:, 1] - drawn[:, 0] == 100)
        assert np.all(drawn[:, 0, 0] < 12)
        assert np.all(drawn[:, 0, 1] >= 12)


def test_blocks_that_do_not_exist_are_never_drawn():
    values = sample(12, tasks=2, methods=2)
    values[:, 1, 10:] = np.nan

    for drawn in resampled_studies(values, generator=np.random.default_rng(1), resamples=50):
        assert np.all(np.isnan(drawn[:, :, 1]).sum(axis=-1) == 2)
        assert not np.isnan(drawn[:, :, 0]).any()


@settings(max_examples=30, deadline=None)
@given(scores, st.randoms(use_true_random=False))
def test_the_order_of_blocks_does_not_matter(values, random):
    shuffled = random.sample(values, len(values))

    first, second = (mean_of_tasks_interval(np.array([v])) for v in (values, shuffled))

    assert (first.low, first.high) == pytest.approx((second.low, second.high), abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(scores, st.floats(0, 3))
def test_adding_to_every_run_moves_the_whole_interval(values, shift):
    low = mean_of_tasks_interval(np.array([values]))
    high = mean_of_tasks_interval(np.array([values]) + shift)

    assert high.low == pytest.approx(low.low + shift, abs=1e-9)
    assert high.high == pytest.approx(low.high + shift, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=4, max_size=30))
def test_the_interquartile_mean_is_a_trimmed_mean(values):
    found = interquartile_mean(np.array([[values]]))[0]

    assert found == pytest.approx(stats.trim_mean(values, 0.25))


def test_the_interquartile_mean_leaves_missing_runs_out():
    values = np.array([[[1.0, np.nan, 2.0, 3.0, 4.0, np.nan]]])

    assert interquartile_mean(values)[0] == 2.5


def test_the_chance_of_improvement_is_the_mann_whitney_statistic():
    values = np.round(sample(15, methods=2, seed=4), 1)  # with ties

    found = unpaired_wins(values, 0, 1)

    expected = stats.mannwhitneyu(values[0, 0], values[1, 0]).statistic / 15**2
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("failures", [0, 3, 20])
def test_failure_rates_have_wilsons_interval(failures):
    found = wilson_interval(failures, 20)

    expected = stats.binomtest(failures, 20).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
