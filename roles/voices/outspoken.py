"""A function with a voice: it does its work as before, and answers where it is asked for its opinion."""

from collections.abc import Sequence
from typing import Protocol

from engine.blinding import BODIES
from engine.messages import AnyBody, BidRequest, Envelope, Motion, Queue, Topic
from roles.functions import Function


class Voice(Protocol):
    """Speaks for one function where a strategy asks for arguments, votes or bids."""

    def observe(self, body: AnyBody) -> None:
        """Take note of what its function said, was asked to do, or heard on a topic."""
        ...

    async def speak(self, asked: Motion | BidRequest) -> AnyBody:
        """An `Argument` or a `Vote` on a motion, a `Bid` on a request for one."""
        ...


class Outspoken:
    """A function and its voice, as one function.

    Args:
        inner: the function; it hears no more than it would alone.
        voice: its voice, which hears everything.
        topics: what the voice listens to.
    """

    def __init__(self, inner: Function, voice: Voice, topics: Sequence[Topic]) -> None:
        self._inner, self._voice = inner, voice
        self._topics = tuple(dict.fromkeys((*inner.topics, *topics)))

    def speaking_for(self, function: Function) -> "Outspoken":
        """The same voice for another function of the queue."""
        return Outspoken(function, self._voice, self._topics)

    @property
    def queue(self) -> Queue:
        """The function's."""
        return self._inner.queue

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The function's and its voice's."""
        return self._topics

    def observe(self, body: AnyBody) -> None:
        """Take note of what was published; the function only of what it watches itself."""
        self._voice.observe(body)
        if any(isinstance(body, BODIES[topic]) for topic in self._inner.topics):
            self._inner.observe(body)

    async def answer(self, request: Envelope) -> AnyBody:
        """An opinion where one is asked for, else the function's answer."""
        self._voice.observe(request.body)
        if isinstance(request.body, Motion | BidRequest):
            said = await self._voice.speak(request.body)
        else:
            said = await self._inner.answer(request)
        self._voice.observe(said)
        return said
