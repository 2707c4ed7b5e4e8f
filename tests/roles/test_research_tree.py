"""Evidence adds up by artefact, and the tree knows which node leads."""

import pytest

from engine.messages import ArtefactHash, NodeId, Patch, RunResult
from roles.evidence import lead, pool, single_error
from roles.tree import Tree

A, B, S = ArtefactHash("a" * 64), ArtefactHash("b" * 64), ArtefactHash("0" * 64)


def _result(node: int, artefact: ArtefactHash, values: tuple[float, ...], new: int) -> RunResult:
    evidence = pool(values, declared=0.1, node=NodeId(node), artefact=artefact)
    return RunResult(node=NodeId(node), evidence=evidence, evaluations=new)


def _tree() -> Tree:
    tree = Tree(S, baseline=1.0, direction="max")
    for artefact in (A, B):
        node = tree.add("draft", ())
        patch = Patch(node=node.id, base=S, artefact=artefact, diff="")
        tree.put(type(node)(id=node.id, operator="draft", parents=(), status="running", patch=patch))
    return tree


def test_the_error_of_a_mean_is_the_larger_of_declared_and_spread() -> None:
    calm = pool((1.0, 1.0, 1.0, 1.0), declared=0.2, node=NodeId(1), artefact=A)
    wild = pool((0.0, 2.0), declared=0.2, node=NodeId(1), artefact=A)

    assert calm.standard_error == pytest.approx(0.1)
    assert wild.standard_error == pytest.approx(1.0)
    assert single_error(calm) == pytest.approx(0.2)


def test_a_lead_is_positive_for_what_is_better_in_either_direction() -> None:
    low, high = (pool((value,), declared=0.3, node=NodeId(1), artefact=A) for value in (1.0, 2.0))

    assert lead(high, low, "max")[0] == lead(low, high, "min")[0] == 1.0
    assert lead(high, low, "max")[1] == pytest.approx(0.3 * 2**0.5)


def test_only_new_scores_are_added_however_often_old_ones_are_told() -> None:
    tree = _tree()
    tree.hear(_result(1, A, (1.0,), new=1))
    tree.hear(_result(1, A, (1.0, 2.0, 3.0), new=2))

    evidence = tree.evidence(NodeId(1))
    assert evidence is not None
    assert evidence.values == (1.0, 2.0, 3.0)


def test_nodes_with_one_artefact_share_their_evidence_and_are_ranked_once() -> None:
    tree = _tree()
    twin = tree.add("replicate", (NodeId(1),))
    tree.put(
        type(twin)(
            id=twin.id,
            operator="replicate",
            parents=twin.parents,
            status="running",
            patch=tree.nodes[NodeId(1)].patch,
        )
    )
    tree.hear(_result(1, A, (3.0,), new=1))
    tree.hear(_result(2, B, (2.0,), new=1))
    tree.hear(_result(3, A, (5.0,), new=1))

    assert tree.merit(NodeId(1)) == tree.merit(NodeId(3)) == 4.0
    assert tree.ranked() == (1, 2, 0)


def test_the_starter_stands_with_its_baseline_until_it_is_measured() -> None:
    tree = _tree()

    assert tree.incumbent == 0
    assert tree.merit(NodeId(0)) == 1.0
    assert tree.merit(NodeId(1)) == float("-inf")
