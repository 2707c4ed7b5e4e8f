"""Debate with a vote: what is tried, and what stands, is argued on the bus and then voted on.

A protocol on top of another rule, so that a comparison with that rule shows what debating brings: the rule names
operator and parents, several ideas are asked for, every function says what it knows of each (multi-agent debate after
Du et al. 2023 and Liang et al. 2023), all hear all, and each has one vote, in which it weighs the others' words with its
own (DeGroot 1974). Most votes win. The losers are never run; the same vote decides whether a reviewed result takes the
incumbent's place. Leaks, repeats and crashes are no matter of opinion: there the reviewer's word is final.
"""

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
import numpy as np

from engine.messages import Argument, Motion, NodeId, Operator, Value, Vote
from roles.strategies.evolution import Evolution
from roles.strategies.greedy import Greedy
from roles.strategies.pipeline import Pipeline
from roles.strategies.rule import Move, Outcome, Rule, settings_of
from roles.strategies.uct import UCT
from roles.tree import Tree

DEBATED: tuple[Operator, ...] = ("draft", "improve", "combine")
"""Operators that need an idea."""


class DebateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is debated."""

    over: Literal["greedy", "uct", "evolution", "pipeline"] = "greedy"
    """The rule that names operator and parents, with its default settings."""
    proposals: Annotated[int, msgspec.Meta(ge=1, le=16)] = 3
    """Ideas of which one is run; 1: ideas are not debated."""
    acceptance: bool = True
    """Whether it is voted on, too, what stands."""


class Debate:
    """See the module."""

    reviews = True

    def __init__(self, settings: DebateSettings) -> None:
        self._settings = settings
        self._rule = _rule(settings.over)

    @classmethod
    def from_settings(cls, given: Mapping[str, Value]) -> "Debate":
        """The rule with a team's settings."""
        return cls(settings_of(DebateSettings, given, strategy="debate"))

    @property
    def votes_on_acceptance(self) -> bool:
        """As its settings say."""
        return self._settings.acceptance

    def next(self, tree: Tree, *, left: int, total: int, rng: np.random.Generator) -> Move | None:
        """What the rule beneath would do; where it needs an idea, several are asked for."""
        move = self._rule.next(_without_losers(tree), left=left, total=total, rng=rng)
        if move is None or move.operator not in DEBATED:
            return move
        return msgspec.structs.replace(move, proposals=self._settings.proposals)

    def heard(self, tree: Tree, node: NodeId, *, is_better: bool) -> None:
        """Told to the rule beneath."""
        self._rule.heard(_without_losers(tree), node, is_better=is_better)

    def final(self, tree: Tree) -> tuple[NodeId, str]:
        """The incumbent: what the last vote left standing."""
        return tree.incumbent, "what the last vote left standing"

    def count(
        self, motion: Motion, arguments: Sequence[Argument], votes: Sequence[Vote], *, default: NodeId
    ) -> Outcome:
        """Most votes win; where they are equal, the larger sum of claimed gains, or what stands; then the earlier node."""
        nodes = [each.node for each in motion.candidates]
        cast = [vote for vote in votes if vote.choice in nodes]
        seen = {
            f"{argument.function} says {claim.node}": claim.gain
            for argument in arguments
            for claim in argument.claims
        }
        seen |= {f"{vote.function} votes {vote.choice}": vote.gain for vote in cast}
        if not cast:
            return Outcome(default, "nobody voted", seen)
        counted = Counter(vote.choice for vote in cast)
        votes_for = {node: counted[node] for node in nodes}
        seen |= {f"votes for {node}": float(number) for node, number in votes_for.items()}
        most = max(votes_for.values())
        tied = [node for node in nodes if votes_for[node] == most]
        if len(tied) == 1:
            return Outcome(tied[0], f"{most} of {len(cast)} votes", seen)
        if motion.question == "accept":
            return Outcome(nodes[-1], f"{most} votes each: what stands stays", seen)
        claimed = {
            node: sum(c.gain for argument in arguments for c in argument.claims if c.node == node)
            for node in tied
        }
        winner = max(tied, key=lambda node: (claimed[node], -node))
        return Outcome(winner, f"{most} votes each for {len(tied)}, and the largest claims", seen)


def _rule(name: str) -> Rule:
    match name:
        case "uct":
            return UCT.from_settings({})
        case "evolution":
            return Evolution.from_settings({})
        case "pipeline":
            return Pipeline.from_settings({})
        case _:
            return Greedy.from_settings({})


def _without_losers(tree: Tree) -> Tree:
    """The tree as it would be without debates: ideas that were not, or not yet, chosen are not in it."""
    view = copy.copy(tree)
    view.nodes = {
        node.id: node for node in tree.nodes.values() if node.status not in ("proposed", "outvoted")
    }
    return view
