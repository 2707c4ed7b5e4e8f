"""Shapley shares of roles: how the whole team's gain divides over its roles, over all orders of adding them.

A methods check for offline studies, where all 2^k subsets of k roles can be run, and nothing more: a share mixes contexts
that nobody would run, and changes with the sense of removal (vacuous or absorbed), so both are always shown. What a user
wants to know first is drop-one (`removals`): what the team loses without a role.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import factorial
from typing import Literal, TypeAlias

import msgspec
import numpy as np

from benchmarks.statistics.blocks import resample
from benchmarks.statistics.figures import mean_of_tasks
from benchmarks.statistics.interval import DEFAULT_RESAMPLES, Interval, bootstrap_interval
from benchmarks.statistics.outcomes import FloatArray, Outcomes
from engine.errors import BadSpecification

Removal: TypeAlias = Literal["vacuous", "absorbed"]


class ShapleyShare(msgspec.Struct, frozen=True, kw_only=True):
    """One role's share of the full team's mean less the empty team's."""

    role: str
    removal: Removal
    share: Interval


def shapley_values(worth: Mapping[frozenset[str], float], roles: Sequence[str]) -> dict[str, float]:
    """Shapley values of a game given by the worth of every subset (Shapley 1953).

    ``sum over S without i of |S|! (k - |S| - 1)! / k! (v(S + i) - v(S))``: the shares sum to v(all) - v(none), roles that
    add the same everywhere get the same, and one that adds nothing gets 0.

    Raises:
        BadSpecification: a subset is missing.
    """
    weights = _weights(roles)
    for subset in weights:
        if subset not in worth:
            raise BadSpecification("subsets", f"none for {_shown(subset)}; Shapley shares need all 2^k")
    return {
        role: sum(weight[place] * worth[subset] for subset, weight in weights.items())
        for place, role in enumerate(roles)
    }


def shapley_shares(
    outcomes: Outcomes,
    subsets: Mapping[frozenset[str], str],
    roles: Sequence[str],
    *,
    removal: Removal,
    generator: np.random.Generator,
    level: float = 0.95,
    resamples: int = DEFAULT_RESAMPLES,
) -> tuple[ShapleyShare, ...]:
    """The share of each role, with an interval over seed blocks joint for all subsets.

    Args:
        outcomes: with a method for every subset of roles.
        subsets: the method of each subset of roles that are present.
        roles: their names.
        removal: in which sense the absent roles are absent; show the shares of both.
        generator: the source of the draws.
        level: coverage asked for.
        resamples: bootstrap draws.

    Raises:
        BadSpecification: a subset is missing.
        ExtraMissing: without scipy.
    """
    weights = _weights(roles)
    for subset in weights:
        if subset not in subsets:
            raise BadSpecification("subsets", f"none for {_shown(subset)}; Shapley shares need all 2^k")
    order = [outcomes.index(subsets[subset]) for subset in weights]
    matrix = np.array(list(weights.values()))

    def shares(values: FloatArray) -> FloatArray:
        means = mean_of_tasks(values)[..., order]
        found: FloatArray = means @ matrix
        return found

    drawn = resample(outcomes.values, shares, generator=generator, resamples=resamples)
    return tuple(
        ShapleyShare(role=role, removal=removal, share=bootstrap_interval(drawn, place, level=level))
        for place, role in enumerate(roles)
    )


def _weights(roles: Sequence[str]) -> dict[frozenset[str], FloatArray]:
    """For each subset, the weight of its worth in every role's value; shape ``(roles,)`` each."""
    k = len(roles)
    weights: dict[frozenset[str], FloatArray] = {}
    for size in range(k + 1):
        joined = factorial(size - 1) * factorial(k - size) / factorial(k) if size else 0.0
        joining = factorial(size) * factorial(k - size - 1) / factorial(k) if size < k else 0.0
        for chosen in combinations(roles, size):
            weights[frozenset(chosen)] = np.array([joined if role in chosen else -joining for role in roles])
    return weights


def _shown(subset: frozenset[str]) -> str:
    return " + ".join(sorted(subset)) or "the empty team"
