"""A blackboard with bids: everyone sees everything, says what they would do next and what it is worth; the best bid wins.

The blackboard of Hearsay-II (Erman, Hayes-Roth, Lesser & Reddy 1980) with the contract net's bidding (Smith 1980) in
place of a scheduler that knows the knowledge sources: what is on the board are the topics of the bus, which every member
hears; a bid is an operator, its parents and the expected gain over what stands; the strategy itself always bids a draft,
so that something happens where nobody has an idea. One auction at a time, since a bid depends on what was awarded before;
the nodes under way go on meanwhile.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
import numpy as np

from engine.messages import Bid, NodeId, Operator, Value
from roles.evidence import single_error
from roles.strategies.mending import can_mend
from roles.strategies.rule import Move, settings_of
from roles.tree import OPEN, STARTER, Tree
from roles.worth import Belief, chance, expected_improvement, predictive, spread

PARENTS: dict[Operator, int] = {"draft": 0, "improve": 1, "combine": 2, "debug": 1, "replicate": 1}


class BlackboardSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a winner gets."""

    replications: Annotated[int, msgspec.Meta(ge=1)] = 2
    """Most evaluations that one request for evidence on a new node may take; a run of a known one takes one."""


class Blackboard:
    """See the module."""

    reviews = True

    def __init__(self, settings: BlackboardSettings) -> None:
        self._settings = settings

    @classmethod
    def from_settings(cls, given: Mapping[str, Value]) -> "Blackboard":
        """The rule with a team's settings."""
        return cls(settings_of(BlackboardSettings, given, strategy="blackboard"))

    def next(self, tree: Tree, *, left: int, total: int, rng: np.random.Generator) -> Move | None:
        """What would be done without bids: a draft."""
        return self.award(tree, (), left=left, total=total, rng=rng)

    def award(
        self,
        tree: Tree,
        bids: Sequence[Bid],
        *,
        left: int,
        total: int,  # noqa: ARG002 - one shape for all rules
        rng: np.random.Generator,  # noqa: ARG002 - one shape for all rules
    ) -> Move:
        """The highest bid that can be done; the earlier one where two are equal, the strategy's own last of all."""
        own = _draft_value(tree)
        seen: dict[str, float] = {}
        winner: Bid | None = None
        for bid in bids:
            if bid.operator is None:
                continue
            problem = _problem(tree, bid)
            name = f"{bid.function}: {bid.operator} {list(bid.parents)}"
            seen[f"{name} (refused: {problem})" if problem else name] = bid.value
            if not problem and bid.value >= own and (winner is None or bid.value > winner.value):
                winner = bid
        seen["strategy: draft []"] = own
        at_most = max(1, min(self._settings.replications, left))
        if winner is None or winner.operator is None:
            return Move(
                operator="draft",
                evaluations_at_most=at_most,
                why="no bid above the strategy's own: a draft",
                candidates=seen,
            )
        return Move(
            operator=winner.operator,
            parents=winner.parents,
            evaluations_at_most=1 if winner.operator == "replicate" else at_most,
            why=f"highest bid, {winner.value:.4g} from {winner.function}: {winner.why}"[:300],
            candidates=seen,
        )

    def heard(self, tree: Tree, node: NodeId, *, is_better: bool) -> None:
        """Nothing to remember: it is all on the board."""

    def final(self, tree: Tree) -> tuple[NodeId, str]:
        """The incumbent: what the last accepting review left standing."""
        return tree.incumbent, "the last accepted node"


def _problem(tree: Tree, bid: Bid) -> str:  # noqa: PLR0911 - a case a reason
    """Why a bid cannot be done; nothing where it can. Members may know less than the tree, or say what is not so."""
    if not -np.inf < bid.value < np.inf:
        return "its value is no number"
    if bid.operator is None or len(bid.parents) != PARENTS[bid.operator]:
        return "wrong number of parents"
    if any(parent != STARTER and parent not in tree.nodes for parent in bid.parents):
        return "no such node"
    if bid.operator == "debug":
        parent = bid.parents[0]
        is_fit = parent != STARTER and can_mend(tree, tree.nodes[parent])
        return "" if is_fit else "it is not broken, or was mended before"
    if any(tree.evidence(parent) is None or tree.artefact(parent) in tree.barred for parent in bid.parents):
        return "no honest score"
    if bid.operator == "combine" and len({tree.artefact(parent) for parent in bid.parents}) < len(
        bid.parents
    ):
        return "twice the same code"
    if bid.operator == "replicate":
        return _problem_of_repeat(tree, bid.parents[0])
    return ""


def _problem_of_repeat(tree: Tree, parent: NodeId) -> str:
    if parent == STARTER:
        return "the starter is known"
    artefact = tree.artefact(parent)
    if any(node.status in OPEN and node.artefact == artefact for node in tree.nodes.values()):
        return "it is being run"
    if any(
        node.operator == "replicate" and node.status == "failed" and node.artefact == artefact
        for node in tree.nodes.values()
    ):
        return "it broke when it was run again"
    return ""


def _draft_value(tree: Tree) -> float:
    """What another draft is expected to bring, by the record of drafts alone."""
    drafts = [node for node in tree.nodes.values() if node.operator == "draft" and node.status not in OPEN]
    worths = [tree.merit(node.id) for node in drafts if tree.evidence(node.id) is not None]
    known = tree.evidence(tree.ranked()[0])
    least = max(1e-6, single_error(known) if known is not None else 0.0)
    start = tree.merit(STARTER)
    belief = predictive(worths, prior=Belief(start, spread([start, *worths], least=least)))
    runs = chance(len(worths), len(drafts) - len(worths))
    return runs * expected_improvement(belief, tree.merit(tree.incumbent))
