"""The research tree of an episode, put together from the messages alone: any team's, whatever its strategy."""

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from engine.messages import (
    AnyBody,
    ArtefactHash,
    Dropped,
    Evidence,
    Failed,
    Hypothesis,
    IdeaRequest,
    MemberId,
    NodeId,
    Operator,
    Patch,
    Review,
    ReviewRequest,
    RunRequest,
    RunResult,
    Selection,
    WorkOrder,
)

Status: TypeAlias = Literal[
    "thinking", "coding", "running", "reviewing", "measured", "accepted", "rejected", "revise", "failed"
]


class ResearchNode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt: where it came from, what it claims, what was found."""

    id: NodeId
    operator: Operator = "draft"
    parents: tuple[NodeId, ...] = ()
    status: Status = "thinking"
    """How far it has come, and the last verdict on it."""
    hypothesis: Hypothesis | None = None
    author: MemberId | None = None
    patches: tuple[Patch, ...] = ()
    """Every version of its code; the last one stands."""
    evidence: Evidence | None = None
    """All feedback on its artefact, as last reported."""
    evaluations: int = 0
    """Feedback evaluations spent on it."""
    failure: str = ""
    reviews: tuple[Review, ...] = ()
    stood: bool = False
    """Whether it was selected at some time."""
    handed_in: bool = False
    """Whether it is what the team handed in."""

    @property
    def artefact(self) -> ArtefactHash | None:
        """Its artefact, once there is one."""
        made = [patch.artefact for patch in self.patches if patch.artefact is not None]
        if made:
            return made[-1]
        return self.evidence.artefact if self.evidence is not None else None

    @property
    def patch(self) -> Patch | None:
        """Its code as it stands."""
        return self.patches[-1] if self.patches else None


def research_nodes(  # noqa: PLR0912 - one line for each kind of message
    messages: Iterable[tuple[MemberId, AnyBody, int]],
) -> tuple[ResearchNode, ...]:
    """The nodes that some messages speak of, by number; node 0 (the starter) only where it was measured or chosen.

    Args:
        messages: sender, body and the number of the message answered, all of an episode from its first.
    """
    nodes: dict[NodeId, ResearchNode] = {}
    about: list[NodeId | None] = []
    for sender, body, cause in messages:
        about.append(getattr(body, "node", None))
        match body:
            case IdeaRequest(node=node, operator=operator, parents=parents):
                _put(nodes, node, operator=operator, parents=parents, status="thinking")
            case Hypothesis(node=node, operator=operator, parents=parents):
                _put(
                    nodes,
                    node,
                    operator=operator,
                    parents=parents,
                    hypothesis=body,
                    author=sender,
                    status="coding",
                )
            case WorkOrder(node=node, operator=operator, hypothesis=hypothesis):
                known = _known(nodes, node)
                parents = known.parents or hypothesis.parents
                _put(nodes, node, operator=operator, parents=parents, hypothesis=hypothesis, status="coding")
            case Patch(node=node, artefact=artefact, problem=problem):
                status: Status = "running" if artefact is not None else "failed"
                patches = (*_known(nodes, node).patches, body)
                _put(
                    nodes,
                    node,
                    patches=patches,
                    status=status,
                    failure="" if artefact is not None else problem,
                )
            case RunRequest(node=node, artefact=artefact):
                if (
                    node and node not in nodes
                ):  # nobody was asked for an idea: what is known is measured again
                    _put(nodes, node, operator="replicate", parents=(_holder(nodes, artefact),))
                _put(nodes, node, status="running")
            case RunResult(node=node):
                _hear(nodes, body)
            case ReviewRequest(node=node):
                _put(nodes, node, status="reviewing")
            case Review(node=node, verdict=verdict):
                verdicts: dict[str, Status] = {"accept": "accepted", "revise": "revise", "reject": "rejected"}
                _put(nodes, node, reviews=(*_known(nodes, node).reviews, body), status=verdicts[verdict])
            case Selection(node=node, final=final):
                _put(nodes, node, stood=True, handed_in=final or _known(nodes, node).handed_in)
            case Dropped(reason=reason) | Failed(reason=reason) if cause and cause <= len(about):
                lost = about[cause - 1]
                if lost is not None:
                    _put(nodes, lost, status="failed", failure=reason)
            case _:
                pass
    return tuple(nodes[node] for node in sorted(nodes))


def _hear(nodes: dict[NodeId, ResearchNode], result: RunResult) -> None:
    known = _known(nodes, result.node)
    _put(
        nodes,
        result.node,
        evidence=result.evidence or known.evidence,
        evaluations=known.evaluations + result.evaluations,
        failure=result.failure,
        status="failed" if result.failure else "measured",
    )


def _holder(nodes: dict[NodeId, ResearchNode], artefact: ArtefactHash) -> NodeId:
    """The first node with an artefact; the starter where none has it."""
    return next((node for node in sorted(nodes) if nodes[node].artefact == artefact), NodeId(0))


def _known(nodes: dict[NodeId, ResearchNode], node: NodeId) -> ResearchNode:
    return nodes.get(node) or ResearchNode(id=node)


def _put(nodes: dict[NodeId, ResearchNode], node: NodeId, **changes: object) -> None:
    nodes[node] = msgspec.structs.replace(_known(nodes, node), **changes)


def children(nodes: Iterable[ResearchNode]) -> dict[NodeId, tuple[ResearchNode, ...]]:
    """The nodes below each node (0 is the starter), each below its first parent; orphans are below the starter."""
    known = {node.id: node for node in nodes}
    below: dict[NodeId, list[ResearchNode]] = {}
    for node in known.values():
        if node.id:
            above = node.parents[0] if node.parents and node.parents[0] in known else NodeId(0)
            # A record is read as it is written: a node that names itself or a later one would make a ring.
            below.setdefault(above if above < node.id else NodeId(0), []).append(node)
    return {node: tuple(each) for node, each in below.items()}
