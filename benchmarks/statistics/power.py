"""Power, minimal detectable effect and number of runs, from a pilot or from the published runs, before anything is paid.

Two predictions. The *formula* (noncentral t, Student's test of paired differences) needs only a spread, and is right where
differences are near normal. The *simulation* redraws the pilot's own differences, so it knows their shape, but no more
of it than the pilot saw. Neither knows anything about tasks that the pilot did not have. Pilot seeds never enter the study.
"""

import math
from typing import Final

import msgspec
import numpy as np

from benchmarks.statistics.extra import noncentral_t_cdf, t_quantile
from benchmarks.statistics.outcomes import FloatArray
from engine.errors import BadSpecification

PUBLISHED_SPREAD: Final = 0.25
"""Pooled SD within cells (model and task) of the normalised final score of the 676 published MLGym runs, clipped to 0 … 1;
`python -m benchmarks.calibration --only spread` recomputes it from the data (0.250)."""
LARGEST_STUDY: Final = 1_000_000


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a study of a given size can see."""

    effect: float
    """Difference of means, on the scale of the score."""
    spread: float
    """Standard deviation of one paired difference."""
    blocks: int
    """Runs of each arm."""
    power: float
    """Chance to find the effect at the level asked for."""
    level: float
    detectable: float
    """Smallest effect found with the power asked for."""


def spread_of_difference(spread: float, *, correlation: float = 0.0) -> float:
    """SD of a paired difference of two runs with this SD each: ``spread * sqrt(2 (1 - correlation))``.

    Args:
        spread: SD of one run within its cell.
        correlation: within blocks; 0 for hosted models, which ignore seeds.
    """
    return spread * math.sqrt(2.0 * (1.0 - correlation))


def power_of(effect: float, spread: float, blocks: int, *, significance: float = 0.05) -> float:
    """Chance that Student's two-sided test of paired differences finds an effect (noncentral t; Cohen 1988, chapter 2).

    Args:
        effect: true mean difference.
        spread: SD of one paired difference, above 0.
        blocks: number of paired differences, 2 or more.
        significance: level of the test.

    Raises:
        BadSpecification: a number out of range.
        ExtraMissing: without scipy.
    """
    _check(spread, significance)
    if blocks < 2:
        raise BadSpecification("blocks", f"{blocks} is too few; a spread needs two")
    freedom = blocks - 1
    critical = t_quantile(1 - significance / 2, freedom)
    shift = abs(effect) / spread * math.sqrt(blocks)
    if shift > 30:  # the far tail underflows in scipy; it is 1 to 15 digits
        return 1.0
    missed = noncentral_t_cdf(critical, freedom, shift) - noncentral_t_cdf(-critical, freedom, shift)
    return float(min(max(1.0 - missed, 0.0), 1.0))


def blocks_needed(effect: float, spread: float, *, power: float = 0.8, significance: float = 0.05) -> int:
    """Smallest number of blocks (runs of each arm) with which `power_of` reaches a power.

    Raises:
        BadSpecification: an effect of 0, or one that no study below a million blocks finds.
        ExtraMissing: without scipy.
    """
    if not effect or not 0 < power < 1:
        raise BadSpecification("effect", "give an effect other than 0 and a power between 0 and 1")
    low, high = 1, 2
    while power_of(effect, spread, high, significance=significance) < power:
        low, high = high, 2 * high
        if high > LARGEST_STUDY:
            raise BadSpecification(
                "effect", f"{effect:g} would need more than {LARGEST_STUDY} runs of each arm"
            )
    while high - low > 1:
        middle = (low + high) // 2
        if power_of(effect, spread, middle, significance=significance) < power:
            low = middle
        else:
            high = middle
    return high


def detectable_effect(spread: float, blocks: int, *, power: float = 0.8, significance: float = 0.05) -> float:
    """Smallest effect that so many blocks find with a power (minimal detectable effect).

    Raises:
        BadSpecification: a number out of range.
        ExtraMissing: without scipy.
    """
    low, high = 0.0, spread
    while power_of(high, spread, blocks, significance=significance) < power:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        if power_of(middle, spread, blocks, significance=significance) < power:
            low = middle
        else:
            high = middle
    return high


def plan(
    effect: float,
    *,
    blocks: int,
    spread: float = PUBLISHED_SPREAD,
    correlation: float = 0.0,
    power: float = 0.8,
    significance: float = 0.05,
) -> Plan:
    """What a study can see; by default with the spread of the published runs and no gain from pairing.

    Args:
        effect: difference of means that matters.
        blocks: runs of each arm.
        spread: SD of one run within its cell; a pilot's is better than the published one.
        correlation: within blocks, from a pilot.
        power: for ``detectable``.
        significance: level of the test.

    Raises:
        BadSpecification: a number out of range.
        ExtraMissing: without scipy.
    """
    difference = spread_of_difference(spread, correlation=correlation)
    return Plan(
        effect=effect,
        spread=difference,
        blocks=blocks,
        power=power_of(effect, difference, blocks, significance=significance),
        level=significance,
        detectable=detectable_effect(difference, blocks, power=power, significance=significance),
    )


def pilot_spread(values: FloatArray) -> float:
    """Pooled SD within cells.

    Args:
        values: shape ``(cells, runs)``; NaN: missing; cells with fewer than two runs do not enter.

    Raises:
        BadSpecification: no cell has two runs.
    """
    counts = (~np.isnan(values)).sum(axis=1)
    kept = values[counts > 1]
    if not len(kept):
        raise BadSpecification("pilot", "no cell has two runs; run at least two seeds")
    freedom = counts[counts > 1] - 1
    return math.sqrt(float(np.sum(np.nanvar(kept, axis=1, ddof=1) * freedom) / np.sum(freedom)))


def simulated_power(
    pilot: FloatArray,
    blocks: int,
    *,
    generator: np.random.Generator,
    significance: float = 0.05,
    studies: int = 4000,
) -> float:
    """Power of Student's test on studies redrawn from a pilot's own paired differences, effect and shape included.

    Not to be trusted with a small pilot: it takes the pilot's effect for the truth. It serves to ask how much an odd shape
    costs against the formula.

    Args:
        pilot: shape ``(blocks,)``; paired differences.
        blocks: of the study planned.
        generator: the source of the draws.
        significance: level of the test.
        studies: how many are drawn.

    Raises:
        ExtraMissing: without scipy.
    """
    known = pilot[~np.isnan(pilot)]
    drawn = known[generator.integers(len(known), size=(studies, blocks))]
    return float(np.mean(t_rejects(drawn, significance=significance)))


def t_rejects(differences: FloatArray, *, significance: float = 0.05) -> FloatArray:
    """1.0 where Student's two-sided test rejects a mean of 0; shape ``(studies, blocks)`` to ``(studies,)``.

    Differences that are all equal and not 0 reject; all 0 do not.

    Raises:
        ExtraMissing: without scipy.
    """
    n = differences.shape[1]
    error = differences.std(axis=1, ddof=1) / math.sqrt(n)
    mean = np.abs(differences.mean(axis=1))
    rejected: FloatArray = (mean > np.maximum(t_quantile(1 - significance / 2, n - 1) * error, 1e-15)).astype(
        np.float64
    )
    return rejected


def _check(spread: float, significance: float) -> None:
    if not spread > 0 or not 0 < significance < 1:
        raise BadSpecification("power", "give a spread above 0 and a significance between 0 and 1")
