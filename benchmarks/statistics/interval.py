"""Intervals: a figure with what its blocks say about it, by the best method that they allow, which is named.

``expanded-bca``, the default for figures without a formula of their own, is the bias-corrected and accelerated
bootstrap (BCa, Efron 1987) read at the expanded levels of Hesterberg (2015, arXiv 1411.5279, section 4.3): the
plain one is too narrow by the factor sqrt((n - 1) / n) and ignores that the spread itself is estimated.
``t`` is Student's for sums of task means, with Satterthwaite's (1946) degrees of freedom over the tasks.

Not to be trusted: below 10 blocks on a task there is no interval at all (the points are given instead); where nearly all
blocks are equal (ceilings), the rare others may not have been seen, and every method here is too narrow.
"""

import math
from statistics import NormalDist
from typing import Final, Literal, TypeAlias

import msgspec
import numpy as np

from benchmarks.statistics.blocks import Resampled
from benchmarks.statistics.extra import t_quantile
from benchmarks.statistics.figures import mean_over_blocks
from benchmarks.statistics.outcomes import FloatArray

BootstrapMethod: TypeAlias = Literal["expanded-bca", "bca", "expanded-percentile", "percentile"]
IntervalMethod: TypeAlias = Literal[
    "t", "expanded-bca", "bca", "expanded-percentile", "percentile", "wilson", "points"
]
FEWEST_BLOCKS: Final = 10
"""Below so many blocks on any task no interval is shown."""
DEFAULT_RESAMPLES: Final = 4000
_NORMAL: Final = NormalDist()


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with its interval, or with its points."""

    estimate: float
    low: float | None
    """None: too few blocks, see ``points``."""
    high: float | None
    level: float
    """Coverage asked for; what is reached is in the docs (reference, statistics calibration)."""
    blocks: int
    """Fewest blocks on any task."""
    method: IntervalMethod
    reason: str = ""
    """Why it is not the method that was asked for."""
    points: tuple[float, ...] = ()
    """The single blocks' figures, where there are too few for an interval."""

    def contains(self, value: float) -> bool:
        """Whether a value lies inside; never without an interval."""
        return self.low is not None and self.high is not None and self.low <= value <= self.high


def too_few(estimate: float, *, level: float, blocks: int, points: FloatArray | None = None) -> Interval:
    """What stands instead of an interval: the points."""
    shown = () if points is None else tuple(float(point) for point in points if not math.isnan(point))
    return Interval(
        estimate=estimate,
        low=None,
        high=None,
        level=level,
        blocks=blocks,
        method="points",
        reason=f"{blocks} blocks; an interval needs {FEWEST_BLOCKS}",
        points=shown,
    )


def mean_of_tasks_interval(points: FloatArray, *, level: float = 0.95) -> Interval:
    """Student's interval for the mean over tasks of the mean over blocks.

    Args:
        points: shape ``(tasks, seeds)``: one figure for each block (a value, or a paired difference); NaN: missing.
        level: coverage asked for, in (0, 1).

    Raises:
        ExtraMissing: without scipy.
    """
    counts = (~np.isnan(points)).sum(axis=1)
    blocks = int(counts.min())
    if not blocks:
        return too_few(math.nan, level=level, blocks=0)
    estimate = float(mean_over_blocks(points).mean())
    if blocks < FEWEST_BLOCKS:
        return too_few(estimate, level=level, blocks=blocks, points=points.ravel())
    error, freedom = standard_error(points)
    half = t_quantile((1 + level) / 2, freedom) * error
    return Interval(
        estimate=estimate,
        low=estimate - half,
        high=estimate + half,
        level=level,
        blocks=blocks,
        method="t",
        reason="" if error > 0 else "all blocks of each task are equal: no spread to judge by",
    )


def standard_error(points: FloatArray) -> tuple[float, float]:
    """Standard error of the mean over tasks of the mean over blocks, and its degrees of freedom (Satterthwaite 1946).

    Args:
        points: shape ``(tasks, seeds)``; NaN: missing; every task needs two blocks.
    """
    counts = np.sum(~np.isnan(points), axis=1)
    shares = np.nanvar(points, axis=1, ddof=1) / counts / len(points) ** 2
    return math.sqrt(float(shares.sum())), _freedom(shares, counts)


def bootstrap_interval(
    resampled: Resampled,
    figure: int,
    *,
    level: float = 0.95,
    method: BootstrapMethod = "expanded-bca",
) -> Interval:
    """The interval of one figure from its bootstrap draws.

    It falls back on percentiles (Efron 1979), and says so, where acceleration or bias correction do not exist: at a
    ceiling, where leaving any one block out changes nothing, or where no draw lies on one side of the estimate.

    Args:
        resampled: draws and leave-one-out values.
        figure: which of its figures.
        level: coverage asked for, in (0, 1).
        method: ``bca`` and ``percentile`` read the nominal levels, the others the expanded ones.

    Raises:
        ExtraMissing: without scipy, for the expanded ones.
    """
    estimate = float(resampled.estimate[figure])
    counts = np.bincount(resampled.stratum)
    blocks = int(counts[counts > 0].min())
    if blocks < FEWEST_BLOCKS:
        return too_few(estimate, level=level, blocks=blocks)
    draws = resampled.draws[:, figure]
    draws = draws[~np.isnan(draws)]
    influence = _influence(resampled, figure)
    levels = ((1 - level) / 2, (1 + level) / 2)
    if method in {"expanded-percentile", "expanded-bca"}:
        levels = _expanded(levels, resampled, influence)
    used: BootstrapMethod = method
    reason = ""
    if method in {"bca", "expanded-bca"}:
        shifted, reason = _corrected(levels, draws, estimate, influence)
        if shifted is None:
            used = "percentile" if method == "bca" else "expanded-percentile"
        else:
            levels = shifted
    low, high = np.quantile(draws, levels)
    return Interval(
        estimate=estimate,
        low=float(low),
        high=float(high),
        level=level,
        blocks=blocks,
        method=used,
        reason=reason,
    )


def wilson_interval(successes: int, trials: int, *, level: float = 0.95) -> Interval:
    """Interval of a share (Wilson 1927), for failure rates: it stays inside 0 to 1 and is not empty at 0.

    Args:
        successes: how many.
        trials: of how many independent ones.
        level: coverage asked for.
    """
    if not trials:
        return too_few(math.nan, level=level, blocks=0)
    share = successes / trials
    z = _NORMAL.inv_cdf((1 + level) / 2)
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    return Interval(
        estimate=share,
        low=0.0 if successes == 0 else centre - half,
        high=1.0 if successes == trials else centre + half,
        level=level,
        blocks=trials,
        method="wilson",
    )


def _influence(resampled: Resampled, figure: int) -> FloatArray:
    """Jackknife influence of each block, centred in its stratum, scaled to the stratum's size (shape ``(blocks,)``)."""
    without, stratum = resampled.without[:, figure], resampled.stratum
    influence = np.zeros(len(without))
    for task in np.unique(stratum):
        mine = stratum == task
        size = int(mine.sum())
        known = without[mine][~np.isnan(without[mine])]
        if len(known):
            influence[mine] = (size - 1) / size * (known.mean() - without[mine])
    return np.where(np.isnan(influence), 0.0, influence)


def _expanded(tails: tuple[float, float], resampled: Resampled, influence: FloatArray) -> tuple[float, float]:
    """Levels at which a bootstrap's quantiles are as far out as Student's would be (Hesterberg 2015)."""
    sizes = np.bincount(resampled.stratum).astype(np.float64)
    sums = np.bincount(resampled.stratum, weights=influence**2)
    kept = sizes > 1
    drawn = sums[kept]
    unbiased = drawn * sizes[kept] / (sizes[kept] - 1)
    if not drawn.sum() > 0:
        return tails
    freedom = _freedom(unbiased, sizes[kept])
    wider = math.sqrt(float(unbiased.sum() / drawn.sum()))
    low = _NORMAL.cdf(wider * t_quantile(tails[0], freedom))
    return low, 1 - low


def _freedom(shares: FloatArray, counts: FloatArray) -> float:
    total = float(shares.sum())
    if not total > 0:
        return float(np.sum(counts - 1))
    return 1.0 / float(np.sum((shares / total) ** 2 / (counts - 1)))


def _bias(draws: FloatArray, estimate: float) -> float | None:
    """Normal quantile of the share of draws below the estimate, ties counted half."""
    near = 1e-12 * max(1.0, abs(estimate))
    below = float(np.mean(draws < estimate - near) + 0.5 * np.mean(np.abs(draws - estimate) <= near))
    return _NORMAL.inv_cdf(below) if 0 < below < 1 else None


def _corrected(
    levels: tuple[float, float], draws: FloatArray, estimate: float, influence: FloatArray
) -> tuple[tuple[float, float] | None, str]:
    """Levels corrected for bias and acceleration, or None and why there are none."""
    spread = float(np.sum(influence**2))
    if spread <= 1e-24 * max(1.0, estimate**2):
        return None, "leaving any block out changes nothing (a ceiling), or leaves too few: no acceleration"
    bias = _bias(draws, estimate)
    if bias is None:
        return None, "no draw on one side of the estimate: no bias correction"
    acceleration = float(np.sum(influence**3)) / (6.0 * spread**1.5)
    shifted = _shifted(levels, bias, acceleration)
    return shifted, "" if shifted is not None else "acceleration too strong for these blocks"


def _shifted(tails: tuple[float, float], bias: float, acceleration: float) -> tuple[float, float] | None:
    shifted: list[float] = []
    for tail in tails:
        z = bias + _NORMAL.inv_cdf(tail)
        if 1 - acceleration * z <= 0:
            return None
        shifted.append(_NORMAL.cdf(bias + z / (1 - acceleration * z)))
    return shifted[0], shifted[1]
