"""Performance ratios, performance profiles and the area under them (AUP), as MLGym-Bench computes them.

Profiles are Dolan and Moré's (2002), as the AutoML Decathlon (Roberts et al. 2022) and MLGym (Nathani et al.
2025, arXiv 2502.14499) adapted them. What is computed here is what produced MLGym's published tables, which
differs from the formulas in its paper: the integral starts at ratio 1, the penalty is 1.05 times the worst
*feasible* ratio, and the range is shared by best attempt and best submission and rounded up. An AUP is
relative to its pool of methods, its tasks and its range; pool and range can be frozen by handing in those of
another table.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks.scores import (
    BASELINE,
    TaskScores,
    best_of,
    is_better,
    methods_of,
    usable,
)
from engine.errors import BadSpecification
from engine.task import Direction

FloatArray = npt.NDArray[np.float64]

PENALTY = 1.05
"""An infeasible method gets this many times the worst feasible ratio."""

GRID_POINTS = 500
"""Points of log10 ratio at which a profile is read, both ends included."""

AUP_DECIMALS = 3


class TaskScale(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool of methods fixes for one task: enough to give any further method its ratio."""

    task: str
    direction: Direction
    baseline: float | None
    best: float | None
    """Best feasible score; ``None`` when no method is feasible."""
    worst_ratio: float
    """Largest finite ratio of a feasible method; 1 when there is none."""

    @property
    def penalty_ratio(self) -> float:
        """The ratio of a method without a feasible score."""
        return PENALTY * self.worst_ratio

    @property
    def cap(self) -> int:
        """The whole number from which the shared range is made."""
        return math.ceil(self.penalty_ratio)


def is_feasible(score: float | None, *, baseline: float | None, direction: Direction) -> bool:
    """Whether a score counts: usable, not negative, not strictly worse than a known baseline."""
    value = usable(score)
    if value is None or value < 0:
        return False
    return baseline is None or not is_better(baseline, value, direction)


def task_scale(table: TaskScores) -> TaskScale:
    """The scale that the methods of a table (the baseline among them) fix for its task."""
    baseline = usable(table.scores.get(BASELINE))
    feasible = [
        score
        for score in table.scores.values()
        if score is not None and is_feasible(score, baseline=baseline, direction=table.direction)
    ]
    best = best_of(feasible, table.direction)
    ratios = [] if best is None else [_ratio(score, best, table.direction) for score in feasible]
    return TaskScale(
        task=table.task,
        direction=table.direction,
        baseline=baseline,
        best=best,
        worst_ratio=max((ratio for ratio in ratios if math.isfinite(ratio)), default=1.0),
    )


def performance_ratio(score: float | None, scale: TaskScale) -> float:
    """The ratio r of a score to the best one of the scale, or the penalty where it is infeasible.

    ``r = score / best`` where less is better, ``best / score`` where more is; 1 for the best of the pool,
    below 1 for a newcomer that beats a frozen scale. A ratio that is infinite (a score of exactly 0 to
    maximise, or a best of 0 to minimise), on which MLGym's range overflows, gets the penalty here.
    """
    if (
        score is None
        or scale.best is None
        or not is_feasible(score, baseline=scale.baseline, direction=scale.direction)
    ):
        return scale.penalty_ratio
    ratio = _ratio(score, scale.best, scale.direction)
    return ratio if math.isfinite(ratio) else scale.penalty_ratio


def performance_ratios(table: TaskScores, scale: TaskScale | None = None) -> dict[str, float]:
    """The ratio of every method of a table, by the table's own scale or by a frozen one."""
    scale = task_scale(table) if scale is None else scale
    return {method: performance_ratio(score, scale) for method, score in table.scores.items()}


def shared_range(scales: Iterable[TaskScale]) -> float:
    """The upper end t_max of the profiles: log10 of the largest cap, rounded up to one decimal.

    MLGym takes it over the scales of best attempt and best submission together.
    """
    cap = max((scale.cap for scale in scales), default=1)
    return math.ceil(math.log10(cap) * 10) / 10


def range_grid(t_max: float) -> FloatArray:
    """The points of log10 ratio, shape ``(500,)``, from 0 to ``t_max`` inclusive."""
    return np.linspace(0.0, t_max, GRID_POINTS)


def performance_profile(ratios: Sequence[float], grid: FloatArray) -> FloatArray:
    """rho(t), the share of tasks on which a method's log10 ratio is at most t.

    Args:
        ratios: the method's ratio on each task, shape ``(tasks,)``.
        grid: values of t, shape ``(points,)``.

    Returns:
        Shape ``(points,)``, from 0 to 1, never falling.
    """
    log_ratios = np.log10(np.asarray(ratios, dtype=np.float64))
    reached: FloatArray = np.mean(log_ratios[:, None] <= grid[None, :], axis=0)
    return reached


def area_under_profile(profile: FloatArray, grid: FloatArray) -> float:
    """Left Riemann sum of a profile over its grid; at most the grid's upper end."""
    return float(np.sum(np.diff(grid) * profile[:-1]))


def area_under_profiles(
    tables: Sequence[TaskScores],
    *,
    t_max: float | None = None,
    scales: Mapping[str, TaskScale] | None = None,
) -> dict[str, float]:
    """AUP of every method over the tasks of the tables, rounded to 3 decimals.

    Args:
        tables: one per task; a method absent from a table has failed on that task.
        t_max: the range; by default the one of these tables alone. Published figures share it between
            best attempt and best submission (`shared_range` over both).
        scales: frozen scales by task; by default each table's own.

    Raises:
        BadSpecification: without a table, or with two tables of one task.
    """
    names = [table.task for table in tables]
    if not names or len(set(names)) < len(names):
        raise BadSpecification("tables", "one table per task is needed, and at least one")
    used = [scales[table.task] if scales is not None else task_scale(table) for table in tables]
    grid = range_grid(shared_range(used) if t_max is None else t_max)
    areas: dict[str, float] = {}
    for method in methods_of(tables):
        pairs = zip(tables, used, strict=True)
        ratios = [performance_ratio(table.scores.get(method), scale) for table, scale in pairs]
        areas[method] = round(area_under_profile(performance_profile(ratios, grid), grid), AUP_DECIMALS)
    return areas


def _ratio(score: float, best: float, direction: Direction) -> float:
    over, under = (best, score) if direction == "max" else (score, best)
    if under == 0:
        return 1.0 if over == 0 else math.inf
    return over / under
