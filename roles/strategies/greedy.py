"""Greedy search: draft, then improve on the incumbent, mend what broke, replicate what is close (after AIDE, 2025)."""

import math
from collections.abc import Mapping
from typing import Annotated

import msgspec
import numpy as np

from engine.messages import NodeId, Operator, Value
from roles.evidence import lead
from roles.strategies.rule import Move, settings_of
from roles.tree import STARTER, Tree

PRIORS: dict[Operator, tuple[float, float]] = {
    "improve": (4.0, 1.0),
    "combine": (1.0, 1.5),
    "draft": (1.0, 2.5),
}
"""Successes and failures of each operator before the first node."""
CURIOSITY = 1.5
"""By how much an untried family may exceed what it has shown, in standard deviations of all worths seen."""


class GreedySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How greedy search divides its budget."""

    drafts: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Independent starts; 0: an eighth of the budget, 2 to 8."""
    replications: Annotated[int, msgspec.Meta(ge=1)] = 2
    """Most evaluations that one request for evidence may take."""
    debug_depth: Annotated[int, msgspec.Meta(ge=0)] = 1
    """How often in a row a broken node is handed back to be mended."""
    confirm: Annotated[float, msgspec.Meta(ge=0.0, le=0.5)] = 0.12
    """Share of the budget kept for telling the best few apart at the end."""


class Greedy:
    """Improves on the incumbent. Which operator comes next is a Bernoulli bandit (Thompson 1933) over their successes."""

    reviews = True

    def __init__(self, settings: GreedySettings) -> None:
        self._settings = settings
        self._record = {**PRIORS}
        self._mended: set[NodeId] = set()
        self._vain: dict[str, int] = {}
        """For each family, how often it was built on since it last yielded something better."""

    @classmethod
    def from_settings(cls, given: Mapping[str, Value]) -> "Greedy":
        """The rule with a team's settings."""
        return cls(settings_of(GreedySettings, given, strategy="greedy"))

    def next(self, tree: Tree, *, left: int, total: int, rng: np.random.Generator) -> Move | None:
        """Mend what broke; draft while there are too few; at the end replicate; else what the bandit says."""
        broken = self._broken(tree)
        if broken is not None:
            self._mended.add(broken)
            return Move(
                operator="debug",
                parents=(broken,),
                evaluations_at_most=self._settings.replications,
                why="a node broke",
            )
        wanted = self._settings.drafts or min(8, max(2, total // 8))
        drafts = sum(node.operator == "draft" for node in tree.nodes.values())
        if drafts < min(wanted, total):
            return Move(
                operator="draft",
                evaluations_at_most=self._runs(left),
                why=f"independent start {drafts + 1} of {wanted}",
            )
        if left <= self._settings.confirm * total:
            close = self._close(tree)
            if close is not None:
                return Move(
                    operator="replicate",
                    parents=(close,),
                    evaluations_at_most=1,
                    why="close to the best; which is it?",
                )
        return self._explore(tree, left, rng)

    def heard(self, tree: Tree, node: NodeId, *, is_better: bool) -> None:
        """Count what an operator has yielded; the past fades, since early successes come easily."""
        operator, parents = tree.nodes[node].operator, tree.nodes[node].parents
        if operator in ("improve", "combine") and parents:
            family = self._family(tree, parents[0])
            rose = is_better or self._rose(tree, node, parents[0])
            self._vain[family] = 0 if rose else self._vain.get(family, 0) + 1
        if operator in self._record:
            wins, losses = self._record[operator]
            self._record[operator] = (0.9 * wins + is_better, 0.9 * losses + 0.5 * (not is_better))

    def final(self, tree: Tree) -> tuple[NodeId, str]:
        """The incumbent: what the last accepting review left standing."""
        return tree.incumbent, "the last accepted node"

    def _runs(self, left: int) -> int:
        return max(1, min(self._settings.replications, left))

    def _broken(self, tree: Tree) -> NodeId | None:
        for node in tree.nodes.values():
            is_open_wound = node.status == "failed" and bool(node.problem) and node.id not in self._mended
            can_mend = node.hypothesis is not None and self._depth(tree, node.id) < self._settings.debug_depth
            if is_open_wound and can_mend:
                return node.id
        return None

    def _depth(self, tree: Tree, node: NodeId) -> int:
        known = tree.nodes[node]
        return 0 if known.operator != "debug" else 1 + self._depth(tree, known.parents[0])

    def _close(self, tree: Tree) -> NodeId | None:
        """Among the incumbent and what comes close to it, the one whose worth is least known; None if none is close."""
        incumbent = tree.evidence(tree.incumbent)
        if incumbent is None:
            return None
        pending = {node.parents[0] for node in tree.open_nodes() if node.operator == "replicate"}
        close: list[NodeId] = []
        for node in tree.ranked()[:5]:
            evidence = tree.evidence(node)
            if evidence is None or evidence.artefact == incumbent.artefact or node == STARTER:
                continue
            gap, error = lead(evidence, incumbent, tree.direction)
            if gap > -1.0 * error and node not in pending:
                close.append(node)
        if not close:
            return None
        if tree.incumbent not in (STARTER, *pending):
            close.append(tree.incumbent)
        errors = {node: known.standard_error for node in close if (known := tree.evidence(node)) is not None}
        return max(errors, key=lambda node: (errors[node], -node))

    def _explore(self, tree: Tree, left: int, rng: np.random.Generator) -> Move:
        chances = {
            operator: float(rng.beta(wins, losses)) for operator, (wins, losses) in self._record.items()
        }
        operator = max(chances, key=lambda name: chances[name])
        if operator == "draft":
            parents: tuple[NodeId, ...] = ()
        else:
            best = self._best_of_families(tree)
            parent = self._parent(tree, best, rng)
            parents = (parent,)
            kin = [node for node in tree.ranked() if self._family(tree, node) == self._family(tree, parent)]
            others = [node for node in kin[:4] if tree.artefact(node) != tree.artefact(parent)]
            if operator == "combine" and others:
                parents = (parent, others[int(rng.integers(len(others)))])
            else:
                operator = "improve"
        return Move(
            operator=operator,
            parents=parents,
            evaluations_at_most=self._runs(left),
            why="Thompson sampling over operators, then over families",
            candidates={str(name): chance for name, chance in chances.items()},
        )

    def _rose(self, tree: Tree, node: NodeId, parent: NodeId) -> bool:
        """Whether a node is above its parent by more than the noise."""
        child, known = tree.evidence(node), tree.evidence(parent)
        if child is None or known is None:
            return False
        gap, error = lead(child, known, tree.direction)
        return gap > 1.5 * error

    def _best_of_families(self, tree: Tree) -> dict[str, NodeId]:
        """The best node of each family of ideas; the starter is one of its own."""
        best: dict[str, NodeId] = {}
        for node in (tree.incumbent, *tree.ranked()):
            best.setdefault(self._family(tree, node), node)
        return best

    def _family(self, tree: Tree, node: NodeId) -> str:
        hypothesis = tree.nodes[node].hypothesis if node != STARTER else None
        return hypothesis.family if hypothesis is not None else "starter"

    def _parent(self, tree: Tree, best: Mapping[str, NodeId], rng: np.random.Generator) -> NodeId:
        """Thompson sampling over families: what is the best that each may still yield?

        A family that was tried often without success is believed to have shown what it has.
        """
        merits = np.array([tree.merit(node) for node in tree.ranked()])
        spread = float(merits.std())
        hopes = {
            family: tree.merit(node)
            + CURIOSITY * spread * float(rng.normal()) / math.sqrt(1.0 + self._vain.get(family, 0))
            for family, node in best.items()
        }
        return best[max(hopes, key=lambda family: hopes[family])]
