"""How often intervals hold the truth, by figure, method, law and number of blocks."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final, NamedTuple

import msgspec
import numpy as np

from benchmarks.calibration.laws import Law, chance_of_improvement, mixture
from benchmarks.calibration.rates import Rate
from benchmarks.statistics.blocks import Statistic, resample
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
FIGURES: Final = ("mean", "interquartile mean", "paired difference", "chance of improvement")
_WITH_T: Final = frozenset({"mean", "paired difference"})
_STATISTICS: Final[dict[str, Statistic]] = {
    "mean": lambda values: mean_of_tasks(values)[..., 0],
    "interquartile mean": lambda values: interquartile_mean(values)[..., 0],
    "paired difference": lambda values: mean_of_tasks(values[..., 1, :, :] - values[..., 0, :, :]),
    "chance of improvement": lambda values: unpaired_wins(values, 1, 0),
}
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
    """Mean width, in the score's unit."""


class _Suite(NamedTuple):
    name: str
    source: str
    tasks: tuple[Law, ...]


class _Cell(NamedTuple):
    suite: _Suite
    blocks: int
    studies: int
    seed: int
    figures: tuple[str, ...]


class _Figure(NamedTuple):
    name: str
    truth: float
    intervals: dict[str, list[Interval]]


def measure_coverage(
    laws: Iterable[Law],
    *,
    studies: int,
    seed: int,
    sizes: Sequence[int] = SIZES,
    figures: Sequence[str] = FIGURES,
    processes: int = 1,
) -> Iterator[list[Covered]]:
    """Coverage of the mean, the interquartile mean, the paired difference and the chance of improvement, cell by cell.

    Args:
        laws: control's laws; the treatment is the best of three draws from the same.
        studies: simulated for each cell.
        seed: of everything drawn.
        sizes: numbers of blocks.
        figures: of `FIGURES`.
        processes: cells at once; the result is the same with any number.
    """
    given = list(laws)
    suites = [_Suite(law.name, law.source, (law,)) for law in given]
    for source in dict.fromkeys(law.source for law in given):
        tasks = tuple(law for law in given if law.source == source)
        if len(tasks) > 1:
            suites.append(_Suite("all of these as tasks", source, tasks))
    cells = [_Cell(suite, blocks, studies, seed, tuple(figures)) for blocks in sizes for suite in suites]
    if processes == 1:
        yield from map(_rows, cells)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_rows, cells)


def _rows(cell: _Cell) -> list[Covered]:
    generator = np.random.default_rng([cell.seed, cell.blocks])
    return [
        _covered(figure, method, intervals, cell)
        for figure in _figures(cell, generator)
        for method, intervals in figure.intervals.items()
    ]


def _figures(cell: _Cell, generator: np.random.Generator) -> list[_Figure]:
    laws = cell.suite.tasks
    better = [law.best_of(STRENGTH) for law in laws]
    truths = {
        "mean": _mean([law.mean for law in laws]),
        "interquartile mean": mixture("all", laws).interquartile_mean,
        "paired difference": _mean([b.mean - law.mean for b, law in zip(better, laws, strict=True)]),
        "chance of improvement": _mean(
            [chance_of_improvement(b, law) for b, law in zip(better, laws, strict=True)]
        ),
    }
    found = [
        _Figure(name, truths[name], _room(("t", *METHODS) if name in _WITH_T else METHODS))
        for name in cell.figures
    ]

    def together(values: FloatArray) -> FloatArray:
        return np.stack([_STATISTICS[name](values) for name in cell.figures], axis=-1)

    for _ in range(cell.studies):
        values = np.stack([_study(laws, cell.blocks, generator), _study(better, cell.blocks, generator)])
        drawn = resample(values, together, generator=generator, resamples=RESAMPLES)
        for place, figure in enumerate(found):
            for method in METHODS:
                figure.intervals[method].append(bootstrap_interval(drawn, place, method=method))
            if figure.name in _WITH_T:
                points = values[0] if figure.name == "mean" else values[1] - values[0]
                figure.intervals["t"].append(mean_of_tasks_interval(points))
    return found


def _study(laws: Sequence[Law], blocks: int, generator: np.random.Generator) -> FloatArray:
    """One arm, shape ``(tasks, blocks)``."""
    return np.stack([law.draw(generator, (blocks,)) for law in laws])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _room(methods: Sequence[str]) -> dict[str, list[Interval]]:
    return {method: [] for method in methods}


def _covered(figure: _Figure, method: str, intervals: list[Interval], cell: _Cell) -> Covered:
    near = 1e-9  # a truth at the edge of a law's support is met by rounding only
    low = np.array([np.nan if each.low is None else each.low for each in intervals]) - near
    high = np.array([np.nan if each.high is None else each.high for each in intervals]) + near
    return Covered(
        figure=figure.name,
        method=method,
        law=cell.suite.name,
        source=cell.suite.source,
        blocks=cell.blocks,
        rate=Rate(count=int(np.sum((low <= figure.truth) & (figure.truth <= high))), studies=len(intervals)),
        below=float(np.mean(high < figure.truth)),
        above=float(np.mean(low > figure.truth)),
        width=float(np.mean(high - low)),
    )
