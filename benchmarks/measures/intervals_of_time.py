"""Unions and overlaps of stretches of time."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

Stretch: TypeAlias = tuple[float, float]
"""From and to, in seconds."""


def union(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """The same time as disjoint stretches in order; empty ones are dropped."""
    merged: list[Stretch] = []
    for begin, end in sorted(stretch for stretch in stretches if stretch[1] > stretch[0]):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple(merged)


def overlap(a: Sequence[Stretch], b: Sequence[Stretch]) -> float:
    """Seconds that two unions share."""
    shared = 0.0
    for begin, end in a:
        shared += sum(max(0.0, min(end, stop) - max(begin, start)) for start, stop in b)
    return shared


def length(stretches: Sequence[Stretch]) -> float:
    """Seconds in a union."""
    return sum(end - begin for begin, end in stretches)
