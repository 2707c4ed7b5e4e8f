"""The headline of each method: mean, interquartile mean and failure rate, always the three together."""

from collections.abc import Sequence

import msgspec
import numpy as np

from benchmarks.statistics.blocks import Resampled, resample
from benchmarks.statistics.figures import interquartile_mean, mean_of_tasks
from benchmarks.statistics.interval import (
    DEFAULT_RESAMPLES,
    FEWEST_BLOCKS,
    Interval,
    bootstrap_interval,
    mean_of_tasks_interval,
    too_few,
    wilson_interval,
)
from benchmarks.statistics.outcomes import FailureRule, FloatArray, Outcomes


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """What one method came to. None of the three figures may be shown without the others."""

    method: str
    mean: Interval
    """Of the absolute normalised final score: mean over tasks of the mean over blocks. Expanded BCa, since Student's t holds
    the truth too rarely where many runs are at a ceiling or at 0 (see the calibration in the docs)."""
    interquartile_mean: Interval
    """Of all runs of the method together (Agarwal et al. 2021). Expanded BCa."""
    failure_rate: Interval
    """Share of runs in which the agent failed. Wilson's, over runs; optimistic where failures come in clusters."""
    runs: int
    missing: int
    """Blocks in which another method ran and this one did not."""


class Sensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """The mean of each method under one rule for failures."""

    rule: FailureRule
    means: dict[str, Interval]


def headlines(
    outcomes: Outcomes,
    *,
    generator: np.random.Generator,
    level: float = 0.95,
    resamples: int = DEFAULT_RESAMPLES,
) -> tuple[Headline, ...]:
    """The headline of every method, from resamples joint for all methods.

    Not to be trusted: to say anything about tasks that were not run; to compare methods (intervals that overlap do not
    mean no difference: use `compare`, which is paired).

    Args:
        outcomes: what came of the study.
        generator: the source of the draws.
        level: coverage asked for, in (0, 1).
        resamples: number of bootstrap draws.

    Raises:
        ExtraMissing: without scipy.
    """
    drawn = resample(outcomes.values, _both_means, generator=generator, resamples=resamples)
    count = len(outcomes.methods)
    intervals = [
        _interval(drawn, figure, outcomes.values[figure % count], level) for figure in range(2 * count)
    ]
    return tuple(
        _headline(outcomes, place, intervals[place], intervals[count + place], level=level)
        for place in range(count)
    )


def failure_sensitivity(
    outcomes: Outcomes,
    *,
    rules: Sequence[FailureRule] = ("count", "exclude", "worst"),
    level: float = 0.95,
    generator: np.random.Generator | None = None,
    resamples: int = DEFAULT_RESAMPLES,
) -> tuple[Sensitivity, ...]:
    """The means again, with failures counted, left out, and at the worst value seen.

    The first is the finding (intention to treat: what happens to who uses the method); a conclusion that changes under the
    others rests on what a failure is said to be worth, and must say so. Leaving failures out favours methods that fail
    where it is hard.

    Args:
        outcomes: what came of the study.
        rules: which.
        level: coverage asked for, in (0, 1).
        generator: for the intervals that `headlines` has; without one they are Student's t.
        resamples: bootstrap draws, with a generator.

    Raises:
        ExtraMissing: without scipy.
    """
    found: list[Sensitivity] = []
    for rule in rules:
        ruled = outcomes.under(rule)
        if generator is None:
            means = {name: mean_of_tasks_interval(ruled.of(name), level=level) for name in outcomes.methods}
        else:
            drawn = resample(ruled.values, mean_of_tasks, generator=generator, resamples=resamples)
            means = {
                name: _interval(drawn, place, ruled.of(name), level)
                for place, name in enumerate(outcomes.methods)
            }
        found.append(Sensitivity(rule=rule, means=means))
    return tuple(found)


def _headline(outcomes: Outcomes, place: int, mean: Interval, middle: Interval, *, level: float) -> Headline:
    values, failed = outcomes.values[place], outcomes.failed[place]
    runs = int(np.sum(~np.isnan(values)))
    blocks = int(np.sum(np.any(~np.isnan(outcomes.values), axis=0)))
    return Headline(
        method=outcomes.methods[place],
        mean=mean,
        interquartile_mean=middle,
        failure_rate=wilson_interval(int(np.sum(failed & ~np.isnan(values))), runs, level=level),
        runs=runs,
        missing=blocks - runs,
    )


def _both_means(values: FloatArray) -> FloatArray:
    """Means of all methods, then their interquartile means; shape ``(..., 2 * methods)``."""
    return np.concatenate([mean_of_tasks(values), interquartile_mean(values)], axis=-1)


def _interval(drawn: Resampled, figure: int, values: FloatArray, level: float) -> Interval:
    """The interval of a figure of one method, which may have run in fewer blocks than others."""
    own = int((~np.isnan(values)).sum(axis=1).min())
    if own < FEWEST_BLOCKS:
        return too_few(float(drawn.estimate[figure]), level=level, blocks=own, points=values.ravel())
    return bootstrap_interval(drawn, figure, level=level)
