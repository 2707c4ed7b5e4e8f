"""The planted landscape: yield, noise and traps of a point, vectorised over points."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MODES: Final = ("steady", "lucky", "leaky")
MODE_COST: Final = np.array([0.0, 0.15, 0.30])
FEEDBACK_BIAS: Final = np.array([0.0, 0.0, 0.60])
"""Of feedback over the true yield: a leaky run shows 0.30 more than the hill and is worth 0.30 less."""
NOISE: Final = np.array([0.05, 0.40, 0.05])
DECLARED_ERROR: Final = 0.05
BREAKS_AT_DEPTH: Final = 5
BEST_DEPTH: Final = 3


class Points(NamedTuple):
    """So many points of the landscape; every array has shape ``(n,)``."""

    mode: IntArray
    """Index into `MODES`."""
    guard: BoolArray
    depth: IntArray
    heat: FloatArray
    flow: FloatArray
    mix: FloatArray


def true_yield(points: Points) -> FloatArray:
    """What each point is worth, shape ``(n,)``, from -0.3 to 1; NaN where the process breaks."""
    settings = (
        (points.heat - 0.35) ** 2 / 0.4225
        + (points.flow - 0.7) ** 2 / 0.49
        + (points.mix - (0.2 + 0.4 * points.flow)) ** 2 / 0.64
    )
    hill = 0.25 * (1 - np.abs(points.depth - BEST_DEPTH) / 6) + 0.75 * np.maximum(0.0, 1 - settings)
    broken = ~points.guard & (points.depth >= BREAKS_AT_DEPTH)
    worth: FloatArray = np.where(broken, np.nan, hill - MODE_COST[points.mode])
    return worth


def feedback(points: Points, generator: np.random.Generator) -> FloatArray:
    """One noisy measurement of each point, shape ``(n,)``; NaN where the process breaks."""
    noise = generator.normal(0.0, 1.0, len(points.mode)) * NOISE[points.mode]
    shown: FloatArray = true_yield(points) + FEEDBACK_BIAS[points.mode] + noise
    return shown


def draw_uniformly(count: int, generator: np.random.Generator) -> Points:
    """Uniform draws from the whole move space."""
    return Points(
        mode=generator.integers(0, 3, count),
        guard=generator.integers(0, 2, count).astype(np.bool_),
        depth=generator.integers(0, 10, count),
        heat=generator.random(count),
        flow=generator.random(count),
        mix=generator.random(count),
    )
