"""What a search rule decides: which node comes next, how much evidence it deserves, what is handed in."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import msgspec
import numpy as np

from engine.errors import BadSpecification
from engine.messages import Argument, Bid, Motion, NodeId, Operator, Value, Vote
from roles.tree import Tree


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A node that should be made."""

    operator: Operator
    parents: tuple[NodeId, ...] = ()
    evaluations_at_most: int = 1
    """Of the first request for evidence."""
    proposals: int = 1
    """How many ideas are asked for, of which a debate picks the one that is tried."""
    why: str
    """The reason, in words."""
    candidates: dict[str, float] = {}
    """What else was considered, with its worth."""


class Rule(Protocol):
    """A search rule: it sees the tree and what is left, and does not act itself."""

    @property
    def reviews(self) -> bool:
        """Whether results go to a reviewer; else the better mean stands."""
        ...

    def next(self, tree: Tree, *, left: int, total: int, rng: np.random.Generator) -> Move | None:
        """The next node to make; None to begin no other.

        Args:
            tree: what is known, nodes under way included.
            left: evaluations neither spent nor promised; at least 1.
            total: evaluations of the whole episode.
            rng: a fresh stream.
        """
        ...

    def heard(self, tree: Tree, node: NodeId, *, is_better: bool) -> None:
        """Told when a node is closed, and whether it took the incumbent's place."""
        ...

    def final(self, tree: Tree) -> tuple[NodeId, str]:
        """The node that is handed in, and by which rule."""
        ...


@runtime_checkable
class Auctioneer(Rule, Protocol):
    """A rule that asks every function for a bid before it decides which node comes next."""

    def award(
        self, tree: Tree, bids: Sequence[Bid], *, left: int, total: int, rng: np.random.Generator
    ) -> Move:
        """The next node to make, given the bids that came. Arguments as of `Rule.next`."""
        ...


class Outcome(NamedTuple):
    """How a vote ended."""

    winner: NodeId
    why: str
    candidates: dict[str, float]
    """Votes for each candidate, and what each function said and voted."""


@runtime_checkable
class Chair(Rule, Protocol):
    """A rule under which choices are argued and voted on before they are made."""

    @property
    def votes_on_acceptance(self) -> bool:
        """Whether it is put to the vote, too, what takes the incumbent's place."""
        ...

    def count(
        self, motion: Motion, arguments: Sequence[Argument], votes: Sequence[Vote], *, default: NodeId
    ) -> Outcome:
        """The winner of a vote.

        Args:
            motion: what it was about.
            arguments: what was said, in the order in which it came.
            votes: what was voted, likewise.
            default: who wins where nobody votes.
        """
        ...


Settings = TypeVar("Settings", bound=msgspec.Struct)


def settings_of(kind: type[Settings], given: Mapping[str, Value], *, strategy: str) -> Settings:
    """A rule's settings, checked.

    Raises:
        BadSpecification: naming the setting and those there are.
    """
    known = kind.__struct_fields__
    for name in given:
        if name not in known:
            allowed = ", ".join(known) or "none"
            raise BadSpecification(
                "strategy.settings", f"{strategy} has no setting {name!r}; allowed: {allowed}"
            )
    try:
        return msgspec.convert(dict(given), type=kind)
    except msgspec.ValidationError as error:
        raise BadSpecification("strategy.settings", f"{strategy}: {error}") from error
