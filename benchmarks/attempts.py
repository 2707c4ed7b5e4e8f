"""Best attempt@k and best submission@k, and what k runs would give when more than k were made.

A run leaves score entries in chronological order: each successful validation, then the submission. Its
*best attempt* is the best entry, its *submission* the last one, whatever produced it: a run that died after
its last validation is credited with that validation, as MLGym does (Nathani et al. 2025, arXiv 2502.14499).
"""

import math
from collections.abc import Sequence

from benchmarks.scores import best_of, usable
from engine.errors import BadSpecification
from engine.task import Direction

Entries = Sequence[float | None]
"""The scores of one run, oldest first; ``None`` for an entry that lacks the metric."""


def best_attempt(entries: Entries, direction: Direction) -> float | None:
    """The best usable entry of one run; ``None`` where it has none."""
    return best_of(entries, direction)


def submission(entries: Entries) -> float | None:
    """The last entry of one run; ``None`` where there is none or the last one is not usable."""
    return usable(entries[-1]) if entries else None


def best_attempt_at_k(runs: Sequence[Entries], direction: Direction, *, k: int | None = None) -> float | None:
    """Best attempt@k of a method on a task.

    Args:
        runs: the entries of each run.
        direction: which scores are better.
        k: how many runs are allowed for; all of them by default. With more runs than ``k`` the value is
            the expected best of k (`expected_best_of_k`); with fewer it is the best of what is there.

    Returns:
        The score, or ``None`` when no run is usable.
    """
    return _at_k([best_attempt(entries, direction) for entries in runs], direction, k)


def best_submission_at_k(
    runs: Sequence[Entries], direction: Direction, *, k: int | None = None
) -> float | None:
    """Best submission@k of a method on a task; arguments and result as for `best_attempt_at_k`."""
    return _at_k([submission(entries) for entries in runs], direction, k)


def expected_best_of_k(
    values: Sequence[float | None], k: int, direction: Direction, *, failure: float | None = None
) -> float | None:
    """Unbiased estimate, from n >= k independent runs, of the expected best of k runs.

    It is the mean of the best over all subsets of k runs, written with order statistics: with the values
    sorted from worst to best, the i-th (from 1) is the best of ``C(i - 1, k - 1)`` of the ``C(n, k)``
    subsets, hence ``sum_i C(i - 1, k - 1) / C(n, k) * x_(i)``. For values 0 and 1 this is the pass@k
    estimator of Chen et al. 2021 (arXiv 2107.03374, eq. 1).

    Args:
        values: one value per run; ``None``, NaN or infinite for a run that failed.
        k: runs per draw, from 1 to ``len(values)``.
        direction: which values are better.
        failure: what a failed run scores. Without it a failed run loses to every usable one, and the
            expectation is over the subsets that hold a usable run; the failure rate must stand beside it.

    Returns:
        The estimate, in the values' unit; ``None`` when no run is usable and no ``failure`` is given.

    Raises:
        BadSpecification: when ``k`` is not between 1 and the number of runs.
    """
    n = len(values)
    if not 1 <= k <= n:
        raise BadSpecification("k", f"{k} runs per draw asked for, 1 to {n} runs are at hand")
    filled = [failure if usable(value) is None else value for value in values]
    known = sorted(value for value in filled if value is not None)
    if direction == "min":
        known.reverse()
    # A failed run without a value of its own is worse than all of these, so it takes the first places.
    first = n - len(known)
    weights = [math.comb(first + place, k - 1) for place in range(len(known))]
    total = sum(weights)
    if total == 0:
        return None
    return math.fsum(weight / total * value for weight, value in zip(weights, known, strict=True))


def _at_k(values: Sequence[float | None], direction: Direction, k: int | None) -> float | None:
    if k is not None and k < 1:
        raise BadSpecification("k", f"{k} runs asked for; give 1 or more")
    if k is None or len(values) <= k:
        return best_of(values, direction)
    return expected_best_of_k(values, k, direction)
