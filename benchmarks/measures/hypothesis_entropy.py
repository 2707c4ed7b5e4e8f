"""How wide a team looks: the entropy of its hypotheses as they come, by family and by point."""

import math
from collections import Counter
from collections.abc import Hashable, Sequence

import msgspec

from benchmarks.measures.episode_record import EpisodeRecord
from engine.messages import Hypothesis

WINDOW = 10
"""Hypotheses in the moving window."""


class HypothesisEntropy(msgspec.Struct, frozen=True, kw_only=True):
    """Entropies in bits; each series has a value after each hypothesis."""

    families: tuple[float, ...]
    """Of the families of all hypotheses so far."""
    families_window: tuple[float, ...]
    """Of the families of the last `WINDOW` hypotheses; begins with the ``WINDOW``-th."""
    points: tuple[float, ...]
    """Of the points of all hypotheses with a point so far."""
    final_families: float | None
    """The last of ``families``; None without hypotheses."""
    final_points: float | None
    relative_families: float | None
    """``final_families`` over its most, log2 of the number of hypotheses; None below two."""
    relative_points: float | None
    """The same for points: 1 where none was tried twice."""


def hypothesis_entropy(record: EpisodeRecord) -> HypothesisEntropy:
    """Entropy of hypotheses over time (Shannon 1948), of the shares observed (plug-in, without a correction for bias).

    Replications and repairs are no new hypotheses and are left out.
    """
    ideas = [
        m.body
        for m in record.messages
        if isinstance(m.body, Hypothesis) and m.body.operator not in ("replicate", "debug")
    ]
    families = [idea.family for idea in ideas]
    points = [tuple(sorted(idea.point.items())) for idea in ideas if idea.point is not None]
    family_series, point_series = _series(families), _series(points)
    window = tuple(entropy_bits(families[end - WINDOW : end]) for end in range(WINDOW, len(families) + 1))
    return HypothesisEntropy(
        families=family_series,
        families_window=window,
        points=point_series,
        final_families=family_series[-1] if family_series else None,
        final_points=point_series[-1] if point_series else None,
        relative_families=_relative(family_series),
        relative_points=_relative(point_series),
    )


def entropy_bits(items: Sequence[Hashable]) -> float:
    """Entropy of the shares of equal items, in bits: - sum p log2 p (Shannon 1948); 0 without items."""
    counts = Counter(items)
    return -math.fsum(count / len(items) * math.log2(count / len(items)) for count in counts.values()) + 0.0


def _series(items: Sequence[Hashable]) -> tuple[float, ...]:
    return tuple(entropy_bits(items[:end]) for end in range(1, len(items) + 1))


def _relative(series: Sequence[float]) -> float | None:
    return series[-1] / math.log2(len(series)) if len(series) > 1 else None
