"""What an action may bring, before it is done: predictive beliefs from few outcomes, and the value of acting on them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engine.messages import Evidence
from roles.evidence import single_error


class Belief(NamedTuple):
    """A normal belief about an outcome."""

    mean: float
    error: float
    """Standard deviation."""


def predictive(outcomes: Sequence[float], *, prior: Belief, strength: float = 1.0) -> Belief:
    """The belief about the next of a series of outcomes: a normal law, its mean and variance shrunk to a prior's.

    Args:
        outcomes: those seen.
        prior: what is believed before any.
        strength: how many outcomes the prior is worth.
    """
    count = len(outcomes)
    if not count:
        return prior
    weight = strength + count
    mean = (strength * prior.mean + sum(outcomes)) / weight
    squares = strength * (prior.error**2 + (prior.mean - mean) ** 2)
    squares += sum((outcome - mean) ** 2 for outcome in outcomes)
    return Belief(mean, math.sqrt(squares / weight * (1.0 + 1.0 / weight)))


def expected_improvement(belief: Belief, best: float) -> float:
    """What an outcome is expected to bring above the best so far (Jones, Schonlau & Welch 1998, equation 15)."""
    if belief.error <= 0.0:
        return max(0.0, belief.mean - best)
    z = (belief.mean - best) / belief.error
    return belief.error * (_density(z) + z * _distribution(z))


def knowledge_gradient(evidence: Evidence, gap: float) -> float:
    """What one more run of a candidate is expected to bring, by changing which one is thought to be the best.

    Frazier, Powell & Dayanik (2008), for a flat prior: the mean of n runs with standard deviation s moves by a normal
    amount with variance s²/(n(n+1)).

    Args:
        evidence: on the candidate, at least one run.
        gap: distance of its mean from that of the best of the others.
    """
    runs = len(evidence.values)
    moves = single_error(evidence) / math.sqrt(runs * (runs + 1)) if runs else 0.0
    return expected_improvement(Belief(-abs(gap), moves), 0.0)


def spread(worths: Sequence[float], *, least: float) -> float:
    """Standard deviation of worths, and not less than so much."""
    return max(float(np.std(worths)) if len(worths) > 1 else 0.0, least)


def chance(wins: int, losses: int) -> float:
    """The probability of a win by the record, with one of each added (Laplace's rule of succession)."""
    return (wins + 1.0) / (wins + losses + 2.0)


def _density(z: float) -> float:
    return math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def _distribution(z: float) -> float:
    return 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))
