"""What a team loses without a role: drop-one and merge differences, the default answer to "which role matters"."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec
import numpy as np

from benchmarks.statistics.comparison import Comparison, compare
from benchmarks.statistics.interval import DEFAULT_RESAMPLES
from benchmarks.statistics.outcomes import Outcomes

Sense: TypeAlias = Literal["vacuous", "absorbed"]
"""``vacuous``: the function is gone (does it matter?); ``absorbed``: another member does it at the same total budget
(does *separating* it matter?). Every table names which."""


class RemovalEffect(msgspec.Struct, frozen=True, kw_only=True):
    """The full team less the team without a role: positive where the role helps."""

    role: str
    sense: Sense
    effect: Comparison
    """Treatment: the full team; control: the team without."""
    identical: bool
    """Every block is equal: the removal changed nothing that the score sees (for offline roles an absorbed role often
    makes the same moves); no test is meaningful then."""


def removal_effects(
    outcomes: Outcomes,
    full: str,
    removed: Mapping[tuple[str, Sense], str],
    *,
    generator: np.random.Generator,
    level: float = 0.95,
    resamples: int = DEFAULT_RESAMPLES,
) -> tuple[RemovalEffect, ...]:
    """The effect of every removal, p-values corrected (Holm) over all of them.

    Args:
        outcomes: what came of the study.
        full: the method with all roles.
        removed: by role and sense, the method without.
        generator: the source of the draws.
        level: coverage asked for.
        resamples: bootstrap draws.

    Raises:
        UnknownName: a method is not there.
        ExtraMissing: without scipy.
    """
    keys: Sequence[tuple[str, Sense]] = tuple(removed)
    pairs = [(full, removed[key]) for key in keys]
    found = compare(outcomes, pairs, generator=generator, level=level, resamples=resamples)
    return tuple(
        RemovalEffect(role=role, sense=sense, effect=effect, identical=effect.test.blocks == 0)
        for (role, sense), effect in zip(keys, found, strict=True)
    )
