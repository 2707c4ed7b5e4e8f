"""What a member does: functions, each the server of one kind of request, and the loop that serves them.

A member has one function, or several where roles were merged. Roles learn only from what reaches them: requests, and
copies of what others published. A function's own answers are told to the other functions of its member directly, since
the bus never sends a member a copy of its own words.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from engine.member import Behaviour, Member
from engine.messages import (
    ARGUMENTS,
    CODE,
    EXPERIMENT,
    HYPOTHESES,
    HYPOTHESIZE,
    PATCHES,
    RESULTS,
    REVIEW,
    REVIEWS,
    AnyBody,
    Argument,
    Bid,
    Envelope,
    Queue,
    Topic,
    Vote,
)

ANSWERS: dict[Queue, Topic] = {HYPOTHESIZE: HYPOTHESES, CODE: PATCHES, EXPERIMENT: RESULTS, REVIEW: REVIEWS}
"""The topic on which the answers of each function are published."""


class Function(Protocol):
    """Serves the requests of one queue and watches some topics. One request at a time."""

    @property
    def queue(self) -> Queue:
        """What it serves."""
        ...

    @property
    def topics(self) -> tuple[Topic, ...]:
        """What it wants copies of."""
        ...

    async def answer(self, request: Envelope) -> AnyBody:
        """The answer to a request of its queue."""
        ...

    def observe(self, body: AnyBody) -> None:
        """Take note of what was published on one of its topics. Hearing something twice must do no harm."""
        ...


MakeFunctions: TypeAlias = Callable[[Member], Sequence[Function]]
"""Makes functions with an empty memory for a member that starts (or starts again)."""


def serve(make_functions: MakeFunctions) -> Behaviour:
    """The behaviour of a member with these functions: answer requests, and remember what was published."""

    async def behave(member: Member) -> None:
        functions = {function.queue: function for function in make_functions(member)}
        while True:
            await serve_one(member, functions, await member.receive())

    return behave


async def serve_one(
    member: Member, functions: Mapping[Queue, Function], envelope: Envelope
) -> AnyBody | None:
    """Answer a request, or take note of what was published; the answer, where there was one to give."""
    function = functions.get(Queue(envelope.to)) if envelope.to is not None and not envelope.cause else None
    if function is None:
        _tell(functions, envelope.body, envelope.topic)
        return None
    answer = await function.answer(envelope)
    topic = topic_of(function.queue, answer)
    _tell(functions, answer, topic)
    await member.reply(envelope, answer, topic=topic)
    return answer


def topic_of(queue: Queue, answer: AnyBody) -> Topic | None:
    """Where an answer of a function is published: opinions have a topic of their own, votes and bids are secret."""
    if isinstance(answer, Argument):
        return ARGUMENTS
    return None if isinstance(answer, Vote | Bid) else ANSWERS.get(queue)


def _tell(functions: Mapping[Queue, Function], body: AnyBody, topic: Topic | None) -> None:
    for function in functions.values():
        if topic in function.topics:
            function.observe(body)
