"""The 95 % interval of a mean over seeds, by the method that its number of seeds allows."""

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec
import numpy as np

IntervalMethod: TypeAlias = Literal["none", "t", "bootstrap"]

_T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306)
"""Quantile 0.975 of Student's t with 1 to 8 degrees of freedom."""
_BOOTSTRAP_FROM = 10
_RESAMPLES = 10_000


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A mean over seeds with its 95 % interval."""

    mean: float
    low: float | None
    """None with a single seed, of which no interval can be had."""
    high: float | None
    n: int
    method: IntervalMethod
    """``t``: Student's, for fewer than 10 seeds; ``bootstrap``: percentiles of 10,000 resamples (Efron 1979)."""


def mean_interval(values: Sequence[float]) -> Interval | None:
    """The mean and its interval; None without values.

    Args:
        values: one per independent seed.
    """
    n = len(values)
    if not n:
        return None
    mean = math.fsum(values) / n
    if n == 1:
        return Interval(mean=mean, low=None, high=None, n=1, method="none")
    sample = np.asarray(values, dtype=np.float64)
    if n < _BOOTSTRAP_FROM:
        half = _T_975[n - 2] * float(sample.std(ddof=1)) / math.sqrt(n)
        return Interval(mean=mean, low=mean - half, high=mean + half, n=n, method="t")
    # The same figures always: the generator belongs to the method, not to the study.
    draws = np.random.default_rng(n).integers(0, n, size=(_RESAMPLES, n))
    low, high = np.quantile(sample[draws].mean(axis=1), (0.025, 0.975))
    return Interval(mean=mean, low=float(low), high=float(high), n=n, method="bootstrap")
