"""Area under the performance profile (AUP) over a frozen pool and range, with two intervals that answer two questions."""

from collections.abc import Mapping

import msgspec
import numpy as np

from benchmarks.profiles import PENALTY, TaskScale, range_grid
from benchmarks.statistics.best_of import mean_best_of_k
from benchmarks.statistics.blocks import resample, resampled_tasks
from benchmarks.statistics.interval import DEFAULT_RESAMPLES, Interval, bootstrap_interval
from benchmarks.statistics.outcomes import FloatArray, Outcomes
from engine.errors import BadSpecification


class TaskInterval(msgspec.Struct, frozen=True, kw_only=True):
    """How a figure varies when *tasks* are redrawn. Not an interval of the seeds, and never to be shown as one.

    It supposes that the tasks are a random sample of tasks, which a hand-picked benchmark is not: a hint at how much the
    figure hangs on single tasks. Percentiles; no coverage is claimed.
    """

    low: float
    high: float
    level: float
    tasks: int


class ProfileArea(msgspec.Struct, frozen=True, kw_only=True):
    """The AUP of one method: relative to its pool of methods, its tasks and its range, all frozen here."""

    method: str
    over_seeds: Interval
    """Over seed blocks: how the figure would vary if the same study were run again."""
    over_tasks: TaskInterval


def profile_areas(
    outcomes: Outcomes,
    scales: Mapping[str, TaskScale],
    *,
    t_max: float,
    generator: np.random.Generator,
    k: int = 1,
    level: float = 0.95,
    resamples: int = DEFAULT_RESAMPLES,
) -> tuple[ProfileArea, ...]:
    """AUP of every method from raw scores, with pool and range frozen before.

    The score of a method on a task is its best@k over seeds (k = 1: the mean), its ratio is to the frozen best of the pool.

    Not to be trusted: across pools, ranges or sets of tasks; for scores at 0 (ratios do not exist); as a measure of how much
    better a method is (a step at the baseline decides much: infeasible means the penalty).

    Args:
        outcomes: raw scores in the metric's unit; **values hold the raw metric even where less is better**, and a failure is
            NaN-free only if its task states a raw floor. A method without any run on a task is infeasible there.
        scales: frozen, by task (`benchmarks.profiles.task_scale` of the pool).
        t_max: frozen upper end of log10 ratio (`benchmarks.profiles.shared_range`).
        generator: the source of the draws.
        k: attempts.
        level: coverage asked for.
        resamples: draws, of blocks and of tasks each.

    Raises:
        BadSpecification: a task without a scale.
        ExtraMissing: without scipy.
    """
    for task in outcomes.tasks:
        if task not in scales:
            raise BadSpecification("scales", f"none is frozen for {task}; take it from the pool")
    kept = [scales[task] for task in outcomes.tasks]

    def areas(values: FloatArray) -> FloatArray:
        best: FloatArray = np.stack(
            [
                mean_best_of_k(values[..., place, :] * sign, k) * sign
                for place, sign in enumerate(_signs(kept))
            ],
            axis=-1,
        )
        mean: FloatArray = area_of_scores(best, kept, t_max=t_max).mean(axis=-1)
        return mean

    drawn = resample(outcomes.values, areas, generator=generator, resamples=resamples)
    single = area_of_scores(
        np.stack(
            [
                mean_best_of_k(outcomes.values[:, place] * sign, k) * sign
                for place, sign in enumerate(_signs(kept))
            ],
            axis=-1,
        ),
        kept,
        t_max=t_max,
    )
    redrawn = np.concatenate(
        [
            each[..., 0].mean(axis=-1)
            for each in resampled_tasks(single[..., None], generator=generator, resamples=resamples)
        ]
    )
    tails = ((1 - level) / 2, (1 + level) / 2)
    return tuple(
        ProfileArea(
            method=method,
            over_seeds=bootstrap_interval(drawn, place, level=level),
            over_tasks=TaskInterval(
                low=float(np.quantile(redrawn[:, place], tails[0])),
                high=float(np.quantile(redrawn[:, place], tails[1])),
                level=level,
                tasks=len(kept),
            ),
        )
        for place, method in enumerate(outcomes.methods)
    )


def area_of_scores(scores: FloatArray, scales: list[TaskScale], *, t_max: float) -> FloatArray:
    """The area that each task's score adds: `benchmarks.profiles.area_under_profiles` is its mean over tasks, rounded.

    Args:
        scores: shape ``(..., tasks)``, raw; NaN: no usable score.
        scales: one per task.
        t_max: upper end of the range.

    Returns:
        Shape ``(..., tasks)``, from 0 to ``t_max``.
    """
    grid = range_grid(t_max)
    step = t_max / (len(grid) - 1)
    areas = np.empty(scores.shape)
    for place, scale in enumerate(scales):
        with np.errstate(divide="ignore"):  # a ratio of 0 beats every point of the grid
            logs = np.log10(_ratios(scores[..., place], scale))
        areas[..., place] = (len(grid) - 1 - np.searchsorted(grid[:-1], logs, side="left")) * step
    return areas


def _ratios(scores: FloatArray, scale: TaskScale) -> FloatArray:
    penalty = PENALTY * scale.worst_ratio
    if scale.best is None:
        return np.full(scores.shape, penalty)
    with np.errstate(invalid="ignore", divide="ignore"):
        worse = (
            np.zeros(scores.shape, dtype=np.bool_)
            if scale.baseline is None
            else (scores < scale.baseline if scale.direction == "max" else scores > scale.baseline)
        )
        feasible = np.isfinite(scores) & (scores >= 0) & ~worse
        over = scale.best / scores if scale.direction == "max" else scores / scale.best
        both_zero = (scores == 0) & (scale.best == 0)
        ratios = np.where(both_zero, 1.0, over)
    chosen: FloatArray = np.where(feasible & np.isfinite(ratios), ratios, penalty)
    return chosen


def _signs(scales: list[TaskScale]) -> list[float]:
    return [1.0 if scale.direction == "max" else -1.0 for scale in scales]
