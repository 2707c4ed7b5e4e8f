"""UCT: upper confidence bounds applied to the research tree, several experiments in flight.

The tree policy of Kocsis & Szepesvári (2006) descends from the starter to the child with the largest upper confidence
bound; *progressive widening* (Coulom 2007; Chaslot et al. 2008) says when a node gets another child instead, since an
idea can be improved in more ways than will ever be tried; a node in flight counts as a visit that brought nothing, the
*virtual loss* of Chaslot, Winands & van den Herik (2008), so that workers spread.
"""

import math
from collections.abc import Mapping
from typing import Annotated, NamedTuple

import msgspec
import numpy as np

from engine.messages import NodeId, Value
from roles.strategies.mending import first_broken
from roles.strategies.rule import Move, settings_of
from roles.tree import OPEN, STARTER, Node, Tree


class UCTSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How UCT weighs the unknown against the good."""

    exploration: Annotated[float, msgspec.Meta(ge=0.0)] = 0.7
    """Weight of the bound's second term; rewards lie between 0 and 1. About 1/√2, as in the paper."""
    widening: Annotated[float, msgspec.Meta(gt=0.0)] = 1.5
    """A node of n visits has at most this times n to the power of ``widening_exponent`` children."""
    widening_exponent: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.5
    replications: Annotated[int, msgspec.Meta(ge=1)] = 2
    """Most evaluations that one request for evidence may take."""
    debug_depth: Annotated[int, msgspec.Meta(ge=0)] = 1
    """How often in a row a broken node is handed back to be mended."""


class Statistics(NamedTuple):
    """What UCT knows of a node."""

    visits: int
    """1 for the node itself, and those of its children; nodes in flight included."""
    total: float
    """Sum of the rewards over its subtree."""
    in_flight: int
    """Of the visits, those that have brought nothing yet."""
    children: tuple[NodeId, ...]

    @property
    def value(self) -> float:
        """Mean reward, 0 to 1."""
        return self.total / self.visits


def statistics(tree: Tree) -> dict[NodeId, Statistics]:
    """Visits and rewards of every node of the search tree; drafts are children of the starter.

    A reward is the node's mean score, scaled so that the worst known is 0 and the best 1; what earned no score, or is
    in flight, has 0. Replications are no nodes here: they sharpen the reward of the node that they repeat. A mended
    node takes its place beside the broken one, which nothing can be built on.
    """
    kin = {node.id: node for node in tree.nodes.values() if node.operator != "replicate"}
    children: dict[NodeId, list[NodeId]] = {STARTER: [], **{node: [] for node in kin}}
    for each in kin.values():
        children[_above(tree, each)].append(each.id)
    merits = {node: tree.merit(node) for node in (STARTER, *kin)}
    known = [merit for merit in merits.values() if merit > -math.inf]
    low, high = min(known), max(known)
    counted: dict[NodeId, Statistics] = {}
    for node in sorted(children, reverse=True):  # children have larger numbers than their parents
        is_open = node != STARTER and kin[node].status in OPEN
        is_worthless = is_open or merits[node] == -math.inf or _is_barred(tree, node)
        reward = 0.0 if is_worthless else 0.5 if high == low else (merits[node] - low) / (high - low)
        below = [counted[child] for child in children[node]]
        counted[node] = Statistics(
            visits=1 + sum(each.visits for each in below),
            total=reward + sum(each.total for each in below),
            in_flight=is_open + sum(each.in_flight for each in below),
            children=tuple(children[node]),
        )
    return counted


class UCT:
    """See the module."""

    reviews = True

    def __init__(self, settings: UCTSettings) -> None:
        self._settings = settings

    @classmethod
    def from_settings(cls, given: Mapping[str, Value]) -> "UCT":
        """The rule with a team's settings."""
        return cls(settings_of(UCTSettings, given, strategy="uct"))

    def next(self, tree: Tree, *, left: int, total: int, rng: np.random.Generator) -> Move | None:  # noqa: ARG002 - one shape for all rules
        """A child of the node that the descent ends at; a broken node is mended first."""
        at_most = max(1, min(self._settings.replications, left))
        broken = first_broken(tree, depth=self._settings.debug_depth)
        if broken is not None:
            return Move(
                operator="debug", parents=(broken.id,), evaluations_at_most=at_most, why="a node broke"
            )
        counted = statistics(tree)
        place, seen = STARTER, dict[str, float]()
        _note(seen, STARTER, counted[STARTER], math.inf)
        while not self._is_widened(counted[place]):
            bounds = {
                child: self._bound(counted[place], counted[child])
                for child in counted[place].children
                if _can_bear(tree, child)
            }
            for child, bound in bounds.items():
                _note(seen, child, counted[child], bound)
            if not bounds:
                break
            place = max(bounds, key=lambda child: (bounds[child], -child))
        return Move(
            operator="draft" if place == STARTER else "improve",
            parents=() if place == STARTER else (place,),
            evaluations_at_most=at_most,
            why=f"UCT ended at node {place}, visited {counted[place].visits} times",
            candidates=seen,
        )

    def heard(self, tree: Tree, node: NodeId, *, is_better: bool) -> None:
        """Nothing to remember: the statistics are counted from the tree."""

    def final(self, tree: Tree) -> tuple[NodeId, str]:
        """The incumbent: what the last accepting review left standing."""
        return tree.incumbent, "the last accepted node"

    def _is_widened(self, node: Statistics) -> bool:
        """Whether a node may have another child."""
        most = self._settings.widening * math.pow(node.visits, self._settings.widening_exponent)
        return len(node.children) < math.ceil(most)

    def _bound(self, parent: Statistics, child: Statistics) -> float:
        return child.value + 2.0 * self._settings.exploration * math.sqrt(
            math.log(parent.visits) / (2.0 * child.visits)
        )


def _above(tree: Tree, node: Node) -> NodeId:
    """The parent in the search tree."""
    while node.operator == "debug":
        node = tree.nodes[node.parents[0]]
    return node.parents[0] if node.parents else STARTER


def _can_bear(tree: Tree, node: NodeId) -> bool:
    """Whether something can be built on a node: it has a score, came by it honestly, and is not in flight."""
    is_sound = tree.evidence(node) is not None and not _is_barred(tree, node)
    return is_sound and tree.nodes[node].status not in ("failed", *OPEN)


def _is_barred(tree: Tree, node: NodeId) -> bool:
    artefact = tree.artefact(node)
    return artefact is not None and artefact in tree.barred


def _note(seen: dict[str, float], node: NodeId, known: Statistics, bound: float) -> None:
    seen[f"{node} visits"] = float(known.visits)
    seen[f"{node} in flight"] = float(known.in_flight)
    seen[f"{node} value"] = round(known.value, 6)
    if bound < math.inf:
        seen[f"{node} bound"] = round(bound, 6)
