"""Research trees grown by hand, for rules that are asked what comes next."""

import msgspec

from engine.messages import ArtefactHash, Hypothesis, NodeId, Operator, Patch, RunResult
from roles.evidence import pool
from roles.tree import Status, Tree

START = ArtefactHash("0" * 64)


def tree(*, baseline: float = 0.0) -> Tree:
    """A tree with nothing but its starter."""
    return Tree(START, baseline=baseline, direction="max")


def grow(
    tree: Tree,
    *values: float,
    operator: Operator = "draft",
    parents: tuple[int, ...] = (),
    status: Status = "accepted",
    problem: str = "",
) -> NodeId:
    """Another node, with an artefact of its own and scores, if any are given."""
    node = tree.add(operator, tuple(NodeId(parent) for parent in parents))
    artefact = ArtefactHash(f"{node.id:064d}")
    idea = Hypothesis(node=node.id, operator=operator, parents=node.parents, claim="", family="f")
    patch = Patch(node=node.id, base=START, artefact=artefact, diff="")
    tree.put(msgspec.structs.replace(node, status=status, hypothesis=idea, patch=patch, problem=problem))
    if values:
        rerun(tree, node.id, *values)
    return node.id


def rerun(tree: Tree, node: NodeId, *values: float) -> None:
    """More scores for a node."""
    artefact = tree.artefact(node)
    assert artefact is not None
    known = tree.evidence(node)
    heard = (*(known.values if known is not None else ()), *values)
    evidence = pool(heard, declared=0.1, node=node, artefact=artefact)
    tree.hear(RunResult(node=node, evidence=evidence, evaluations=len(values)))


__all__ = ["START", "grow", "rerun", "tree"]
