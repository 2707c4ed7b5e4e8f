"""Permutation tests of paired differences, and Holm's correction of several p-values."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from benchmarks.statistics.outcomes import FloatArray

EXACT_UP_TO: Final = 14
"""Blocks up to which all 2^n sign patterns are tried (16,384)."""
DEFAULT_FLIPS: Final = 10_000


class SignFlip(msgspec.Struct, frozen=True, kw_only=True):
    """A test of "the two methods could be exchanged within every block"."""

    p: float
    """Two-sided; never 0."""
    blocks: int
    """Blocks whose difference is not exactly 0; the others say nothing about the sign."""
    exact: bool
    """Whether all sign patterns were tried."""
    smallest_p: float
    """The smallest p that so many blocks can give; above 0.05 the test cannot reject whatever the effect."""


def sign_flip_test(
    differences: FloatArray, *, generator: np.random.Generator, flips: int = DEFAULT_FLIPS
) -> SignFlip:
    """Whether paired differences have a centre other than 0, by flipping their signs (Fisher 1935; Pitman 1937).

    Exact in level whatever the law of the differences, given that arms are exchangeable within a block under the null.
    The statistic is the mean over tasks of the mean over blocks. With Monte Carlo flips p is (1 + as extreme) / (1 + flips)
    (Phipson and Smyth 2010), so the level holds still.

    Not to be trusted: as a test of the *mean* where the differences are skewed and their spread comes from the treatment;
    below 6 blocks it cannot reach 5 %.

    Args:
        differences: shape ``(tasks, seeds)``, treatment less control; NaN: block missing.
        generator: the source of the flips.
        flips: Monte Carlo sign patterns, where there are too many to try all.
    """
    there = ~np.isnan(differences)
    counts = there.sum(axis=1, keepdims=True)
    weighed = np.where(there, differences, 0.0) / np.maximum(counts, 1)
    terms = weighed[weighed != 0]
    n = len(terms)
    if n == 0:
        return SignFlip(p=1.0, blocks=0, exact=True, smallest_p=1.0)
    smallest = 2.0 ** (1 - n)
    # Sums that are equal in exact arithmetic differ by rounding; they count as equally extreme.
    observed = abs(float(terms.sum())) - 1e-12 * float(np.abs(terms).sum())
    if n <= EXACT_UP_TO:
        patterns = np.arange(2**n, dtype=np.int64)[:, None] >> np.arange(n, dtype=np.int64)
        signs = np.where((patterns & 1) == 1, -1.0, 1.0)
        extreme = int(np.sum(np.abs(signs @ terms) >= observed))
        return SignFlip(p=extreme / len(signs), blocks=n, exact=True, smallest_p=smallest)
    signs = np.where(generator.integers(2, size=(flips, n)) == 1, -1.0, 1.0)
    extreme = int(np.sum(np.abs(signs @ terms) >= observed))
    return SignFlip(
        p=(1 + extreme) / (1 + flips), blocks=n, exact=False, smallest_p=max(smallest, 1 / (1 + flips))
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values that keep the chance of any false positive of the family (Holm 1979), in the given order.

    The i-th smallest of m (from 1) becomes the largest of ``(m - j + 1) p_(j)`` over j up to i, at most 1.
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return tuple(adjusted)


def holm_by_name(p_values: Mapping[str, float]) -> dict[str, float]:
    """`holm` for named p-values."""
    return dict(zip(p_values, holm(tuple(p_values.values())), strict=True))
