"""What was tried twice: hypotheses at one point or near it, claims in the same words, artefacts with the same content."""

import math
from collections.abc import Container, Mapping, Sequence

import msgspec

from benchmarks.measures.episode_record import EpisodeRecord
from engine.messages import Hypothesis, NodeId, Patch, Point, Value
from engine.task import MoveSpace, Parameter

NEAR_DISTANCE = 0.05
"""Gower distance up to which two points are near: a twentieth of the space's width, on average over its axes."""
NEAR_LINES = 0.8
"""Share of common changed lines (Jaccard) from which two patches of one base are near."""
_DELIBERATE = ("replicate", "debug")


class Redundancy(msgspec.Struct, frozen=True, kw_only=True):
    """How much of what a team tried it had tried before. Replications and repairs are meant to repeat, and left out."""

    hypotheses: int
    with_point: int
    same_point: int
    """Hypotheses at the point of an earlier one."""
    near_point: int | None
    """Others at most `NEAR_DISTANCE` from an earlier one; None where the record names no move space that is still known."""
    same_claim: int
    """Hypotheses without a point, in the words of an earlier one (letter case and spaces aside)."""
    artefacts: int
    same_artefact: int
    """Nodes whose artefact an earlier node had, or that hand in the starter again."""
    near_artefact: int
    """Others whose patch changes nearly the same lines of the same base as an earlier one."""
    hypothesis_rate: float | None
    """Same point or same claim, over all hypotheses but the first; None for fewer than two."""
    artefact_rate: float | None
    """Same artefacts, over all artefacts but the first; None for fewer than two."""


def redundancy(record: EpisodeRecord) -> Redundancy:
    """Repetition among hypotheses and artefacts.

    Points are near by the distance of Gower (1971), the mean over axes of the difference as a share of the axis's range
    (on a log scale where the axis is one), 1 where categories differ or only one point has the axis; patches by the
    coefficient of Jaccard (1912) over their changed lines.
    """
    ideas = [
        m.body
        for m in record.messages
        if isinstance(m.body, Hypothesis) and m.body.operator not in _DELIBERATE
    ]
    points = [idea.point for idea in ideas if idea.point is not None]
    claims = [" ".join(idea.claim.casefold().split()) for idea in ideas if idea.point is None]
    same_point, near_point = _repeated_points(points, record.space)
    same_claim = len(claims) - len(set(claims))
    deliberate = {node.id for node in record.nodes if node.operator in _DELIBERATE}
    patches = _patches(record, skip=deliberate)
    same_artefact, near_artefact = _repeated_patches(patches)
    return Redundancy(
        hypotheses=len(ideas),
        with_point=len(points),
        same_point=same_point,
        near_point=near_point,
        same_claim=same_claim,
        artefacts=len(patches),
        same_artefact=same_artefact,
        near_artefact=near_artefact,
        hypothesis_rate=(same_point + same_claim) / (len(ideas) - 1) if len(ideas) > 1 else None,
        artefact_rate=same_artefact / (len(patches) - 1) if len(patches) > 1 else None,
    )


def gower_distance(a: Mapping[str, Value], b: Mapping[str, Value], space: MoveSpace) -> float:
    """Distance of two points, from 0 (equal) to 1, over the axes that either of them has (Gower 1971)."""
    axes = [axis for axis in space.parameters if axis.name in a or axis.name in b]
    if not axes:
        return 0.0
    return sum(_apart(axis, a.get(axis.name), b.get(axis.name)) for axis in axes) / len(axes)


def _apart(axis: Parameter, a: Value | None, b: Value | None) -> float:
    if a == b:
        return 0.0
    if a is None or b is None or axis.low is None or axis.high is None or axis.high <= axis.low:
        return 1.0
    if isinstance(a, str) or isinstance(b, str):
        return 1.0
    low, high, one, other = axis.low, axis.high, float(a), float(b)
    if axis.log and min(low, one, other) > 0:
        low, high, one, other = (math.log(value) for value in (low, high, one, other))
    return min(1.0, abs(one - other) / (high - low))


def _repeated_points(points: Sequence[Point], space: MoveSpace | None) -> tuple[int, int | None]:
    same = near = 0
    for place, point in enumerate(points):
        earlier = points[:place]
        if point in earlier:
            same += 1
        elif space is not None and any(gower_distance(point, e, space) <= NEAR_DISTANCE for e in earlier):
            near += 1
    return same, None if space is None else near


def _patches(record: EpisodeRecord, *, skip: Container[NodeId]) -> list[Patch]:
    """The last patch with an artefact of each node, in the order of the nodes."""
    found: list[Patch] = []
    for node in record.nodes:
        made = [patch for patch in node.patches if patch.artefact is not None]
        if made and node.id not in skip:
            found.append(made[-1])
    return found


def _repeated_patches(patches: Sequence[Patch]) -> tuple[int, int]:
    same = near = 0
    seen: set[str] = set()
    changed: list[tuple[str, frozenset[str]]] = []
    for patch in patches:
        lines = _changed_lines(patch.diff)
        if patch.artefact in seen or patch.artefact == patch.base:
            same += 1
        elif any(base == patch.base and _jaccard(lines, other) >= NEAR_LINES for base, other in changed):
            near += 1
        seen.add(str(patch.artefact))
        changed.append((patch.base, lines))
    return same, near


def _changed_lines(diff: str) -> frozenset[str]:
    return frozenset(
        line
        for line in diff.splitlines()
        if line[:1] in "+-" and not line.startswith(("+++", "---")) and line
    )


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 0.0
