"""Performance profiles: which share of runs reaches a score, for every score (Agarwal et al. 2021, arXiv 2108.13264)."""

import numpy as np

from benchmarks.statistics.outcomes import FloatArray, Outcomes

LEVELS = 41
"""Scores at which a profile is read."""


def profile_levels(outcomes: Outcomes) -> FloatArray:
    """Normalised scores from the lowest seen (or 0) to the highest seen (or 1)."""
    low = min(0.0, float(np.nanmin(outcomes.values)))
    high = max(1.0, float(np.nanmax(outcomes.values)))
    levels: FloatArray = np.linspace(max(low, -1.0), min(high, 2.0), LEVELS)
    return levels


def profile(outcomes: Outcomes, arm: str, levels: FloatArray) -> FloatArray:
    """Share of an arm's runs that score at least each level; every task weighs the same.

    Returns:
        Shape ``(levels,)``.
    """
    values = outcomes.of(arm)
    there = ~np.isnan(values)
    reached = (values[:, :, None] >= levels - 1e-12) & there[:, :, None]
    counts = np.maximum(there.sum(axis=1), 1)[:, None]
    share: FloatArray = (reached.sum(axis=1) / counts).mean(axis=0)
    return share
