"""Spread of paired differences, from whole episodes and from forks, as plain functions on arrays."""

from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
RESAMPLES = 10_000


class Interval(NamedTuple):
    """A percentile interval (95 %)."""

    low: float
    high: float


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Differences treatment minus control, of one kind of pair."""

    n: int
    """Pairs; of forks, beginnings times continuations."""
    mean: float
    deviation: float
    """Standard deviation of one pair's difference, over beginnings and continuations."""
    within: float | None
    """Standard deviation between continuations of one beginning; None for whole episodes."""
    zero: float
    """Share of pairs whose difference is exactly 0."""

    @property
    def pairs_needed(self) -> float:
        """Pairs for 80 % power at the 5 % level to see this mean, by the normal approximation; infinite for none."""
        return float("inf") if self.mean == 0 else (2.8016 * self.deviation / self.mean) ** 2


def whole_spread(differences: FloatArray) -> Spread:
    """Of whole episodes.

    Args:
        differences: shape ``(seeds,)``.
    """
    return Spread(
        n=len(differences),
        mean=float(differences.mean()),
        deviation=float(differences.std(ddof=1)),
        within=None,
        zero=float((differences == 0).mean()),
    )


def fork_spread(differences: FloatArray) -> Spread:
    """Of forks.

    Args:
        differences: shape ``(beginnings, continuations)``.
    """
    k = differences.shape[1]
    within = float(differences.var(axis=1, ddof=1).mean())
    between = max(float(differences.mean(axis=1).var(ddof=1)) - within / k, 0.0)
    return Spread(
        n=differences.size,
        mean=float(differences.mean()),
        deviation=float(np.sqrt(within + between)),
        within=float(np.sqrt(within)),
        zero=float((differences == 0).mean()),
    )


def ratio_interval(whole: FloatArray, forks: FloatArray, *, seed: int = 0) -> Interval:
    """Interval of the ratio of variances, forks over whole episodes, seeds resampled jointly (Efron 1979).

    Args:
        whole: shape ``(seeds,)``.
        forks: shape ``(seeds, continuations)``, of the same seeds.
        seed: of the resampling.
    """
    generator = np.random.default_rng(seed)
    least = 1e-9 * float(whole.var(ddof=1))  # a resample of one seed over and over has no spread
    ratios: list[float] = []
    for _ in range(RESAMPLES):
        rows = generator.integers(0, len(whole), len(whole))
        spread = whole[rows].var(ddof=1)
        if spread > least:
            ratios.append(fork_spread(forks[rows]).deviation ** 2 / float(spread))
    low, high = np.quantile(ratios, (0.025, 0.975))
    return Interval(float(low), float(high))
