"""Best of k runs, estimated without bias from n > k; and what selecting by noisy feedback costs."""

import msgspec
import numpy as np

from benchmarks.statistics.blocks import resample
from benchmarks.statistics.figures import mean_over_blocks
from benchmarks.statistics.interval import (
    DEFAULT_RESAMPLES,
    Interval,
    bootstrap_interval,
    mean_of_tasks_interval,
)
from benchmarks.statistics.outcomes import FloatArray, Outcomes
from engine.errors import BadSpecification


class BestOfK(msgspec.Struct, frozen=True, kw_only=True):
    """Expected best of k independent runs of a method, mean over tasks."""

    method: str
    k: int
    estimate: Interval
    unbiased_by_averaging: bool
    """False where n = k: the estimate is then the best of the very runs, with the variance of a single draw."""


class Optimism(msgspec.Struct, frozen=True, kw_only=True):
    """How far feedback promised more than the final score held."""

    method: str
    promised: Interval
    """Best feedback score of a run less the final score of the artefact that got it: the winner's curse."""
    forgone: Interval | None
    """Final of the artefact with the best feedback less final of what was handed in; above 0 where trusting the single best
    feedback score would have been better than the team's choice. None: not recorded."""


def best_of_k(values: FloatArray, k: int) -> FloatArray:
    """Expected best of k runs drawn without replacement from the last axis (more is better).

    ``sum_i C(i - 1, k - 1) / C(n, k) x_(i)`` with x sorted from worst to best: the U-statistic, unbiased for k independent
    runs; for 0 and 1 it is pass@k (Chen et al. 2021, arXiv 2107.03374, eq. 1).

    Args:
        values: shape ``(..., runs)``; NaN: missing.
        k: from 1 up; rows with fewer than k runs give NaN.

    Returns:
        Shape ``(...)``.
    """
    counts = (~np.isnan(values)).sum(axis=-1)
    ordered = np.sort(values, axis=-1)
    place = np.arange(1, values.shape[-1] + 1, dtype=np.int64)
    # C(i-1, k-1) / C(n, k) = k/n * prod_{j=1..k-1} (i-j)/(n-j): no large numbers.
    n = counts[..., None].astype(np.float64)
    weights = np.where(place <= n, k / np.maximum(n, 1), 0.0)
    for j in range(1, k):
        weights = weights * np.maximum(place - j, 0) / np.maximum(n - j, 1)
    best = np.where(weights > 0, np.where(np.isnan(ordered), 0.0, ordered) * weights, 0.0).sum(axis=-1)
    result: FloatArray = np.where(counts >= k, best, np.nan)
    return result


def best_of_k_summary(
    outcomes: Outcomes,
    k: int,
    *,
    generator: np.random.Generator,
    level: float = 0.95,
    resamples: int = DEFAULT_RESAMPLES,
) -> tuple[BestOfK, ...]:
    """Best@k of every method, mean over tasks, with an interval over seed blocks.

    Not to be trusted: as a figure of what one run gives (read the headline); to compare methods with different k or with
    different numbers of failures; with k near n, where a resample repeats its best run and the interval is too narrow.

    Raises:
        BadSpecification: k is below 1 or above the number of runs on some task.
    """
    counts = (~np.isnan(outcomes.values)).sum(axis=-1)
    if not 1 <= k <= int(counts.min()):
        raise BadSpecification(
            "k", f"{k} asked for, 1 to {int(counts.min())} runs are there for every method"
        )

    def best(values: FloatArray) -> FloatArray:
        mean: FloatArray = best_of_k(values, k).mean(axis=-1)
        return mean

    drawn = resample(outcomes.values, best, generator=generator, resamples=resamples)
    return tuple(
        BestOfK(
            method=method,
            k=k,
            estimate=bootstrap_interval(drawn, place, level=level),
            unbiased_by_averaging=bool(counts[place].min() > k),
        )
        for place, method in enumerate(outcomes.methods)
    )


def selection_optimism(
    method: str,
    *,
    best_feedback: FloatArray,
    its_final: FloatArray,
    handed_in: FloatArray | None = None,
    level: float = 0.95,
) -> Optimism:
    """What selecting by feedback promised and what it held.

    Args:
        method: whose runs.
        best_feedback: shape ``(tasks, seeds)``; best single feedback score of each run, on the scale of the finals.
        its_final: same shape; final score of that artefact.
        handed_in: same shape; final score of what was handed in.
        level: coverage asked for.

    Raises:
        ExtraMissing: without scipy.
    """
    forgone = None if handed_in is None else mean_of_tasks_interval(its_final - handed_in, level=level)
    return Optimism(
        method=method,
        promised=mean_of_tasks_interval(best_feedback - its_final, level=level),
        forgone=forgone,
    )


def mean_best_of_k(values: FloatArray, k: int) -> FloatArray:
    """Best@k over seeds, or the mean for k = 1 written without weights; shape without the last axis."""
    return mean_over_blocks(values) if k == 1 else best_of_k(values, k)
