"""How often intervals hold the truth, by figure, method, law and number of blocks."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from benchmarks.calibration.laws import Law, chance_of_improvement
from benchmarks.calibration.rates import Rate
from benchmarks.statistics.blocks import resample
from benchmarks.statistics.figures import interquartile_mean, mean_of_tasks, unpaired_wins
from benchmarks.statistics.interval import (
    BootstrapMethod,
    Interval,
    bootstrap_interval,
    mean_of_tasks_interval,
)
from benchmarks.statistics.outcomes import FloatArray

SIZES: Final = (10, 20, 40)
RESAMPLES: Final = 1000
"""Bootstrap draws of one simulated study: a quarter of the default, which changes coverage by less than it can see."""
STRENGTH: Final = 3
"""The treatment is the best of so many draws of the control's law."""
METHODS: Final[tuple[BootstrapMethod, ...]] = ("percentile", "bca", "expanded-percentile", "expanded-bca")


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """Coverage in one cell."""

    figure: str
    method: str
    law: str
    source: str
    blocks: int
    rate: Rate
    below: float
    """Share of studies whose interval lies wholly below the truth."""
    above: float
    """Share whose interval lies wholly above."""
    width: float
    """Mean width over the standard deviation of the law."""


class _Figure(NamedTuple):
    name: str
    truth: float
    intervals: dict[str, list[Interval]]


def measure_coverage(
    laws: Iterable[Law], *, studies: int, seed: int, sizes: Sequence[int] = SIZES
) -> list[Covered]:
    """Coverage of the mean, the interquartile mean, the paired difference and the chance of improvement.

    Args:
        laws: control's laws; the treatment is the best of three draws from the same.
        studies: simulated for each cell.
        seed: of everything drawn.
        sizes: numbers of blocks.
    """
    rows: list[Covered] = []
    for law in laws:
        for blocks in sizes:
            generator = np.random.default_rng([seed, blocks])
            for figure in _figures(law, blocks, studies, generator):
                rows += [
                    _covered(figure, method, intervals, law, blocks)
                    for method, intervals in figure.intervals.items()
                ]
    return rows


def _figures(law: Law, blocks: int, studies: int, generator: np.random.Generator) -> list[_Figure]:
    better = law.best_of(STRENGTH)
    mean = _Figure("mean", law.mean, _room(("t", *METHODS)))
    middle = _Figure("interquartile mean", law.interquartile_mean, _room(METHODS))
    difference = _Figure("paired difference", better.mean - law.mean, _room(("t", *METHODS)))
    chance = _Figure("chance of improvement", chance_of_improvement(better, law), _room(METHODS))
    for _ in range(studies):
        values = np.stack([law.draw(generator, (1, blocks)), better.draw(generator, (1, blocks))])
        drawn = resample(values, _together, generator=generator, resamples=RESAMPLES)
        mean.intervals["t"].append(mean_of_tasks_interval(values[0]))
        difference.intervals["t"].append(mean_of_tasks_interval(values[1] - values[0]))
        for place, figure in enumerate((mean, middle, difference, chance)):
            for method in METHODS:
                figure.intervals[method].append(bootstrap_interval(drawn, place, method=method))
    return [mean, middle, difference, chance]


def _room(methods: Sequence[str]) -> dict[str, list[Interval]]:
    return {method: [] for method in methods}


def _together(values: FloatArray) -> FloatArray:
    means = mean_of_tasks(values)
    middles = interquartile_mean(values)
    return np.stack(
        [means[..., 0], middles[..., 0], means[..., 1] - means[..., 0], unpaired_wins(values, 1, 0)],
        axis=-1,
    )


def _covered(figure: _Figure, method: str, intervals: list[Interval], law: Law, blocks: int) -> Covered:
    near = 1e-9  # a truth at the edge of a law's support is met by rounding only
    low = np.array([np.nan if each.low is None else each.low for each in intervals]) - near
    high = np.array([np.nan if each.high is None else each.high for each in intervals]) + near
    return Covered(
        figure=figure.name,
        method=method,
        law=law.name,
        source=law.source,
        blocks=blocks,
        rate=Rate(count=int(np.sum((low <= figure.truth) & (figure.truth <= high))), studies=len(intervals)),
        below=float(np.mean(high < figure.truth)),
        above=float(np.mean(low > figure.truth)),
        width=float(np.mean(high - low)) / law.variance**0.5,
    )
