"""Interposers stand between a topic and its subscribers: ablations of communication that roles know nothing of."""

from collections import deque
from collections.abc import Collection, Sequence
from typing import Protocol, assert_never

import msgspec
import numpy as np

from engine.blinding import blank
from engine.donors import load_donor
from engine.errors import EngineDefect
from engine.messages import AnyBody, Envelope, MemberId, NodeId, RunResult, Topic
from engine.store import ArtefactStore
from engine.team import Interposition


class Interposer(Protocol):
    """Decides what becomes of one copy of a message."""

    @property
    def topic(self) -> Topic | None:
        """The subject it stands before; None: every one."""
        ...

    def pass_on(self, envelope: Envelope, to: MemberId) -> Sequence[Envelope]:
        """The messages that reach a subscriber in place of this one: none, one or several."""
        ...


def make_interposer(  # noqa: PLR0911 - a case a kind
    spec: Interposition, generator: np.random.Generator, store: ArtefactStore | None = None
) -> Interposer:
    """The interposer that a team's specification asks for.

    Args:
        spec: which.
        generator: its draws.
        store: where a placebo's donor is kept.

    Raises:
        BadSpecification: the store does not have the donor.
    """
    match spec.kind:
        case "mute":
            return Mute(spec.topic)
        case "drop":
            return Drop(spec.topic, spec.probability, generator)
        case "delay":
            return Delay(spec.topic, spec.messages)
        case "shuffle":
            return Shuffle(spec.topic, generator)
        case "blind":
            return Blind(spec.topic, role=spec.role, field=spec.field)
        case "placebo":
            if store is None:
                raise EngineDefect("a placebo needs the store that its donor is kept in")
            return Placebo(spec.topic, load_donor(store, spec.donor))
        case "topology":
            return Topology(spec.edges)
        case _:
            assert_never(spec.kind)


def role_of(member: MemberId) -> str:
    """The role that a member is a replica of."""
    return member.partition(".")[0]


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


class Blind:
    """A role hears nothing of a topic, or a field of its messages arrives blanked.

    Args:
        topic: the subject.
        role: whose copies; empty: everybody's.
        field: what is blanked; empty: nothing arrives.
    """

    def __init__(self, topic: Topic, *, role: str, field: str) -> None:
        self.topic, self._role, self._field = topic, role, field

    def pass_on(self, envelope: Envelope, to: MemberId) -> Sequence[Envelope]:
        """The message as it is, blanked, or nothing."""
        if self._role and role_of(to) != self._role:
            return (envelope,)
        return (blank(envelope, self._field),) if self._field else ()


class Topology:
    """Who hears whom, on every topic. Whoever is in no edge at all (the strategy, the runtime) is heard by everyone."""

    topic = None

    def __init__(self, edges: Collection[tuple[str, str]]) -> None:
        self._edges = frozenset(edges)
        self._bound = {role for edge in edges for role in edge}

    def pass_on(self, envelope: Envelope, to: MemberId) -> Sequence[Envelope]:
        """The message, where an edge leads from its sender to this subscriber."""
        speaker, hearer = role_of(envelope.sender), role_of(to)
        is_free = speaker not in self._bound or hearer not in self._bound
        return (envelope,) if is_free or speaker == hearer or (speaker, hearer) in self._edges else ()


class Placebo:
    """As many messages arrive, of the same types and of about the same lengths: they are another episode's.

    In place of a message comes the donor's message of its type whose length is closest, among those that this
    subscriber has heard least often; the node is this message's. Lengths are those of the body in JSON, since every
    model counts tokens in its own way. Where the donor has none of the type, nothing arrives.
    """

    def __init__(self, topic: Topic, donor: Sequence[AnyBody]) -> None:
        self.topic = topic
        self._donor = [(_length(body), body) for body in donor]
        self._heard: dict[MemberId, list[int]] = {}

    def pass_on(self, envelope: Envelope, to: MemberId) -> Sequence[Envelope]:
        """Another episode's message."""
        heard = self._heard.setdefault(to, [0] * len(self._donor))
        wanted, kind = _length(envelope.body), type(envelope.body)
        fitting = [place for place, (_, body) in enumerate(self._donor) if type(body) is kind]
        if not fitting:
            return ()
        place = min(fitting, key=lambda n: (heard[n], abs(self._donor[n][0] - wanted), n))
        heard[place] += 1
        other = _about(self._donor[place][1], getattr(envelope.body, "node", None))
        return (msgspec.structs.replace(envelope, body=other),)


def _about(body: AnyBody, node: NodeId | None) -> AnyBody:
    """The same said about another node."""
    if node is None:
        return body
    if isinstance(body, RunResult) and body.evidence is not None:
        body = msgspec.structs.replace(body, evidence=msgspec.structs.replace(body.evidence, node=node))
    return msgspec.structs.replace(body, node=node)


def _length(body: AnyBody) -> int:
    return len(msgspec.json.encode(body))


class Later:
    """An interposer that begins with an empty memory after a message: what came before passes as it was.

    Args:
        inner: what begins.
        after: the last message that it does not see.
    """

    def __init__(self, inner: Interposer, *, after: int) -> None:
        self._inner, self._after = inner, after
        self.topic = inner.topic

    def pass_on(self, envelope: Envelope, to: MemberId) -> Sequence[Envelope]:
        """What the inner one makes of it, once it has begun."""
        return (envelope,) if envelope.seq <= self._after else self._inner.pass_on(envelope, to)


class Counted:
    """An interposer whose deeds are counted, so that the record can tell of them.

    Attributes:
        copies: that came to it.
        withheld: of which nothing arrived at that moment.
        changed: of which something else arrived.
    """

    def __init__(self, inner: Interposer) -> None:
        self._inner = inner
        self.topic = inner.topic
        self.copies = self.withheld = self.changed = 0

    def pass_on(self, envelope: Envelope, to: MemberId) -> Sequence[Envelope]:
        """What the inner one makes of it."""
        passed = self._inner.pass_on(envelope, to)
        self.copies += 1
        if not passed:
            self.withheld += 1
        elif len(passed) != 1 or passed[0] != envelope:
            self.changed += 1
        return passed

    def counts(self) -> dict[str, float]:
        """What it did so far."""
        return {
            "copies": float(self.copies),
            "withheld": float(self.withheld),
            "changed": float(self.changed),
        }
