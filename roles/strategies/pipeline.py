"""A round-robin pipeline: roles hand over in turn, operators come in turn, and nobody decides what is promising.

Every node goes from hypothesizer to coder to experimenter to reviewer; the next one is whatever operator is due, on
what stands. It is the fixed assembly line of Hong et al. (2024, MetaGPT) and Qian et al. (2024, ChatDev) as a search
rule: what it lacks against greedy search is a policy over operators and parents.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec
import numpy as np

from engine.errors import BadSpecification
from engine.messages import NodeId, Operator, Value
from roles.strategies.mending import first_broken
from roles.strategies.rule import Move, settings_of
from roles.tree import STARTER, Tree

OPERATORS: tuple[Operator, ...] = ("draft", "improve", "combine", "debug", "replicate")


class PipelineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What comes in turn."""

    order: str = "draft,improve,combine,debug"
    """Operators, with commas between; one that has nothing to work on is passed over."""
    replications: Annotated[int, msgspec.Meta(ge=1)] = 2
    """Most evaluations that one request for evidence may take."""


class Pipeline:
    """See the module."""

    reviews = True

    def __init__(self, settings: PipelineSettings) -> None:
        self._settings = settings
        self._order = _operators(settings.order)
        self._turn = 0

    @classmethod
    def from_settings(cls, given: Mapping[str, Value]) -> "Pipeline":
        """The rule with a team's settings."""
        return cls(settings_of(PipelineSettings, given, strategy="pipeline"))

    def next(self, tree: Tree, *, left: int, total: int, rng: np.random.Generator) -> Move | None:  # noqa: ARG002 - one shape for all rules
        """The operator whose turn it is, or the next in turn that can be applied."""
        at_most = max(1, min(self._settings.replications, left))
        for _ in self._order:
            operator = self._order[self._turn % len(self._order)]
            self._turn += 1
            parents = _parents(tree, operator)
            if parents is not None:
                return Move(
                    operator=operator,
                    parents=parents,
                    evaluations_at_most=1 if operator == "replicate" else at_most,
                    why=f"its turn: {', '.join(self._order)}",
                )
        return Move(operator="draft", evaluations_at_most=at_most, why="nothing else can be done yet")

    def heard(self, tree: Tree, node: NodeId, *, is_better: bool) -> None:
        """Nothing is learnt."""

    def final(self, tree: Tree) -> tuple[NodeId, str]:
        """The incumbent: what the last accepting review left standing."""
        return tree.incumbent, "the last accepted node"


def _operators(order: str) -> tuple[Operator, ...]:
    known: dict[str, Operator] = {str(each): each for each in OPERATORS}
    names = [name.strip() for name in order.split(",")]
    for name in names:
        if name not in known:
            raise BadSpecification(
                "strategy.settings", f"pipeline: order: {name!r} is no operator; allowed: {', '.join(known)}"
            )
    return tuple(known[name] for name in names)


def _parents(tree: Tree, operator: Operator) -> tuple[NodeId, ...] | None:
    """What an operator works on now; None where there is nothing."""
    rivals = [node for node in tree.ranked() if node not in (STARTER, tree.incumbent)]
    rivals = [node for node in rivals if tree.artefact(node) != tree.artefact(tree.incumbent)]
    match operator:
        case "draft":
            return ()
        case "improve":
            return (tree.incumbent,)
        case "combine":
            return (tree.incumbent, rivals[0]) if rivals and tree.incumbent != STARTER else None
        case "replicate":
            waiting = {node.parents[0] for node in tree.open_nodes() if node.operator == "replicate"}
            return next(((node,) for node in rivals if node not in waiting), None)
        case "debug":
            broken = first_broken(tree, depth=1)
            return None if broken is None else (broken.id,)
