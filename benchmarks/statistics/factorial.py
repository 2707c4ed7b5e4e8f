"""Main effects and interactions of a factorial study in which each of k factors is there or not."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import msgspec
import numpy as np

from benchmarks.statistics.interval import Interval, mean_of_tasks_interval
from benchmarks.statistics.outcomes import FloatArray, Outcomes
from benchmarks.statistics.permutation import SignFlip, holm, sign_flip_test
from engine.errors import BadSpecification


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One effect of a 2^k design."""

    factors: tuple[str, ...]
    """One: a main effect; more: their interaction."""
    effect: Interval
    """Half the difference of differences …: see `factorial_terms`."""
    test: SignFlip
    holm_p: float
    """Corrected over all terms of the same call."""


def factorial_terms(
    outcomes: Outcomes,
    cells: Mapping[frozenset[str], str],
    factors: Sequence[str],
    *,
    generator: np.random.Generator,
    order: int = 2,
    level: float = 0.95,
) -> tuple[Term, ...]:
    """Main effects and interactions, paired by block (Fisher 1935; Yates 1937).

    With x = +1 where a factor is there and -1 where not, the effect of a set of factors is the mean over the 2^k cells of
    (product of their x) times the value, times 2: for one factor, mean with less mean without; for two, half of (the effect
    of one where the other is there, less its effect where it is not).

    Not to be trusted: near a floor or ceiling, where interactions appear that belong to the scale and not to the factors;
    and interactions need some four times the runs of a main effect of the same size.

    Args:
        outcomes: what came of the study.
        cells: the method of every subset of factors that are present: all 2^k.
        factors: their names.
        generator: the source of the flips.
        order: largest number of factors in a term.
        level: coverage asked for.

    Raises:
        BadSpecification: a cell is missing.
        ExtraMissing: without scipy.
    """
    subsets = [
        frozenset(chosen) for size in range(len(factors) + 1) for chosen in combinations(factors, size)
    ]
    for subset in subsets:
        if subset not in cells:
            shown = " + ".join(sorted(subset)) or "none of the factors"
            raise BadSpecification("cells", f"no method for {shown}; a factorial needs all 2^k cells")
    chosen = [terms for size in range(1, order + 1) for terms in combinations(factors, size)]
    points = {terms: _points(outcomes, cells, subsets, terms) for terms in chosen}
    tests = [sign_flip_test(points[terms], generator=generator) for terms in chosen]
    return tuple(
        Term(factors=terms, effect=mean_of_tasks_interval(points[terms], level=level), test=test, holm_p=p)
        for terms, test, p in zip(chosen, tests, holm([test.p for test in tests]), strict=True)
    )


def _points(
    outcomes: Outcomes,
    cells: Mapping[frozenset[str], str],
    subsets: Sequence[frozenset[str]],
    terms: Sequence[str],
) -> FloatArray:
    """The effect in every block, shape ``(tasks, seeds)``."""
    signs = [(-1.0) ** sum(term not in subset for term in terms) for subset in subsets]
    values = np.array([outcomes.of(cells[subset]) for subset in subsets])
    total: FloatArray = np.tensordot(np.array(signs), values, axes=1) * 2.0 / len(subsets)
    return total
