"""Best of n, a control: n independent drafts, the same number of runs each, the best mean is handed in."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
import numpy as np

from engine.messages import NodeId, Value
from roles.strategies.rule import Move, settings_of
from roles.tree import Tree


class BestOfNSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a budget is divided."""

    n: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Drafts; 0: half the budget's evaluations, so that each is run twice."""


class BestOfN:
    """Replicates without looking: what n drafts and a fair comparison give, no feedback used on the way."""

    reviews = False

    def __init__(self, settings: BestOfNSettings) -> None:
        self._settings = settings

    @classmethod
    def from_settings(cls, given: Mapping[str, Value]) -> "BestOfN":
        """The rule with a team's settings."""
        return cls(settings_of(BestOfNSettings, given, strategy="best-of-n"))

    def next(self, tree: Tree, *, left: int, total: int, rng: np.random.Generator) -> Move | None:  # noqa: ARG002 - one shape for all rules
        """Another draft, until there are n; then runs for whichever has had fewest."""
        n = min(self._settings.n or max(1, total // 2), total)
        drafts = [node.id for node in tree.nodes.values() if node.operator == "draft"]
        if len(drafts) < n:
            return Move(operator="draft", why=f"draft {len(drafts) + 1} of {n}")
        runs = {node: len(known.values) for node in drafts if (known := tree.evidence(node)) is not None}
        waiting = {node.parents[0] for node in tree.open_nodes() if node.operator == "replicate"}
        idle = {node: count for node, count in runs.items() if node not in waiting}
        if not idle:
            return None
        fewest = min(idle, key=lambda node: (idle[node], node))
        if idle[fewest] >= max(1, total // n):
            return None
        return Move(operator="replicate", parents=(fewest,), why="equal runs for every draft")

    def heard(self, tree: Tree, node: NodeId, *, is_better: bool) -> None:
        """Nothing is learnt before the end."""

    def final(self, tree: Tree) -> tuple[NodeId, str]:
        """The best mean among the drafts that have had as many runs as any."""
        return tree.ranked()[0], "best mean of n drafts with equal runs"
