"""Interposers stand between a topic and its subscribers: ablations of communication that roles know nothing of."""

from collections import deque
from collections.abc import Sequence
from typing import Protocol, assert_never

import msgspec
import numpy as np

from engine.messages import AnyBody, Envelope, MemberId, Topic
from engine.team import Interposition


class Interposer(Protocol):
    """Decides what becomes of one copy of a message."""

    @property
    def topic(self) -> Topic:
        """The subject it stands before."""
        ...

    def pass_on(self, envelope: Envelope, to: MemberId) -> Sequence[Envelope]:
        """The messages that reach a subscriber in place of this one: none, one or several."""
        ...


def make_interposer(spec: Interposition, generator: np.random.Generator) -> Interposer:
    """The interposer that a team's specification asks for."""
    match spec.kind:
        case "mute":
            return Mute(spec.topic)
        case "drop":
            return Drop(spec.topic, spec.probability, generator)
        case "delay":
            return Delay(spec.topic, spec.messages)
        case "shuffle":
            return Shuffle(spec.topic, generator)
        case _:
            assert_never(spec.kind)


class Mute:
    """Nobody hears of the topic."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic

    def pass_on(self, envelope: Envelope, to: MemberId) -> Sequence[Envelope]:  # noqa: ARG002 - one shape for all
        """Nothing."""
        return ()


class Drop:
    """Each copy is lost with a probability."""

    def __init__(self, topic: Topic, probability: float, generator: np.random.Generator) -> None:
        self.topic, self._probability, self._generator = topic, probability, generator

    def pass_on(self, envelope: Envelope, to: MemberId) -> Sequence[Envelope]:  # noqa: ARG002 - one shape for all
        """The message, or nothing."""
        return () if self._generator.random() < self._probability else (envelope,)


class Delay:
    """Each subscriber hears of a message only after so many later ones were published."""

    def __init__(self, topic: Topic, messages: int) -> None:
        self.topic, self._messages = topic, messages
        self._held: dict[MemberId, deque[Envelope]] = {}

    def pass_on(self, envelope: Envelope, to: MemberId) -> Sequence[Envelope]:
        """The message that is due now, if one is."""
        held = self._held.setdefault(to, deque())
        held.append(envelope)
        return (held.popleft(),) if len(held) > self._messages else ()


class Shuffle:
    """A noise control: each message arrives with the content of a random one of those seen so far.

    As many messages arrive as without it, about the same nodes; what they say is about another one.
    """

    def __init__(self, topic: Topic, generator: np.random.Generator) -> None:
        self.topic, self._generator = topic, generator
        self._seen: dict[MemberId, list[AnyBody]] = {}

    def pass_on(self, envelope: Envelope, to: MemberId) -> Sequence[Envelope]:
        """The message with another's content."""
        seen = self._seen.setdefault(to, [])
        seen.append(envelope.body)
        other = seen[int(self._generator.integers(len(seen)))]
        node = getattr(envelope.body, "node", None)
        if type(other) is type(envelope.body) and node is not None:
            other = msgspec.structs.replace(other, node=node)
        return (msgspec.structs.replace(envelope, body=other),)
