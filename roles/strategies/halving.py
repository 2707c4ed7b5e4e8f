"""Successive halving over fidelities, asynchronous: the fidelity of a score is the number of runs it rests on.

Successive halving (Jamieson & Talwalkar 2016) gives many candidates few runs and the better part of them more. Waiting
for a rung to fill leaves workers idle, so this is its asynchronous form, ASHA (Li et al. 2020): whenever there is room,
a candidate in the best 1/η of its rung so far is promoted; where there is none, a new one enters at the bottom.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec
import numpy as np

from engine.messages import NodeId, Value
from roles.evidence import signed
from roles.strategies.rule import Move, settings_of
from roles.tree import OPEN, STARTER, Tree


class HalvingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ladder."""

    eta: Annotated[int, msgspec.Meta(ge=2)] = 2
    """One in so many is promoted, and gets so many times the runs."""
    rungs: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Above the lowest; 0: as many as one full ladder of them fits the budget."""
    runs: Annotated[int, msgspec.Meta(ge=1)] = 1
    """On the lowest rung."""


class SuccessiveHalving:
    """See the module. No reviewer is asked: who stands is a matter of rungs and means."""

    reviews = False

    def __init__(self, settings: HalvingSettings) -> None:
        self._settings = settings

    @classmethod
    def from_settings(cls, given: Mapping[str, Value]) -> "SuccessiveHalving":
        """The rule with a team's settings."""
        return cls(settings_of(HalvingSettings, given, strategy="successive-halving"))

    def fidelities(self, total: int) -> tuple[int, ...]:
        """Runs on each rung, lowest first, for a budget of so many evaluations."""
        eta, runs, rungs = self._settings.eta, self._settings.runs, self._settings.rungs
        while not self._settings.rungs and (rungs + 2) * runs * eta ** (rungs + 1) <= total:
            rungs += 1  # eta**rungs candidates spend as much on each rung as on the lowest
        return tuple(runs * eta**rung for rung in range(rungs + 1))

    def next(self, tree: Tree, *, left: int, total: int, rng: np.random.Generator) -> Move | None:  # noqa: ARG002 - one shape for all rules
        """A promotion, from the highest rung that has one; else a new candidate."""
        ladder = self.fidelities(total)
        for rung in range(len(ladder) - 2, -1, -1):
            scores = rung_scores(tree, ladder[rung])
            best = sorted(scores, key=lambda node: (-scores[node], node))[: len(scores) // self._settings.eta]
            for node in best:
                missing = ladder[rung + 1] - _runs(tree, node)
                if missing > 0 and not _is_occupied(tree, node):
                    return Move(
                        operator="replicate",
                        parents=(node,),
                        evaluations_at_most=min(missing, left),
                        why=(
                            f"among the best {len(best)} of {len(scores)} with {ladder[rung]} runs:"
                            f" promoted to {ladder[rung + 1]}"
                        ),
                        candidates={f"node {each}": scores[each] for each in scores},
                    )
        return Move(
            operator="draft",
            evaluations_at_most=min(ladder[0], left),
            why="nobody to promote: a new candidate",
        )

    def heard(self, tree: Tree, node: NodeId, *, is_better: bool) -> None:
        """Nothing to remember: the rungs are read from the tree."""

    def final(self, tree: Tree) -> tuple[NodeId, str]:
        """The best mean among those that have had as many runs as any; the starter, where none is better."""
        known = {node: _runs(tree, node) for node in _entrants(tree)}
        if not known:
            return STARTER, "nothing was measured"
        top = max(known.values())
        best = max(
            (node for node, runs in known.items() if runs == top), key=lambda node: (tree.merit(node), -node)
        )
        if tree.merit(best) < tree.merit(STARTER):
            return STARTER, "nothing with the most runs is better than the starter"
        return best, f"best mean among those with the most runs, {top}"


def rung_scores(tree: Tree, runs: int) -> dict[NodeId, float]:
    """Who has had so many runs, with the mean of the first so many (more is better)."""
    scores: dict[NodeId, float] = {}
    for node in _entrants(tree):
        known = tree.evidence(node)
        if known is not None and len(known.values) >= runs:
            scores[node] = signed(float(np.mean(known.values[:runs])), tree.direction)
    return scores


def _entrants(tree: Tree) -> list[NodeId]:
    """Candidates with scores, one for each artefact; what crossed a boundary, or broke when it was run again, is out."""
    out = {
        node.artefact
        for node in tree.nodes.values()
        if node.status == "failed" or (node.result is not None and node.result.failure)
    }
    return [node for node in tree.ranked() if node != STARTER and tree.artefact(node) not in out]


def _runs(tree: Tree, node: NodeId) -> int:
    known = tree.evidence(node)
    return 0 if known is None else len(known.values)


def _is_occupied(tree: Tree, node: NodeId) -> bool:
    """Whether its artefact is being run."""
    artefact = tree.artefact(node)
    return any(
        other.status in OPEN and (other.artefact == artefact or node in other.parents)
        for other in tree.nodes.values()
    )
