"""Absolute normalised scores, their headline and its intervals."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.normalised import (
    HeadlineIntervals,
    SeedScores,
    bootstrap_headlines,
    headline,
    interquartile_mean,
    normalised_score,
)
from engine.errors import BadSpecification


def test_the_baseline_is_zero_and_the_reference_one_in_either_direction() -> None:
    assert normalised_score(1.0, baseline=1.0, reference=1.44, direction="max") == 0
    assert normalised_score(1.44, baseline=1.0, reference=1.44, direction="max") == 1
    assert normalised_score(12.0, baseline=16.0, reference=8.0, direction="min") == 0.5


def test_heavy_tails_are_clipped_where_asked_for() -> None:
    diverged = normalised_score(-3e13, baseline=33.8, reference=100, direction="max", clip=(-1, 1.5))

    assert diverged == -1


def test_a_failure_stays_a_failure() -> None:
    assert normalised_score(None, baseline=0, reference=1, direction="max") is None
    assert normalised_score(float("nan"), baseline=0, reference=1, direction="max", clip=(0, 1)) is None


@pytest.mark.parametrize("reference", [1.0, 0.5])
def test_a_reference_that_is_not_better_than_the_baseline_is_refused(reference: float) -> None:
    with pytest.raises(BadSpecification, match="not better"):
        normalised_score(1.0, baseline=1.0, reference=reference, direction="max")


def test_the_interquartile_mean_drops_a_quarter_at_each_end() -> None:
    assert interquartile_mean(np.array([100.0, 1.0, 2.0, -50.0])) == 1.5
    assert interquartile_mean(np.array([1.0, 3.0])) == 2.0


def test_the_headline_counts_failures_at_what_the_task_says() -> None:
    tasks = [
        SeedScores(task="a", scores={"team": (1.0, None)}),
        SeedScores(task="b", scores={"team": (0.5, None, 0.5, None)}, failure_score=-1.0),
    ]

    head = headline(tasks, "team")

    assert head.mean == pytest.approx((0.5 + -0.25) / 2)
    assert head.failure_rate == 0.5
    assert head.runs == 6


def test_self_reported_metrics_enter_no_interval_unless_asked_for() -> None:
    tasks = [
        SeedScores(task="honest", scores={"team": (0.5, 0.5)}),
        SeedScores(task="told", scores={"team": (1.0, 1.0)}, self_reported=True),
    ]

    kept = bootstrap_headlines(tasks, generator=np.random.default_rng(0), resamples=10)
    let_in = bootstrap_headlines(
        tasks, generator=np.random.default_rng(0), resamples=10, mlgym_compatible=True
    )

    assert (kept.tasks, kept.left_out, kept.mean["team"].estimate) == (("honest",), ("told",), 0.5)
    assert (let_in.tasks, let_in.mean["team"].estimate) == (("honest", "told"), 0.75)


def test_nothing_but_self_reported_metrics_is_refused() -> None:
    with pytest.raises(BadSpecification, match="self-reported"):
        headline([SeedScores(task="told", scores={"team": (1.0,)}, self_reported=True)], "team")


def test_methods_must_share_their_seed_blocks() -> None:
    tasks = [SeedScores(task="a", scores={"x": (1.0, 2.0), "y": (1.0,)})]

    with pytest.raises(BadSpecification, match="equally many"):
        bootstrap_headlines(tasks, generator=np.random.default_rng(0))


def test_draws_are_joint_so_a_constant_gain_has_no_spread() -> None:
    base = tuple(np.random.default_rng(1).normal(size=12).tolist())
    tasks = [SeedScores(task="a", scores={"control": base, "team": tuple(s + 0.25 for s in base)})]

    result = bootstrap_headlines(tasks, generator=np.random.default_rng(2), control="control")

    gain = result.difference["team"]
    assert (gain.low, gain.high) == pytest.approx((0.25, 0.25))
    assert result.mean["team"].high - result.mean["team"].low > 0.3


def test_one_seed_of_the_generator_gives_one_result_that_survives_json() -> None:
    tasks = [SeedScores(task="a", scores={"x": (0.1, 0.4, None), "y": (0.3, 0.2, 0.9)})]

    first = bootstrap_headlines(tasks, generator=np.random.default_rng(3))
    second = bootstrap_headlines(tasks, generator=np.random.default_rng(3))

    assert first == second
    assert msgspec.json.decode(msgspec.json.encode(first), type=HeadlineIntervals) == first


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Percentile intervals of 90 % with 20 seeds on 2 tasks cover a little less; 200 studies, s.e. 0.02."""
    generator = np.random.default_rng(11)
    covered = 0
    for _ in range(200):
        draws = generator.normal(loc=[[0.2], [0.6]], scale=[[0.1], [1.0]], size=(2, 20))
        tasks = [SeedScores(task=str(i), scores={"x": tuple(row.tolist())}) for i, row in enumerate(draws)]
        mean = bootstrap_headlines(tasks, generator=generator, level=0.9, resamples=300).mean["x"]
        covered += mean.low <= 0.4 <= mean.high

    assert 0.82 <= covered / 200 <= 0.96


seed_rows = st.lists(st.lists(st.floats(-2, 2), min_size=3, max_size=8), min_size=1, max_size=3)


@settings(deadline=None, max_examples=50)
@given(rows=seed_rows)
def test_the_interval_of_the_mean_lies_within_the_scores_and_around_the_estimate(
    rows: list[list[float]],
) -> None:
    tasks = [SeedScores(task=str(i), scores={"x": tuple(row)}) for i, row in enumerate(rows)]

    mean = bootstrap_headlines(tasks, generator=np.random.default_rng(5), level=0.99, resamples=400).mean["x"]

    lowest = sum(map(min, rows)) / len(rows)
    highest = sum(map(max, rows)) / len(rows)
    assert lowest - 1e-9 <= mean.low <= mean.estimate + 1e-9
    assert mean.estimate - 1e-9 <= mean.high <= highest + 1e-9
