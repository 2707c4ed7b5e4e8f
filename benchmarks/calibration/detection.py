"""Is the power that was predicted the power that studies have?"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import numpy as np

from benchmarks.calibration.laws import Law
from benchmarks.calibration.rates import Rate
from benchmarks.statistics.permutation import sign_flip_test
from benchmarks.statistics.power import power_of, simulated_power, t_rejects

SIZES: Final = (4, 10, 20)
STRENGTH: Final = 3
"""The treatment is the best of so many draws of the control's law."""
PILOT: Final = 100_000
"""Blocks of the pilot that the simulation redraws: large, so that its own error does not hide that of the method."""
SMALL_PILOT: Final = 20
FLIPS: Final = 1000


class Detected(msgspec.Struct, frozen=True, kw_only=True):
    """Predicted and measured power in one cell."""

    law: str
    source: str
    blocks: int
    effect: float
    """Over the standard deviation of one paired difference."""
    formula: float
    """Predicted by the noncentral t from the law's effect and spread."""
    simulated: float
    """Predicted by redrawing a large pilot."""
    small_pilot: tuple[float, float]
    """Predicted by redrawing pilots of 20 blocks: 10th and 90th percentile over pilots."""
    measured: Rate
    """Student's test."""
    permutation: Rate
    """Sign-flip test, on fewer studies."""


def measure_power(
    laws: Iterable[Law], *, studies: int, seed: int, sizes: Sequence[int] = SIZES
) -> list[Detected]:
    """Power against the best of three draws, which stays among the values that can occur.

    Args:
        laws: of the control.
        studies: simulated for each cell (Student's test is measured on ten times as many, which are cheap).
        seed: of everything drawn.
        sizes: numbers of blocks.
    """
    return [_detected(law, blocks, studies, seed) for law in laws for blocks in sizes]


def _detected(law: Law, blocks: int, studies: int, seed: int) -> Detected:
    generator = np.random.default_rng([seed, blocks])
    better = law.best_of(STRENGTH)
    spread = math.sqrt(law.variance + better.variance)
    effect = better.mean - law.mean
    pilot = better.draw(generator, (PILOT,)) - law.draw(generator, (PILOT,))
    differences = better.draw(generator, (10 * studies, blocks)) - law.draw(generator, (10 * studies, blocks))
    flipped = sum(
        sign_flip_test(each[None], generator=generator, flips=FLIPS).p <= 0.05
        for each in differences[:studies]
    )
    small = [
        simulated_power(
            better.draw(generator, (SMALL_PILOT,)) - law.draw(generator, (SMALL_PILOT,)),
            blocks,
            generator=generator,
            studies=500,
        )
        for _ in range(100)
    ]
    return Detected(
        law=law.name,
        source=law.source,
        blocks=blocks,
        effect=effect / spread,
        formula=power_of(effect, spread, blocks),
        simulated=simulated_power(pilot, blocks, generator=generator, studies=20_000),
        small_pilot=(float(np.quantile(small, 0.1)), float(np.quantile(small, 0.9))),
        measured=Rate(count=int(t_rejects(differences).sum()), studies=len(differences)),
        permutation=Rate(count=flipped, studies=studies),
    )
