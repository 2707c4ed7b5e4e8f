"""Steady-state evolution: tournaments, crossover, and death by age.

Regularised evolution (Real, Aggarwal, Huang & Le 2019): a population of fixed size, the parent is the best of a random
sample of it, and with every child the *oldest* dies, not the worst, so that a lucky score does not live for ever. There
are no generations (Syswerda 1991): a child is made whenever there is room for one in flight, from whoever lives then.
Crossover (the operator *combine*) takes each axis from one of two parents.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
import numpy as np

from engine.messages import NodeId, Value
from roles.strategies.rule import Move, settings_of
from roles.tree import OPEN, Tree


class EvolutionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a population lives."""

    population: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many live; 0: a third of the budget, 4 to 16."""
    tournament: Annotated[int, msgspec.Meta(ge=1)] = 3
    """Of how many the best becomes a parent."""
    crossover: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.5
    """Probability that a child has two parents; else it is one parent, improved."""
    replications: Annotated[int, msgspec.Meta(ge=1)] = 1
    """Most evaluations that one request for evidence may take."""


class Evolution:
    """See the module."""

    reviews = True

    def __init__(self, settings: EvolutionSettings) -> None:
        self._settings = settings

    @classmethod
    def from_settings(cls, given: Mapping[str, Value]) -> "Evolution":
        """The rule with a team's settings."""
        return cls(settings_of(EvolutionSettings, given, strategy="evolution"))

    def next(self, tree: Tree, *, left: int, total: int, rng: np.random.Generator) -> Move | None:
        """Founders first; then a child of tournament winners."""
        size = min(self._settings.population or min(16, max(4, total // 3)), total)
        at_most = max(1, min(self._settings.replications, left))
        founders = sum(node.operator == "draft" for node in tree.nodes.values())
        living = population(tree, size)
        if founders < size or not living:
            return Move(
                operator="draft", evaluations_at_most=at_most, why=f"founder {founders + 1} of {size}"
            )
        wants_two = bool(rng.random() < self._settings.crossover)
        mother, sampled = self._tournament(tree, living, rng)
        others = [node for node in living if node != mother]
        if wants_two and others:
            father, more = self._tournament(tree, others, rng)
            return Move(
                operator="combine",
                parents=(mother, father),
                evaluations_at_most=at_most,
                why=f"crossover of two tournament winners among the {len(living)} that live",
                candidates={**sampled, **more},
            )
        return Move(
            operator="improve",
            parents=(mother,),
            evaluations_at_most=at_most,
            why=f"mutation of a tournament winner among the {len(living)} that live",
            candidates=sampled,
        )

    def heard(self, tree: Tree, node: NodeId, *, is_better: bool) -> None:
        """Nothing to remember: who lives is read from the tree."""

    def final(self, tree: Tree) -> tuple[NodeId, str]:
        """The incumbent: what the last accepting review left standing, living or not."""
        return tree.incumbent, "the last accepted node"

    def _tournament(
        self, tree: Tree, living: Sequence[NodeId], rng: np.random.Generator
    ) -> tuple[NodeId, dict[str, float]]:
        """The best of a random sample, and the sample with its merits."""
        size = min(self._settings.tournament, len(living))
        sample = [living[int(place)] for place in rng.choice(len(living), size=size, replace=False)]
        winner = max(sample, key=lambda node: (tree.merit(node), -node))
        return winner, {f"node {node}": tree.merit(node) for node in sorted(sample)}


def population(tree: Tree, size: int) -> tuple[NodeId, ...]:
    """Who lives: the youngest so many with a score, one for each artefact, oldest first."""
    born: dict[object, NodeId] = {}
    for node in tree.nodes.values():
        is_over = node.status not in ("failed", *OPEN) and node.operator != "replicate"
        if is_over and node.artefact not in tree.barred and tree.evidence(node.id) is not None:
            born.setdefault(node.artefact, node.id)
    return tuple(sorted(born.values())[-size:])
