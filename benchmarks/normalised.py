"""Absolute normalised scores and their headline: mean, interquartile mean and failure rate, with intervals.

A normalised score is 0 at the task's baseline and 1 at its reference (the optimum where it is known), so it
means the same whatever other methods were run: unlike an AUP it is not relative to a pool.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks.scores import is_better, usable
from engine.errors import BadSpecification
from engine.task import Direction

FloatArray = npt.NDArray[np.float64]

_RESAMPLES_AT_ONCE = 500
"""Bounds the memory of a bootstrap: resamples x methods x runs numbers of 8 bytes."""


class SeedScores(msgspec.Struct, frozen=True, kw_only=True):
    """Normalised scores of several methods on one task, one per seed block.

    Seed i of one method and seed i of another form a block: they share the task's draws.
    """

    task: str
    scores: dict[str, tuple[float | None, ...]]
    """By method, one per seed, equally many for all; ``None`` for an agent's failure."""
    failure_score: float = 0.0
    """What a failure scores: 0 is the baseline; lower where the task states a floor."""
    self_reported: bool = False
    """Whether the metric is made by the scored code itself."""


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate with its bootstrap percentile interval."""

    estimate: float
    low: float
    high: float
    level: float


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """The three figures that stand together for one method."""

    mean: float
    """Mean over tasks of the mean over seeds: every task weighs the same."""
    interquartile_mean: float
    """Mean of the middle half of all (task, seed) scores."""
    failure_rate: float
    """Share of (task, seed) runs without a usable score, 0 to 1."""
    runs: int


class HeadlineIntervals(msgspec.Struct, frozen=True, kw_only=True):
    """Headlines of several methods over the same tasks, with intervals from joint resamples."""

    tasks: tuple[str, ...]
    """The tasks that entered."""
    left_out: tuple[str, ...]
    """Tasks left out because their metric is self-reported."""
    headline: dict[str, Headline]
    mean: dict[str, Interval]
    interquartile_mean: dict[str, Interval]
    difference: dict[str, Interval]
    """Mean minus that of the control, on the same resamples; empty without a control."""
    control: str | None
    resamples: int


def normalised_score(
    score: float | None,
    *,
    baseline: float,
    reference: float,
    direction: Direction,
    clip: tuple[float, float] | None = None,
) -> float | None:
    """(score - baseline) / (reference - baseline): 0 at the baseline, 1 at the reference, more is better.

    Args:
        score: in the metric's unit; ``None``, NaN or infinite for a failure.
        baseline: the task's baseline, same unit.
        reference: the optimum or another fixed good score, same unit, strictly better than the baseline.
        direction: which scores are better.
        clip: lower and upper bound of the result, where the task states that its tails are heavy.

    Returns:
        The normalised score, or ``None`` for a failure (its value is the task's to say).

    Raises:
        BadSpecification: when the reference is not strictly better than the baseline.
    """
    if not is_better(reference, baseline, direction):
        raise BadSpecification(
            "reference",
            f"{reference:g} is not better ({direction}) than the baseline {baseline:g}; give one that is",
        )
    value = usable(score)
    if value is None:
        return None
    scaled = (value - baseline) / (reference - baseline)
    return scaled if clip is None else min(max(scaled, clip[0]), clip[1])


def interquartile_mean(values: FloatArray) -> FloatArray:
    """Mean of the middle half along the last axis, a quarter (rounded down) cut at each end.

    The estimator of Agarwal et al. 2021 (arXiv 2108.13264), a 25 % trimmed mean.
    """
    cut = values.shape[-1] // 4
    middle = np.sort(values, axis=-1)[..., cut : values.shape[-1] - cut]
    mean: FloatArray = np.mean(middle, axis=-1)
    return mean


def headline(tasks: Sequence[SeedScores], method: str, *, mlgym_compatible: bool = False) -> Headline:
    """The headline of one method; self-reported tasks stay out unless asked for."""
    entering = _entering(tasks, mlgym_compatible=mlgym_compatible)
    return _headline(entering, method)


def bootstrap_headlines(
    tasks: Sequence[SeedScores],
    *,
    generator: np.random.Generator,
    control: str | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    mlgym_compatible: bool = False,
) -> HeadlineIntervals:
    """Headlines of all methods with stratified bootstrap intervals over seed blocks.

    Within each task (the stratum) seeds are drawn with replacement, the same draw for all methods, so that
    differences between methods keep what their blocks share. Percentile intervals (Efron 1979); stratified
    as in Agarwal et al. 2021. They are too narrow with few seeds (below about 10), and say nothing about
    tasks that were not run.

    Args:
        tasks: one per task, all with the same methods.
        generator: the source of the draws.
        control: a method that the others' means are compared with.
        level: coverage asked for, in (0, 1).
        resamples: number of bootstrap draws, 1 or more.
        mlgym_compatible: let self-reported metrics in.

    Raises:
        BadSpecification: when the tasks do not hold the same methods with equally many seeds, or ``level``,
            ``resamples`` or ``control`` is out of range.
    """
    entering = _entering(tasks, mlgym_compatible=mlgym_compatible)
    methods = _common_methods(entering)
    if not 0 < level < 1 or resamples < 1:
        raise BadSpecification("bootstrap", "level must lie between 0 and 1, and resamples be 1 or more")
    if control is not None and control not in methods:
        raise BadSpecification("control", f"{control!r} is not among {', '.join(methods)}")
    arrays = [_filled(task, methods) for task in entering]
    means, middles = _resample(arrays, generator, resamples)
    heads = {method: _headline(entering, method) for method in methods}
    columns = dict(zip(methods, range(len(methods)), strict=True))
    return HeadlineIntervals(
        tasks=tuple(task.task for task in entering),
        left_out=tuple(task.task for task in tasks if task not in entering),
        headline=heads,
        mean={m: _interval(heads[m].mean, means[:, c], level) for m, c in columns.items()},
        interquartile_mean={
            m: _interval(heads[m].interquartile_mean, middles[:, c], level) for m, c in columns.items()
        },
        difference={}
        if control is None
        else {
            m: _interval(heads[m].mean - heads[control].mean, means[:, c] - means[:, columns[control]], level)
            for m, c in columns.items()
            if m != control
        },
        control=control,
        resamples=resamples,
    )


def _resample(
    arrays: Sequence[FloatArray], generator: np.random.Generator, resamples: int
) -> tuple[FloatArray, FloatArray]:
    """Mean over tasks and interquartile mean of each resample, both of shape ``(resamples, methods)``."""
    means: list[FloatArray] = []
    middles: list[FloatArray] = []
    for start in range(0, resamples, _RESAMPLES_AT_ONCE):
        count = min(_RESAMPLES_AT_ONCE, resamples - start)
        # Each array is (methods, seeds); taking (count, seeds) indices gives (methods, count, seeds).
        drawn = [
            array[:, generator.integers(array.shape[1], size=(count, array.shape[1]))] for array in arrays
        ]
        means.append(np.mean([np.mean(block, axis=-1) for block in drawn], axis=0).T)
        middles.append(interquartile_mean(np.concatenate(drawn, axis=-1)).T)
    return np.concatenate(means), np.concatenate(middles)


def _interval(estimate: float, draws: FloatArray, level: float) -> Interval:
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate=estimate, low=float(low), high=float(high), level=level)


def _headline(tasks: Sequence[SeedScores], method: str) -> Headline:
    arrays: list[FloatArray] = [_filled(task, (method,)).ravel() for task in tasks]
    every = np.concatenate(arrays)
    failed = sum(usable(score) is None for task in tasks for score in task.scores[method])
    return Headline(
        mean=sum(float(array.mean()) for array in arrays) / len(arrays),
        interquartile_mean=float(interquartile_mean(every)),
        failure_rate=failed / len(every),
        runs=len(every),
    )


def _filled(task: SeedScores, methods: Sequence[str]) -> FloatArray:
    """Shape ``(methods, seeds)``, failures at what the task says they score."""
    rows = [task.scores[method] for method in methods if method in task.scores]
    if len(rows) < len(methods) or len({len(row) for row in rows}) != 1 or not rows[0]:
        raise BadSpecification(
            f"scores of {task.task}",
            "each method needs one score per seed, equally many for all, at least one",
        )
    filled = [[task.failure_score if usable(s) is None else s for s in row] for row in rows]
    return np.array(filled, dtype=np.float64)


def _entering(tasks: Sequence[SeedScores], *, mlgym_compatible: bool) -> tuple[SeedScores, ...]:
    entering = tuple(task for task in tasks if mlgym_compatible or not task.self_reported)
    if not entering:
        raise BadSpecification("tasks", "none is left to summarise; self-reported metrics do not enter")
    return entering


def _common_methods(tasks: Sequence[SeedScores]) -> tuple[str, ...]:
    methods: Mapping[str, object] = tasks[0].scores
    for task in tasks:
        if set(task.scores) != set(methods):
            raise BadSpecification(
                f"scores of {task.task}", f"every task needs the methods {', '.join(methods)}"
            )
    return tuple(methods)
