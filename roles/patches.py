"""Patches on a team, as values. `roles.patch_text` reads and writes them, `roles.ablation` applies them."""

from typing import Literal, TypeAlias

import msgspec

from engine.messages import Topic, Value
from engine.team import Policy


class _Patch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every patch; the tag is the class's name."""


class Remove(_Patch, frozen=True, tag=True):
    """Take a role away: its function is gone (vacuous), or another member does it (absorbed)."""

    role: str
    into: str | None = None
    """The role that takes the function over; None: nobody does, and its vacuous form stands in."""


class Merge(_Patch, frozen=True, tag=True):
    """Give one member what another does; the same as its removal in the absorbed sense."""

    role: str
    into: str


class Replace(_Patch, frozen=True, tag=True):
    """Let another policy drive a role."""

    role: str
    policy: Policy
    model: str | None = None
    """For ``model``: ``provider/name``; None: the episode's."""


class Duplicate(_Patch, frozen=True, tag=True):
    """Let a role have so many members."""

    role: str
    replicas: int


class Interpose(_Patch, frozen=True, tag=True):
    """Do something to the copies of messages on a topic."""

    kind: Literal["mute", "shuffle", "drop", "delay"]
    topic: Topic
    amount: float = 0.0
    """For ``drop`` the probability, for ``delay`` the number of messages."""


class Blind(_Patch, frozen=True, tag=True):
    """Let a role hear nothing of a topic, or let a field of a topic's messages arrive blanked."""

    topic: Topic
    role: str = ""
    """Who is blinded; empty: everybody."""
    field: str = ""
    """What is blanked (``sender``, or a field of the message); empty: nothing arrives, and a role is named."""


class Placebo(_Patch, frozen=True, tag=True):
    """Let another episode's messages of like type and length arrive in place of a topic's."""

    topic: Topic
    donor: str
    """SHA-256 (hex) of the donor's messages; see `engine.donors`."""


Shape: TypeAlias = Literal["star", "ring", "chain", "complete", "edges"]


class Rewire(_Patch, frozen=True, tag=True):
    """Who hears whom among the members of the team. The strategy is heard by everyone."""

    shape: Shape
    hub: str = ""
    """For ``star``: the role that hears everyone and that everyone hears."""
    edges: tuple[tuple[str, str], ...] = ()
    """For ``edges``: (who speaks, who hears it)."""


class SwapModel(_Patch, frozen=True, tag=True):
    """Let another model drive a role that a model drives."""

    role: str
    model: str
    """``provider/name``."""


class Strategy(_Patch, frozen=True, tag=True):
    """Let another strategy lead, with its default settings where none are given."""

    name: str
    settings: dict[str, Value] = {}


Patch: TypeAlias = (
    Remove | Merge | Replace | Duplicate | Interpose | Blind | Placebo | Rewire | SwapModel | Strategy
)
