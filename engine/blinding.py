"""What a message looks like with a field of it blanked: still of its type, and silent about that one thing."""

from functools import cache
from typing import cast

import msgspec
from msgspec import inspect

from engine.errors import BadSpecification, UnknownName
from engine.messages import (
    ARGUMENTS,
    HYPOTHESES,
    NOTES,
    PATCHES,
    RESULTS,
    REVIEWS,
    SELECTIONS,
    Argument,
    Body,
    Envelope,
    Hypothesis,
    MemberId,
    Note,
    Patch,
    Review,
    RunResult,
    Selection,
    Topic,
)

SENDER = "sender"
"""The one field of the envelope that can be blanked: who a message is from."""
SOMEBODY = MemberId("somebody")
"""Who a message is from, where that is not told."""
BODIES: dict[Topic, type[Body]] = {
    HYPOTHESES: Hypothesis,
    PATCHES: Patch,
    RESULTS: RunResult,
    REVIEWS: Review,
    SELECTIONS: Selection,
    ARGUMENTS: Argument,
    NOTES: Note,
}
"""What is published on each topic."""


def blankable(topic: Topic) -> tuple[str, ...]:
    """The fields of a topic's messages that can arrive blanked. The node that it is about cannot, nor a verdict."""
    return (SENDER, *_blanks(topic))


def check_blankable(topic: Topic, field: str) -> None:
    """Refuse a field that is none, or that has no blank.

    Raises:
        UnknownName: with what was probably meant.
        BadSpecification: for one without a blank.
    """
    if field in blankable(topic):
        return
    if topic in BODIES and field in BODIES[topic].__struct_fields__:
        raise BadSpecification(
            f"{topic}.{field}", f"it has no blank; those that do are {', '.join(blankable(topic))}"
        )
    raise UnknownName(f"field of {topic}", field, blankable(topic))


def blank(envelope: Envelope, field: str) -> Envelope:
    """The message without what a field says; a body that has no such field is left as it is."""
    if field == SENDER:
        return msgspec.structs.replace(envelope, sender=SOMEBODY)
    blanks = _blanks(envelope.topic) if envelope.topic is not None else {}
    if field not in blanks or not isinstance(envelope.body, BODIES[cast("Topic", envelope.topic)]):
        return envelope
    return msgspec.structs.replace(
        envelope, body=msgspec.structs.replace(envelope.body, **{field: blanks[field]})
    )


@cache
def _blanks(topic: Topic) -> dict[str, object]:
    if topic not in BODIES:
        return {}
    info = inspect.type_info(BODIES[topic])
    assert isinstance(info, inspect.StructType)  # every body is one
    found: dict[str, object] = {}
    for field in info.fields:
        nothing = _nothing(field)
        if nothing is not msgspec.UNSET:
            found[field.name] = nothing
    return found


def _nothing(field: inspect.Field) -> object:  # noqa: PLR0911 - a case a type
    """What says nothing in a field: its absence, an empty text or list, zero; unset where nothing does."""
    kinds = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
    if any(isinstance(kind, inspect.NoneType) for kind in kinds):
        return None
    match field.type:
        case inspect.StrType():
            return ""
        case inspect.VarTupleType():
            return ()
        case inspect.FloatType():
            return 0.0
        case inspect.BoolType():
            return False
        case inspect.LiteralType() if field.default is not msgspec.NODEFAULT:
            return cast("object", field.default)
        case _:
            return msgspec.UNSET
