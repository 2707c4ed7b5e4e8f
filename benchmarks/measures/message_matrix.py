"""Who speaks to whom: messages by sender, receiver and kind, and how dense the net of them is."""

from typing import Literal, TypeAlias

import msgspec

from benchmarks.measures.episode_record import EpisodeRecord
from benchmarks.measures.listeners import lets_pass
from engine.bus import RUNTIME
from engine.messages import MemberId

BYTES_PER_TOKEN = 4
"""Customary for English text and common tokenizers; good to a factor of two."""
Way: TypeAlias = Literal["addressed", "copy"]


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """All messages of one kind from one member to another."""

    sender: MemberId
    receiver: MemberId
    kind: str
    """Name of the body."""
    way: Way
    """``addressed``: sent to the member, or taken by it from its queue. ``copy``: heard on a topic."""
    messages: int
    bytes: int
    """Of the bodies as JSON."""


class MessageMatrix(msgspec.Struct, frozen=True, kw_only=True):
    """The flows of an episode; what the runtime says is left out."""

    members: tuple[MemberId, ...]
    flows: tuple[Flow, ...]
    posted: int
    """Messages that members published, each once however many heard it."""
    bytes: int
    untaken: int
    """Addressed messages that nobody took."""
    density: float | None
    """Of addressed messages."""
    density_with_copies: float | None

    @property
    def tokens(self) -> float:
        """Rough size of all that was published: an estimate at four bytes a token, not a count."""
        return self.bytes / BYTES_PER_TOKEN

    def between(self, *, way: Way | None = None) -> dict[tuple[MemberId, MemberId], int]:
        """Messages by (sender, receiver), over all kinds; pairs without one are absent."""
        counts: dict[tuple[MemberId, MemberId], int] = {}
        for flow in self.flows:
            if way is None or flow.way == way:
                pair = (flow.sender, flow.receiver)
                counts[pair] = counts.get(pair, 0) + flow.messages
        return counts


def message_matrix(record: EpisodeRecord) -> MessageMatrix:
    """The sender by receiver matrix of an episode, and its density.

    Density is the share of ordered pairs of different members between which at least one message went: ties / (n (n -
    1)) for n members (Wasserman & Faust 1994, section 4.3, for directed graphs); None for fewer than two members.
    Copies are counted as published, before interposers changed single ones; muted topics have none.
    """
    found: dict[tuple[MemberId, MemberId, str, Way], tuple[int, int]] = {}
    posted = size = untaken = 0
    for message in record.messages:
        if message.sender == RUNTIME:
            continue
        body = len(msgspec.json.encode(message.body))
        posted, size = posted + 1, size + body
        kind = type(message.body).__name__
        heard: list[tuple[MemberId, Way]] = []
        if message.receiver is not None:
            heard.append((message.receiver, "addressed"))
        elif message.to is not None:
            untaken += 1
        for listener in record.listeners.get(message.topic, ()) if message.topic is not None else ():
            passes = record.spec is None or lets_pass(record.spec.team, message.sender, listener)
            if passes and listener not in (message.sender, message.receiver):
                heard.append((listener, "copy"))
        for receiver, way in heard:
            key = (message.sender, receiver, kind, way)
            count, total = found.get(key, (0, 0))
            found[key] = (count + 1, total + body)
    flows = tuple(
        Flow(sender=sender, receiver=receiver, kind=kind, way=way, messages=count, bytes=total)
        for (sender, receiver, kind, way), (count, total) in sorted(found.items())
    )
    return MessageMatrix(
        members=record.members,
        flows=flows,
        posted=posted,
        bytes=size,
        untaken=untaken,
        density=_density(record, [flow for flow in flows if flow.way == "addressed"]),
        density_with_copies=_density(record, flows) if record.spec is not None else None,
    )


def _density(record: EpisodeRecord, flows: "list[Flow] | tuple[Flow, ...]") -> float | None:
    n = len(record.members)
    ties = {(flow.sender, flow.receiver) for flow in flows if flow.sender != flow.receiver}
    return len(ties) / (n * (n - 1)) if n > 1 else None
