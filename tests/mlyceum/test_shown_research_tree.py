"""The research tree as it is put together from messages alone."""

from engine.messages import (
    AnyBody,
    ArtefactHash,
    Dropped,
    Evidence,
    Hypothesis,
    IdeaRequest,
    MemberId,
    NodeId,
    Patch,
    Review,
    RunRequest,
    RunResult,
    Selection,
)
from mlyceum.research_tree import ResearchNode, children, research_nodes

A = ArtefactHash("a" * 64)
ONE, TWO = NodeId(1), NodeId(2)


def tree(*bodies: AnyBody) -> dict[int, ResearchNode]:
    nodes = research_nodes([(MemberId("somebody"), body, 0) for body in bodies])
    return {int(node.id): node for node in nodes}


def idea(node: NodeId, *parents: int) -> IdeaRequest:
    return IdeaRequest(
        node=node, operator="improve", parents=tuple(NodeId(each) for each in parents), evaluations_left=5
    )


def result(node: NodeId, value: float) -> RunResult:
    evidence = Evidence(node=node, artefact=A, values=(value,), mean=value, standard_error=0.1)
    return RunResult(node=node, evidence=evidence, evaluations=1)


def test_a_node_comes_as_far_as_its_messages_say() -> None:
    claim = Hypothesis(node=ONE, operator="improve", parents=(NodeId(0),), claim="more", family="x")
    patch = Patch(node=ONE, base=A, artefact=A, diff="")
    steps: list[AnyBody] = [
        idea(ONE, 0),
        claim,
        patch,
        result(ONE, 1.5),
        Review(node=ONE, verdict="accept"),
        Selection(node=ONE, artefact=A, rule="best", candidates=(ONE,), final=True),
    ]

    states = [tree(*steps[:count])[1].status for count in range(1, len(steps) + 1)]
    node = tree(*steps)[1]

    assert states == ["thinking", "coding", "running", "measured", "accepted", "accepted"]
    assert node.handed_in
    assert node.stood
    assert node.artefact == A
    assert node.evidence is not None
    assert node.evaluations == 1


def test_a_patch_without_an_artefact_fails_its_node_with_the_reason() -> None:
    node = tree(idea(ONE), Patch(node=ONE, base=A, artefact=None, diff="", problem="IndexError"))[1]

    assert (node.status, node.failure) == ("failed", "IndexError")


def test_a_request_that_was_dropped_fails_its_node() -> None:
    asked, dropped = idea(ONE), Dropped(seq=1, reason="nobody is at hypothesize")

    (node,) = research_nodes([(MemberId("strategy"), asked, 0), (MemberId("runtime"), dropped, 1)])

    assert (node.status, node.failure) == ("failed", "nobody is at hypothesize")


def test_measuring_a_known_artefact_again_is_a_replication_below_its_first_node() -> None:
    nodes = tree(
        idea(ONE),
        Patch(node=ONE, base=A, artefact=A, diff=""),
        RunRequest(node=TWO, artefact=A),
        result(TWO, 1.0),
    )

    assert (nodes[2].operator, nodes[2].parents) == ("replicate", (ONE,))


def test_the_starter_is_no_replication_of_itself() -> None:
    node = tree(RunRequest(node=NodeId(0), artefact=A), result(NodeId(0), 1.0))[0]

    assert (node.operator, node.parents) == ("draft", ())


def test_every_node_hangs_in_the_tree_once_whatever_its_parents_say() -> None:
    nodes = research_nodes(
        [
            (MemberId("x"), body, 0)
            for body in (idea(ONE, 1), idea(TWO, 7), idea(NodeId(3), 4), idea(NodeId(4), 3, 1))
        ]
    )

    below = children(nodes)

    assert sorted(int(node.id) for each in below.values() for node in each) == [1, 2, 3, 4]
    assert [node.id for node in below[NodeId(3)]] == [4]
