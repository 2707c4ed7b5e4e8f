"""Feedback scores of an artefact, pooled, and how far apart two of them are."""

import math
from collections.abc import Sequence

import numpy as np

from engine.messages import ArtefactHash, Evidence, NodeId
from engine.task import Direction


def pool(values: Sequence[float], *, declared: float, node: NodeId, artefact: ArtefactHash) -> Evidence:
    """Evidence from all feedback scores of an artefact.

    The standard error of the mean comes from the error that the scorer declares of one score or from the spread of
    the scores, whichever is larger: a scorer may not know all of its noise.

    Args:
        values: one score per evaluation, at least one.
        declared: standard error of one score, as the scorer states it.
        node: the node that the evidence is reported for.
        artefact: what was scored.
    """
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Evidence(
        node=node,
        artefact=artefact,
        values=tuple(values),
        mean=float(np.mean(values)),
        standard_error=max(declared, spread) / math.sqrt(len(values)),
    )


def single_error(evidence: Evidence) -> float:
    """The standard error of one score that stands behind pooled evidence."""
    return evidence.standard_error * math.sqrt(max(1, len(evidence.values)))


def signed(value: float, direction: Direction) -> float:
    """A score turned so that more is better."""
    return value if direction == "max" else -value


def lead(candidate: Evidence, rival: Evidence, direction: Direction) -> tuple[float, float]:
    """By how much a candidate is better than a rival, and the standard error of that."""
    gap = signed(candidate.mean - rival.mean, direction)
    return gap, math.hypot(candidate.standard_error, rival.standard_error)
