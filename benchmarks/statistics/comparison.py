"""Paired comparisons: effect with interval, chance of improvement, permutation test, corrected for their number."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from benchmarks.statistics.blocks import resample
from benchmarks.statistics.figures import mean_over_blocks, unpaired_wins
from benchmarks.statistics.interval import (
    DEFAULT_RESAMPLES,
    Interval,
    bootstrap_interval,
    mean_of_tasks_interval,
)
from benchmarks.statistics.outcomes import FloatArray, Outcomes
from benchmarks.statistics.permutation import DEFAULT_FLIPS, SignFlip, holm, sign_flip_test


class Pair(NamedTuple):
    """Which two methods are compared."""

    treatment: str
    control: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The treatment less the control, over the blocks in which both ran."""

    treatment: str
    control: str
    difference: Interval
    """Mean over tasks of the mean paired difference; Student's t."""
    improvement: Interval
    """Chance that a run of the treatment beats one of the control on the same task (Agarwal et al. 2021)."""
    test: SignFlip
    holm_p: float
    """Corrected for all comparisons of the same call (Holm 1979)."""
    blocks: int
    """Blocks in which both ran."""
    correlation: float | None
    """Achieved correlation within blocks, pooled over tasks (None without spread). Near 0, pairing bought nothing."""
    by_task: dict[str, Interval]
    """The difference on each task alone; exploratory, not corrected."""


def paired_differences(outcomes: Outcomes, treatment: str, control: str) -> FloatArray:
    """Treatment less control in every block, shape ``(tasks, seeds)``; NaN where one did not run."""
    return outcomes.of(treatment) - outcomes.of(control)


def compare(
    outcomes: Outcomes,
    pairs: Sequence[Pair | tuple[str, str]],
    *,
    generator: np.random.Generator,
    level: float = 0.95,
    resamples: int = DEFAULT_RESAMPLES,
    flips: int = DEFAULT_FLIPS,
) -> tuple[Comparison, ...]:
    """Compare pairs of methods, correcting for how many there are.

    Give the primary comparison in a call of its own if it was named before the study: then it pays for no other.

    Args:
        outcomes: what came of the study.
        pairs: (treatment, control).
        generator: the source of all draws.
        level: coverage asked for.
        resamples: bootstrap draws.
        flips: sign patterns of the permutation test.

    Raises:
        UnknownName: a method is not there.
        ExtraMissing: without scipy.
    """
    wanted = [(outcomes.index(treatment), outcomes.index(control)) for treatment, control in pairs]

    def improvements(values: FloatArray) -> FloatArray:
        return np.stack([unpaired_wins(values, ours, theirs) for ours, theirs in wanted], axis=-1)

    if not wanted:
        return ()
    drawn = resample(outcomes.values, improvements, generator=generator, resamples=resamples)
    tests = [
        sign_flip_test(outcomes.values[ours] - outcomes.values[theirs], generator=generator, flips=flips)
        for ours, theirs in wanted
    ]
    corrected = holm([test.p for test in tests])
    return tuple(
        _comparison(
            outcomes, pair, test, p, improvement=bootstrap_interval(drawn, place, level=level), level=level
        )
        for place, (pair, test, p) in enumerate(zip(wanted, tests, corrected, strict=True))
    )


def _comparison(
    outcomes: Outcomes,
    pair: tuple[int, int],
    test: SignFlip,
    holm_p: float,
    *,
    improvement: Interval,
    level: float,
) -> Comparison:
    ours, theirs = outcomes.values[pair[0]], outcomes.values[pair[1]]
    gaps = ours - theirs
    return Comparison(
        treatment=outcomes.methods[pair[0]],
        control=outcomes.methods[pair[1]],
        difference=mean_of_tasks_interval(gaps, level=level),
        improvement=improvement,
        test=test,
        holm_p=holm_p,
        blocks=int(np.sum(~np.isnan(gaps))),
        correlation=_correlation(ours, theirs),
        by_task={
            task: mean_of_tasks_interval(gaps[place : place + 1], level=level)
            for place, task in enumerate(outcomes.tasks)
        },
    )


def _correlation(ours: FloatArray, theirs: FloatArray) -> float | None:
    both = ~np.isnan(ours - theirs)
    first, second = np.where(both, ours, np.nan), np.where(both, theirs, np.nan)
    first = first - mean_over_blocks(first)[:, None]
    second = second - mean_over_blocks(second)[:, None]
    spread = float(np.sqrt(np.nansum(first**2) * np.nansum(second**2)))
    return float(np.nansum(first * second)) / spread if spread > 1e-12 else None
