"""Anytime curves: the score over what was spent on one budget axis, on a grid common to all methods.

Caps are not spend: methods are compared at what they *really* spent on the declared axis, and a gap of more than 10 % is
flagged. Responses of a curve: the area under it, and the spend needed to reach a threshold.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from benchmarks.statistics.interval import Interval, mean_of_tasks_interval
from benchmarks.statistics.outcomes import FloatArray
from engine.errors import BadSpecification

LARGEST_GAP: Final = 0.10
"""Relative gap of realised spend above which a comparison is flagged."""


class CurvePoint(msgspec.Struct, frozen=True, kw_only=True):
    """The mean score of a method after so much."""

    spent: float
    score: Interval


class SpendGap(msgspec.Struct, frozen=True, kw_only=True):
    """How much more one method really spent than another on the declared axis."""

    treatment: str
    control: str
    axis: str
    treatment_spent: float
    """Mean per run."""
    control_spent: float
    gap: float
    """(treatment - control) / control; infinite where only the treatment spent anything."""
    is_flagged: bool
    """More than 10 % either way: the effect is partly one of budget."""


def common_grid(spent: Sequence[FloatArray], *, points: int = 50) -> FloatArray:
    """Equal steps from 0 to the *smallest* mean final spend of the methods: beyond it they are not comparable.

    Args:
        spent: one array of final spends for each method.
        points: of the grid, 2 or more.
    """
    ends = [float(np.nanmean(each)) for each in spent]
    if not ends or points < 2:
        raise BadSpecification("grid", "needs a method and two points")
    return np.linspace(0.0, min(ends), points)


def on_grid(spent: FloatArray, scores: FloatArray, grid: FloatArray, *, start: float) -> FloatArray:
    """The score that stood at each grid point of one run: a step function, never interpolated.

    Args:
        spent: shape ``(changes,)``, not falling: when the standing artefact changed.
        scores: shape ``(changes,)``: its score from then on.
        grid: shape ``(points,)``.
        start: the score before the first change (the baseline).

    Returns:
        Shape ``(points,)``.
    """
    standing = np.concatenate([[start], scores])
    found: FloatArray = standing[np.searchsorted(spent, grid, side="right")]
    return found


def area_under_curve(scores: FloatArray, grid: FloatArray) -> FloatArray:
    """Mean height of step curves over the grid (its area over its width), in the score's unit.

    Args:
        scores: shape ``(..., points)``; the score at a grid point holds up to the next one.
        grid: shape ``(points,)``, rising.
    """
    widths = np.diff(grid)
    area: FloatArray = (scores[..., :-1] * widths).sum(axis=-1) / widths.sum()
    return area


def spend_to_threshold(scores: FloatArray, grid: FloatArray, threshold: float) -> FloatArray:
    """Spend at which a curve first reaches a threshold; infinite where it never does (censored, not missing).

    Means of it do not exist where some are censored: use `median_to_threshold`, or share of runs that reached it.

    Args:
        scores: shape ``(..., points)``, more is better.
        grid: shape ``(points,)``.
        threshold: to be reached.
    """
    reached = scores >= threshold
    first = np.argmax(reached, axis=-1)
    spend: FloatArray = np.where(reached.any(axis=-1), grid[first], np.inf)
    return spend


def restricted_spend_to_threshold(scores: FloatArray, grid: FloatArray, threshold: float) -> FloatArray:
    """Spend to a threshold with the whole budget in place of "never" (the restricted mean of survival analysis).

    Its mean exists always, and is the area over the curve "share that reached it"; it says less the shorter the budget.
    """
    restricted: FloatArray = np.minimum(spend_to_threshold(scores, grid, threshold), grid[-1])
    return restricted


def median_to_threshold(spends: FloatArray) -> float:
    """Median spend to a threshold; infinite where half of the runs never reached it."""
    ordered = np.sort(spends)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return float(ordered[middle])
    low, high = float(ordered[middle - 1]), float(ordered[middle])
    return low if low == high else (low + high) / 2


def mean_curve(scores: FloatArray, grid: FloatArray, *, level: float = 0.95) -> tuple[CurvePoint, ...]:
    """Mean over tasks of the mean over seeds at each grid point, with pointwise intervals (not a band for the whole curve).

    Args:
        scores: shape ``(tasks, seeds, points)``; NaN: missing.
        grid: shape ``(points,)``.
        level: coverage asked for, at each point.

    Raises:
        ExtraMissing: without scipy.
    """
    return tuple(
        CurvePoint(spent=float(spent), score=mean_of_tasks_interval(scores[:, :, place], level=level))
        for place, spent in enumerate(grid)
    )


def spend_gap(
    treatment: str, control: str, *, treatment_spent: FloatArray, control_spent: FloatArray, axis: str
) -> SpendGap:
    """Compare realised spend on the declared axis.

    Args:
        treatment: name.
        control: name.
        treatment_spent: any shape, one value per run; NaN: missing.
        control_spent: likewise.
        axis: name of the axis.
    """
    ours, theirs = float(np.nanmean(treatment_spent)), float(np.nanmean(control_spent))
    gap = 0.0 if ours == theirs else float("inf") if theirs == 0 else (ours - theirs) / theirs
    return SpendGap(
        treatment=treatment,
        control=control,
        axis=axis,
        treatment_spent=ours,
        control_spent=theirs,
        gap=gap,
        is_flagged=abs(gap) > LARGEST_GAP,
    )
