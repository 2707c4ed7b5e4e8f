"""Looking at a study before it is complete: a fixed size, or a group-sequential plan whose looks are recorded.

Testing at 5 % at each of five looks finds something in 14 % of studies without an effect (Armitage, McPherson and Rowe
1969). Here each look spends a part of the 5 % that was agreed before (Lan and DeMets 1983), with a spending function like
O'Brien and Fleming's (1979): almost nothing early, nearly all at the end.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist
from typing import Final

import msgspec
import numpy as np

from benchmarks.statistics.outcomes import FloatArray
from engine.errors import BadSpecification

_NORMAL: Final = NormalDist()
_POINTS: Final = 2001
"""Grid of the recursive integration; boundaries are right to about 1e-4."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look that was taken, or is planned."""

    fraction: float
    """Of the planned number of blocks, in (0, 1]."""
    spent: float
    """Of the significance level, by the end of this look."""
    boundary: float
    """The test rejects at this look where |z| is at least this."""
    nominal_p: float
    """The same as a two-sided p-value: what a p must fall below *at this look*."""


def spending(fraction: float, *, significance: float = 0.05) -> float:
    """Significance spent by a fraction of the blocks: each side spends ``2 - 2 Phi(z_(1 - a/4) / sqrt(t))``.

    The function a1* of Lan and DeMets (1983) at half the level on each side, as is usual for two-sided tests.

    Args:
        fraction: of the planned blocks, in (0, 1].
        significance: in all.
    """
    if not 0 < fraction <= 1:
        raise BadSpecification("look", f"fraction {fraction:g} lies outside 0 to 1")
    return 4.0 * _NORMAL.cdf(-_NORMAL.inv_cdf(1 - significance / 4) / math.sqrt(fraction))


def boundaries(fractions: Sequence[float], *, significance: float = 0.05) -> tuple[Look, ...]:
    """What each look may reject at, so that all together reject with the chance ``significance`` under the null.

    Recursive numerical integration of the sums' density over the region in which no earlier look stopped (Armitage,
    McPherson and Rowe 1969). The times need not be those planned: only earlier looks enter, so a look may be added late, as
    long as *why* it is taken has nothing to do with the effect seen.

    Not to be trusted: below some 10 blocks at a look, where z is not normal (use the nominal p with the permutation test);
    if looks were taken and not recorded. Estimates after an early stop are too large.

    Args:
        fractions: rising, in (0, 1]; the looks taken so far, this one last. Use 1 for the last planned one.
        significance: in all, two-sided.

    Raises:
        BadSpecification: fractions that do not rise within (0, 1].
    """
    if not fractions or any(later <= earlier for earlier, later in pairwise(fractions)):
        raise BadSpecification("looks", "fractions must rise, and there must be one")
    looks: list[Look] = []
    density: FloatArray | None = None
    grid: FloatArray = np.zeros(0)
    before = previous = 0.0
    for fraction in fractions:
        spent = spending(fraction, significance=significance)
        step = math.sqrt(fraction - previous)
        wide = np.linspace(-9.0, 9.0, _POINTS) * math.sqrt(fraction)
        arriving = _arriving(wide, grid, density, step)
        limit = _limit(wide, arriving, spent - before)
        looks.append(
            Look(
                fraction=fraction,
                spent=spent,
                boundary=limit / math.sqrt(fraction),
                nominal_p=2 * _NORMAL.cdf(-limit / math.sqrt(fraction)),
            )
        )
        grid = np.linspace(-limit, limit, _POINTS)
        density = np.interp(grid, wide, arriving)
        before, previous = spent, fraction
    return tuple(looks)


def _arriving(at: FloatArray, grid: FloatArray, density: FloatArray | None, step: float) -> FloatArray:
    """Density of the sum at this look, over studies that have not stopped."""
    if density is None:
        return _normal_density(at, step)
    kernel = _normal_density(at[:, None] - grid[None, :], step)
    weight = np.full(len(grid), grid[1] - grid[0])
    weight[[0, -1]] /= 2
    arriving: FloatArray = kernel @ (density * weight)
    return arriving


def _normal_density(x: FloatArray, spread: float) -> FloatArray:
    density: FloatArray = np.exp(-0.5 * (x / spread) ** 2) / (spread * math.sqrt(2 * math.pi))
    return density


def _limit(at: FloatArray, density: FloatArray, chance: float) -> float:
    """Where both tails outside hold ``chance``."""
    half = at[at >= 0]
    step = half[1] - half[0]
    above = density[at >= 0]
    pieces = (above[1:] + above[:-1]) / 2 * step
    tail = np.concatenate([np.cumsum(pieces[::-1])[::-1], [0.0]])
    if chance / 2 <= tail[-2]:
        return float(half[-1])
    return float(np.interp(-math.log(chance / 2), -np.log(np.maximum(tail[:-1], 1e-300)), half[:-1]))
