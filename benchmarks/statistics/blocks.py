"""Resampling blocks: bootstrap draws and leave-one-out values of a statistic of whole studies.

Strata are tasks. Within a task blocks are drawn with replacement, and a drawn block brings the runs of *all* methods,
so differences between methods keep what their blocks share (stratified as in Agarwal et al. 2021, arXiv 2108.13264).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.statistics.outcomes import FloatArray

IntArray: TypeAlias = npt.NDArray[np.int64]
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
    stratum: IntArray


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
    draws = [
        statistic(drawn) for drawn in resampled_studies(values, generator=generator, resamples=resamples)
    ]
    tasks, seeds = np.nonzero(np.any(~np.isnan(values), axis=0))
    at_once = max(1, _NUMBERS_AT_ONCE // values.size)
    without = [
        statistic(_leaving_out(values, tasks[start : start + at_once], seeds[start : start + at_once]))
        for start in range(0, len(tasks), at_once)
    ]
    return Resampled(
        estimate=statistic(values),
        draws=np.concatenate(draws),
        without=np.concatenate(without),
        stratum=tasks,
    )


def _leaving_out(values: FloatArray, tasks: IntArray, seeds: IntArray) -> FloatArray:
    """Studies with one block less each, shape ``(blocks, methods, tasks, seeds)``."""
    fewer = np.repeat(values[None], len(tasks), axis=0)
    fewer[np.arange(len(tasks)), :, tasks, seeds] = np.nan
    return fewer


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
