"""Tool calls in plain JSON, for endpoints that know no tools: asked for by a schema, read with care."""

from collections.abc import Sequence
from typing import Any

import msgspec

from engine.models.interface import Tool, ToolCall


class Unreadable(ValueError):
    """Raised when an answer is no tool call; says why."""


class _Call(msgspec.Struct, frozen=True):
    tool: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class _Answer(msgspec.Struct, frozen=True):
    call: _Call


def schema_of(tools: Sequence[Tool]) -> str:
    """JSON schema (text) of an answer that calls one of these tools."""
    definitions: dict[str, Any] = {}
    calls: list[dict[str, Any]] = []
    for tool in tools:
        parameters: dict[str, Any] = msgspec.json.decode(tool.parameters)
        definitions |= parameters.pop("$defs", {})
        calls.append(
            {
                "type": "object",
                "properties": {"tool": {"enum": [tool.name]}, "arguments": parameters},
                "required": ["tool", "arguments"],
            }
        )
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"call": {"anyOf": calls}},
        "required": ["call"],
    }
    if definitions:
        schema["$defs"] = definitions
    return msgspec.json.encode(schema).decode()


def described(tools: Sequence[Tool]) -> str:
    """The tools in words, for a prompt."""
    return "\n".join(f"- {tool.name}: {tool.description} Arguments: {tool.parameters}" for tool in tools)


def read_call(text: str, *, ordinal: int) -> ToolCall:
    """The call that an answer makes: an object alone, in a code fence, or with words around it.

    Raises:
        Unreadable: saying what is wrong.
    """
    begin, end = text.find("{"), text.rfind("}")
    if begin < 0 or end < begin:
        raise Unreadable("there is no JSON object in it")
    whole = text[begin : end + 1]
    call: _Call
    try:
        call = msgspec.json.decode(whole, type=_Answer).call
    except (ValueError, RecursionError) as error:
        try:
            call = msgspec.json.decode(whole, type=_Call)
        except (ValueError, RecursionError):
            raise Unreadable(str(error)) from error
    return ToolCall(id=f"json-{ordinal}", name=call.tool, arguments=bytes(call.arguments).decode())
