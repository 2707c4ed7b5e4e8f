"""The research tree of an episode, as the strategy keeps it: nodes, their evidence, and the incumbent."""

from typing import Literal, TypeAlias

import msgspec

from engine.messages import (
    ArtefactHash,
    Evidence,
    Hypothesis,
    NodeId,
    Operator,
    Patch,
    Review,
    RunResult,
)
from engine.task import Direction
from roles.evidence import pool, signed, single_error

Status: TypeAlias = Literal[
    "thinking",
    "proposed",
    "coding",
    "running",
    "reviewing",
    "accepted",
    "rejected",
    "outvoted",
    "measured",
    "failed",
]
"""Where a debate decides which idea is tried, all but the first are ``proposed``, and become ``outvoted`` or go on."""
OPEN: frozenset[Status] = frozenset({"thinking", "proposed", "coding", "running", "reviewing"})
STARTER = NodeId(0)


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt: where it came from, what it claims, what became of it."""

    id: NodeId
    operator: Operator
    parents: tuple[NodeId, ...]
    status: Status
    hypothesis: Hypothesis | None = None
    patch: Patch | None = None
    result: RunResult | None = None
    review: Review | None = None
    problem: str = ""
    """Why it failed."""
    revisions: int = 0
    """How often its reviewer asked for more evidence."""

    @property
    def artefact(self) -> ArtefactHash | None:
        """Its artefact, once there is one."""
        return self.patch.artefact if self.patch is not None else None


class Tree:
    """Nodes by id, and all feedback by artefact: nodes with one artefact share their evidence.

    Args:
        starter: artefact that the team starts from; node 0, and the incumbent until one is accepted.
        baseline: its score, as the brief states it.
        direction: whether more or less is better.
    """

    def __init__(self, starter: ArtefactHash, *, baseline: float, direction: Direction) -> None:
        self.direction: Direction = direction
        self.nodes: dict[NodeId, Node] = {}
        self.incumbent = STARTER
        self.starter = starter
        self.barred: set[ArtefactHash] = set()
        """Artefacts that came by their score as they must not, so that nothing is built on them."""
        self._values: dict[ArtefactHash, list[float]] = {}
        self._declared: dict[ArtefactHash, float] = {}
        self._baseline = Evidence(
            node=STARTER, artefact=starter, values=(), mean=baseline, standard_error=0.0
        )

    def add(
        self,
        operator: Operator,
        parents: tuple[NodeId, ...],
        *,
        status: Status = "thinking",
        hypothesis: Hypothesis | None = None,
    ) -> Node:
        """A new node, with the next number."""
        node = Node(
            id=NodeId(len(self.nodes) + 1),
            operator=operator,
            parents=parents,
            status=status,
            hypothesis=hypothesis,
        )
        self.nodes[node.id] = node
        return node

    def put(self, node: Node) -> Node:
        """Let a node's newer value take the place of the older one."""
        self.nodes[node.id] = node
        return node

    def hear(self, result: RunResult) -> None:
        """Add the scores that a request has brought to what is known of the artefact."""
        evidence = result.evidence
        if evidence is None or not result.evaluations:
            return
        artefact = evidence.artefact
        self._values.setdefault(artefact, []).extend(evidence.values[-result.evaluations :])
        declared = single_error(evidence)
        self._declared[artefact] = min(declared, self._declared.get(artefact, declared))

    def evidence(self, node: NodeId) -> Evidence | None:
        """All that is known of a node's artefact; for the starter the baseline, unless it was measured."""
        artefact = self.artefact(node)
        if artefact is None or artefact not in self._values:
            return self._baseline if node == STARTER else None
        return pool(self._values[artefact], declared=self._declared[artefact], node=node, artefact=artefact)

    def is_known(self, artefact: ArtefactHash) -> bool:
        """Whether an artefact has been measured."""
        return artefact in self._values

    def artefact(self, node: NodeId) -> ArtefactHash | None:
        """A node's artefact, if there is one."""
        if node == STARTER:
            return self.starter
        known = self.nodes.get(node)
        return None if known is None else known.artefact

    def merit(self, node: NodeId) -> float:
        """Mean score turned so that more is better; minus infinity without evidence."""
        evidence = self.evidence(node)
        return float("-inf") if evidence is None else signed(evidence.mean, self.direction)

    def ranked(self) -> tuple[NodeId, ...]:
        """Nodes with evidence, one for each artefact, best mean first; the earlier first where they are equal."""
        seen: set[ArtefactHash] = set()
        unique: list[NodeId] = []
        for node in (STARTER, *self.nodes):
            artefact = self.artefact(node)
            if artefact is None or artefact in seen or artefact in self.barred:
                continue
            if self.evidence(node) is not None:
                seen.add(artefact)
                unique.append(node)
        return tuple(sorted(unique, key=lambda node: -self.merit(node)))

    def open_nodes(self) -> tuple[Node, ...]:
        """Nodes that are worked on."""
        return tuple(node for node in self.nodes.values() if node.status in OPEN)
