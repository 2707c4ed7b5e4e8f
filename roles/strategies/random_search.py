"""Random search, a control: independent drafts, one evaluation each, the best mean is handed in."""

from collections.abc import Mapping

import msgspec
import numpy as np

from engine.messages import NodeId, Value
from roles.strategies.rule import Move, settings_of
from roles.tree import Tree


class NoSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Random search has none."""


class RandomSearch:
    """See the module (Bergstra & Bengio 2012)."""

    reviews = False

    @classmethod
    def from_settings(cls, given: Mapping[str, Value]) -> "RandomSearch":
        """The rule; it has no settings."""
        settings_of(NoSettings, given, strategy="random")
        return cls()

    def next(self, tree: Tree, *, left: int, total: int, rng: np.random.Generator) -> Move | None:  # noqa: ARG002 - one shape for all rules
        """Another draft."""
        return Move(operator="draft", why="independent drafts while the budget lasts")

    def heard(self, tree: Tree, node: NodeId, *, is_better: bool) -> None:
        """Nothing is learnt."""

    def final(self, tree: Tree) -> tuple[NodeId, str]:
        """The best mean."""
        return tree.ranked()[0], "best mean feedback"
