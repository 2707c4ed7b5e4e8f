"""How often something is found where nothing is: A/A studies, families of comparisons, and looks on the way."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import numpy as np

from benchmarks.calibration.laws import Law
from benchmarks.calibration.rates import Rate
from benchmarks.statistics.extra import t_tail
from benchmarks.statistics.outcomes import FloatArray
from benchmarks.statistics.permutation import holm, sign_flip_test
from benchmarks.statistics.power import t_rejects
from benchmarks.statistics.sequential import boundaries

SIZES: Final = (10, 20, 40)
FLIPS: Final = 2000
LOOKS: Final = (0.2, 0.4, 0.6, 0.8, 1.0)
FAMILY: Final = 4
"""Arms that are compared with one control."""


class FalsePositives(msgspec.Struct, frozen=True, kw_only=True):
    """Studies without an effect in which one was found."""

    what: str
    law: str
    source: str
    blocks: int
    permutation: Rate
    """Sign-flip test at p of 0.05 or less."""
    interval: Rate
    """The 95 % interval of the paired difference leaves 0 out."""


class FamilyError(msgspec.Struct, frozen=True, kw_only=True):
    """Studies with several arms, all without effect, in which at least one was found."""

    law: str
    blocks: int
    uncorrected: Rate
    corrected: Rate
    """By Holm."""


class LookError(msgspec.Struct, frozen=True, kw_only=True):
    """Studies without an effect that stop at a look."""

    law: str
    blocks: int
    """At the last look."""
    naive: Rate
    """Stopping at the first look with p of 0.05 or less."""
    planned: Rate
    """Stopping at the agreed boundaries."""


def measure_pairs(
    pairs: FloatArray, *, what: str, law: str, source: str, generator: np.random.Generator
) -> FalsePositives:
    """False positives among studies that have run.

    Args:
        pairs: shape ``(studies, 2, blocks)``.
        what: how the studies came about.
        law: name of the outcomes' law.
        source: where it is from.
        generator: of the permutation tests.
    """
    differences = pairs[:, 1] - pairs[:, 0]
    found = sum(
        sign_flip_test(each[None], generator=generator, flips=FLIPS).p <= 0.05 for each in differences
    )
    left_out = int(t_rejects(differences).sum())
    studies, blocks = differences.shape
    return FalsePositives(
        what=what,
        law=law,
        source=source,
        blocks=blocks,
        permutation=Rate(count=found, studies=studies),
        interval=Rate(count=left_out, studies=studies),
    )


def measure_false_positives(
    laws: Iterable[Law], *, studies: int, seed: int, sizes: Sequence[int] = SIZES
) -> list[FalsePositives]:
    """A/A studies drawn from laws."""
    rows: list[FalsePositives] = []
    for law in laws:
        for blocks in sizes:
            generator = np.random.default_rng([seed, blocks])
            pairs = law.draw(generator, (studies, 2, blocks))
            rows.append(
                measure_pairs(pairs, what="drawn", law=law.name, source=law.source, generator=generator)
            )
    return rows


def measure_family(law: Law, *, blocks: int, studies: int, seed: int) -> FamilyError:
    """Several arms against one control, none of them different."""
    generator = np.random.default_rng([seed, blocks])
    plain = corrected = 0
    for _ in range(studies):
        values = law.draw(generator, (FAMILY + 1, 1, blocks))
        p = [
            sign_flip_test(values[arm] - values[0], generator=generator, flips=FLIPS).p
            for arm in range(1, FAMILY + 1)
        ]
        plain += min(p) <= 0.05
        corrected += min(holm(p)) <= 0.05
    return FamilyError(
        law=law.name,
        blocks=blocks,
        uncorrected=Rate(count=plain, studies=studies),
        corrected=Rate(count=corrected, studies=studies),
    )


def measure_looks(law: Law, *, blocks: int, studies: int, seed: int) -> LookError:
    """Five looks at Student's p, at every fifth of the blocks."""
    generator = np.random.default_rng([seed, blocks])
    differences = law.draw(generator, (studies, blocks)) - law.draw(generator, (studies, blocks))
    p = np.stack([_t_p_values(differences[:, : round(look * blocks)]) for look in LOOKS], axis=1)
    limits = np.array([look.nominal_p for look in boundaries(LOOKS)])
    return LookError(
        law=law.name,
        blocks=blocks,
        naive=Rate(count=int(np.sum(np.any(p <= 0.05, axis=1))), studies=studies),
        planned=Rate(count=int(np.sum(np.any(p <= limits, axis=1))), studies=studies),
    )


def _t_p_values(differences: FloatArray) -> FloatArray:
    n = differences.shape[1]
    error = differences.std(axis=1, ddof=1) / np.sqrt(n)
    mean = differences.mean(axis=1)
    return np.array(
        [
            1.0 if m == 0 else (t_tail(m / e, n - 1) if e > 0 else 0.0)
            for m, e in zip(mean.tolist(), error.tolist(), strict=True)
        ]
    )
