"""JSON as it goes to endpoints: schemas that must be objects, arguments that may be anything, names that are sent."""

import re
from collections.abc import Mapping
from typing import cast

import msgspec

from engine.errors import BadSpecification

_BAD_IN_NAME = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME = 64
_encode = msgspec.json.Encoder().encode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def object_of(text: str, *, where: str, what: str) -> Mapping[str, msgspec.Raw]:
    """The fields of a JSON object, each as it was written.

    Raises:
        BadSpecification: the text is not a JSON object.
    """
    try:
        return _decode_object(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BadSpecification(where, f"its {what} not a JSON object: {error}") from error


def sendable_name(name: str) -> str:
    """A tool's name that every endpoint takes.

    One that the model made up would make the endpoint refuse the whole conversation from then on.
    """
    return _BAD_IN_NAME.sub("_", name)[:_LONGEST_NAME] or "unnamed"


def sendable_arguments(arguments: str) -> str:
    """Arguments of an earlier call as a JSON object.

    Some servers (vLLM) parse them and refuse a conversation with a malformed one, which would leave the model no
    way to mend its mistake.
    """
    try:
        _decode_object(arguments)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _encode({"malformed_arguments": arguments}).decode()
    return arguments


def is_strict(schema: object) -> bool:
    """Whether a JSON schema is one that "strict" structured output takes.

    Every object in it must list all its properties as required and allow no others.
    """
    if isinstance(schema, list):
        return all(is_strict(each) for each in cast("list[object]", schema))
    if not isinstance(schema, dict):
        return True
    fields = cast("dict[str, object]", schema)
    properties = fields.get("properties")
    if isinstance(properties, dict) or fields.get("type") == "object":
        names = set(cast("dict[str, object]", properties or {}))
        required = fields.get("required", [])
        listed = set(cast("list[str]", required)) if isinstance(required, list) else set[str]()
        if fields.get("additionalProperties") is not False or names != listed:
            return False
    return all(is_strict(each) for each in fields.values())
