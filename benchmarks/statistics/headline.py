"""The headline of each method: mean, interquartile mean and failure rate, always the three together."""

from collections.abc import Sequence

import msgspec
import numpy as np

from benchmarks.statistics.blocks import resample
from benchmarks.statistics.figures import interquartile_mean
from benchmarks.statistics.interval import (
    DEFAULT_RESAMPLES,
    Interval,
    bootstrap_interval,
    mean_of_tasks_interval,
    wilson_interval,
)
from benchmarks.statistics.outcomes import FailureRule, Outcomes


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """What one method came to. None of the three figures may be shown without the others."""

    method: str
    mean: Interval
    """Of the absolute normalised final score: mean over tasks of the mean over blocks. Student's t."""
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
    drawn = resample(outcomes.values, interquartile_mean, generator=generator, resamples=resamples)
    return tuple(
        _headline(outcomes, place, bootstrap_interval(drawn, place, level=level), level)
        for place in range(len(outcomes.methods))
    )


def failure_sensitivity(
    outcomes: Outcomes,
    *,
    rules: Sequence[FailureRule] = ("count", "exclude", "worst"),
    level: float = 0.95,
) -> tuple[Sensitivity, ...]:
    """The means again, with failures counted, left out, and at the worst value seen.

    The first is the finding (intention to treat: what happens to who uses the method); a conclusion that changes under the
    others rests on what a failure is said to be worth, and must say so. Leaving failures out favours methods that fail
    where it is hard.

    Raises:
        ExtraMissing: without scipy.
    """
    return tuple(
        Sensitivity(
            rule=rule,
            means={
                method: mean_of_tasks_interval(outcomes.under(rule).of(method), level=level)
                for method in outcomes.methods
            },
        )
        for rule in rules
    )


def _headline(outcomes: Outcomes, place: int, middle: Interval, level: float) -> Headline:
    values, failed = outcomes.values[place], outcomes.failed[place]
    runs = int(np.sum(~np.isnan(values)))
    blocks = int(np.sum(np.any(~np.isnan(outcomes.values), axis=0)))
    return Headline(
        method=outcomes.methods[place],
        mean=mean_of_tasks_interval(values, level=level),
        interquartile_mean=middle,
        failure_rate=wilson_interval(int(np.sum(failed & ~np.isnan(values))), runs, level=level),
        runs=runs,
        missing=blocks - runs,
    )
