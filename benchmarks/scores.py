"""One score for each method on one task: the table that ratios, ranks and areas are computed from."""

import math
from collections.abc import Iterable, Mapping

import msgspec

from engine.task import Direction

BASELINE = "baseline"
"""The name under which a task's baseline enters a table: it is one of the compared methods."""


class TaskScores(msgspec.Struct, frozen=True, kw_only=True):
    """One score for each method on one task, in the metric's own unit."""

    task: str
    direction: Direction
    scores: dict[str, float | None]
    """By method, in the order of the methods; ``None`` where no run gave a usable score."""


def usable(score: float | None) -> float | None:
    """The score, or ``None`` where it is absent, NaN or infinite (such a score never wins)."""
    return score if score is not None and math.isfinite(score) else None


def is_better(score: float, other: float, direction: Direction) -> bool:
    """Whether ``score`` is strictly better than ``other``."""
    return score > other if direction == "max" else score < other


def best_of(scores: Iterable[float | None], direction: Direction) -> float | None:
    """The best usable score, or ``None`` where there is none."""
    found = [score for score in map(usable, scores) if score is not None]
    if not found:
        return None
    return max(found) if direction == "max" else min(found)


def with_method(table: TaskScores, method: str, score: float | None) -> TaskScores:
    """The table with one method more, last in order (or with that method's score replaced)."""
    return msgspec.structs.replace(table, scores={**table.scores, method: score})


def methods_of(tables: Iterable[TaskScores]) -> tuple[str, ...]:
    """Every method named in the tables, by first appearance."""
    return tuple(dict.fromkeys(method for table in tables for method in table.scores))


def by_direction(scores: Mapping[str, float], direction: Direction) -> list[str]:
    """The methods from best to worst; equal scores keep the order of the mapping."""
    sign = -1.0 if direction == "max" else 1.0
    return sorted(scores, key=lambda method: sign * scores[method])
