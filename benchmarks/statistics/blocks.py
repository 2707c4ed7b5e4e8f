"""Resampling blocks: bootstrap draws and leave-one-out values of a statistic of whole studies.

Strata are tasks. Within a task blocks are drawn with replacement, and a drawn block brings the runs of *all* methods,
so differences between methods keep what their blocks share (stratified as in Agarwal et al. 2021, arXiv 2108.13264).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from benchmarks.statistics.outcomes import FloatArray

Statistic: TypeAlias = Callable[[FloatArray], FloatArray]
"""Takes ``(..., methods, tasks, seeds)`` with NaN for missing runs, gives ``(..., figures)``."""

_NUMBERS_AT_ONCE = 4_000_000
"""Bounds the memory of a bootstrap: so many numbers of 8 bytes are drawn at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Resampled:
    """A statistic with its bootstrap draws and its leave-one-out values.

    Attributes:
        estimate: shape ``(figures,)``.
        draws: shape ``(resamples, figures)``.
        without: shape ``(blocks, figures)``; the statistic without that block.
        stratum: shape ``(blocks,)``; the task of each block.
    """

    estimate: FloatArray
    draws: FloatArray
    without: FloatArray
    stratum: np.ndarray[tuple[int], np.dtype[np.int64]]


def resample(
    values: FloatArray, statistic: Statistic, *, generator: np.random.Generator, resamples: int
) -> Resampled:
    """Draws and leave-one-out values of a statistic.

    Args:
        values: shape ``(methods, tasks, seeds)``; NaN where there is no run. A block without any run does not exist.
        statistic: see `Statistic`.
        generator: the source of the draws.
        resamples: number of draws, 1 or more.
    """
    present = [np.flatnonzero(np.any(~np.isnan(values[:, task]), axis=0)) for task in range(values.shape[1])]
    draws = [
        statistic(drawn) for drawn in resampled_studies(values, generator=generator, resamples=resamples)
    ]
    left_out = [(task, int(seed)) for task, seeds in enumerate(present) for seed in seeds]
    without: list[FloatArray] = []
    for task, seed in left_out:
        fewer = values.copy()
        fewer[:, task, seed] = np.nan
        without.append(statistic(fewer))
    return Resampled(
        estimate=statistic(values),
        draws=np.concatenate(draws),
        without=np.array(without),
        stratum=np.array([task for task, _ in left_out], dtype=np.int64),
    )


def resampled_studies(
    values: FloatArray, *, generator: np.random.Generator, resamples: int
) -> Iterator[FloatArray]:
    """Studies made of blocks drawn with replacement within each task: arrays ``(some, methods, tasks, seeds)``."""
    methods, tasks, seeds = values.shape
    at_once = max(1, _NUMBERS_AT_ONCE // values.size)
    for start in range(0, resamples, at_once):
        count = min(at_once, resamples - start)
        drawn = np.full((count, methods, tasks, seeds), np.nan)
        for task in range(tasks):
            present = np.flatnonzero(np.any(~np.isnan(values[:, task]), axis=0))
            chosen = present[generator.integers(len(present), size=(count, len(present)))]
            drawn[:, :, task, : len(present)] = np.moveaxis(values[:, task][:, chosen], 0, 1)
        yield drawn


def resampled_tasks(
    values: FloatArray, *, generator: np.random.Generator, resamples: int
) -> Iterator[FloatArray]:
    """Studies made of *tasks* drawn with replacement, each with the runs that it had.

    This asks another question than blocks do: how the figure would vary over other tasks of this kind, supposing that
    these are a random sample of them (a benchmark's tasks are not).
    """
    at_once = max(1, _NUMBERS_AT_ONCE // values.size)
    for start in range(0, resamples, at_once):
        count = min(at_once, resamples - start)
        chosen = generator.integers(values.shape[1], size=(count, values.shape[1]))
        yield np.moveaxis(values[:, chosen], 0, 1)
