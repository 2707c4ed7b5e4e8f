"""Figures of whole studies, with missing runs: what the bootstrap repeats.

Each takes ``(..., methods, tasks, seeds)`` with NaN for a missing run, and gives ``(..., methods)``.
"""

import numpy as np

from benchmarks.statistics.outcomes import FloatArray


def mean_over_blocks(values: FloatArray) -> FloatArray:
    """Mean over seeds, shape without the last axis; NaN where no run is there."""
    there = ~np.isnan(values)
    counts = there.sum(axis=-1)
    sums = np.where(there, values, 0.0).sum(axis=-1)
    mean: FloatArray = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return mean


def mean_of_tasks(values: FloatArray) -> FloatArray:
    """Mean over tasks of the mean over seeds: every task weighs the same, however many runs it has."""
    mean: FloatArray = mean_over_blocks(values).mean(axis=-1)
    return mean


def interquartile_mean(values: FloatArray) -> FloatArray:
    """Mean of the middle half of all runs of a method, a quarter (rounded down) cut at each end.

    The estimator of Agarwal et al. 2021 (arXiv 2108.13264); missing runs are left out. It says nothing about failures
    below the lower quarter, which is why the failure rate stands beside it.
    """
    runs = values.reshape(*values.shape[:-2], -1)
    counts = (~np.isnan(runs)).sum(axis=-1)[..., None]
    cut = counts // 4
    place = np.arange(runs.shape[-1], dtype=np.int64)
    kept = (place >= cut) & (place < counts - cut)  # NaN sorts last
    total = np.where(kept, np.sort(runs, axis=-1), 0.0).sum(axis=-1)
    size = kept.sum(axis=-1)
    mean: FloatArray = np.where(size > 0, total / np.maximum(size, 1), np.nan)
    return mean


def unpaired_wins(values: FloatArray, treatment: int, control: int) -> FloatArray:
    """Chance that a run of the treatment beats one of the control on the same task, any seeds; mean over tasks.

    The probability of improvement of Agarwal et al. 2021 (the Mann-Whitney statistic of each task), ties counted ½.

    Returns:
        Shape ``(...,)``.
    """
    ours, theirs = values[..., treatment, :, :], values[..., control, :, :]
    pairs = (~np.isnan(ours)).sum(axis=-1) * (~np.isnan(theirs)).sum(axis=-1)
    first, second = ours[..., :, None], theirs[..., None, :]  # what is missing is neither above nor equal
    above = np.count_nonzero(first > second, axis=(-2, -1))
    equal = np.count_nonzero(first == second, axis=(-2, -1))
    won = np.where(pairs > 0, (above + 0.5 * equal) / np.maximum(pairs, 1), np.nan)
    chance: FloatArray = won.mean(axis=-1)
    return chance
