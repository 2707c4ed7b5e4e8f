"""Where a call is made: what lets a model tell calls apart that ask the same."""

from typing import Protocol, runtime_checkable

import msgspec

from engine.models.interface import Model


class CallSite(msgspec.Struct, frozen=True, kw_only=True):
    """The place of a call within a study.

    Attributes:
        episode: its name, which holds the block (task and seeds), the arm and, in a fork, where it leaves its origin.
        member: who asks.
        ordinal: of the call among all effects of the member, from 1.
    """

    episode: str
    member: str
    ordinal: int

    def __str__(self) -> str:
        return f"{self.episode}, {self.member}, effect {self.ordinal}"


@runtime_checkable
class Sited(Protocol):
    """A model whose answers may depend on where it is asked from: a cache, a recorder, a replay."""

    def at(self, site: CallSite) -> Model:
        """The same model as it answers there; cheap, and without state of its own."""
        ...


def at_site(model: Model, site: CallSite) -> Model:
    """A model as it answers at a place; most answer alike everywhere."""
    return model.at(site) if isinstance(model, Sited) else model
