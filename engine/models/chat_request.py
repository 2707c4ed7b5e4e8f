"""From a conversation to the body of a Chat Completions request."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from engine.errors import BadSpecification
from engine.models.endpoint import Endpoint
from engine.models.interface import (
    AssistantMessage,
    Conversation,
    Message,
    NamedTool,
    Settings,
    SystemMessage,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMessage,
    UserMessage,
)

_BAD_IN_NAME = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME = 64
_encode = msgspec.json.Encoder().encode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def request_body(
    conversation: Conversation,
    *,
    model: str,
    endpoint: Endpoint,
    tools: Sequence[Tool],
    settings: Settings,
) -> bytes:
    """The JSON body that asks `model` (without its provider) to continue a conversation.

    Raises:
        BadSpecification: a tool's schema is not a JSON object.
        UnicodeEncodeError: a text holds half a surrogate pair.
    """
    body: dict[str, object] = {"model": model, "messages": [_message(message) for message in conversation]}
    if tools:
        body["tools"] = [_tool(tool) for tool in tools]
        body["tool_choice"] = _tool_choice(settings.tool_choice)
    body.update(_sampling(settings, endpoint))
    body.update(_decode_object(endpoint.extra_body))
    return _encode(body)


def _sampling(settings: Settings, endpoint: Endpoint) -> Mapping[str, object]:
    fields: dict[str, object] = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        endpoint.max_tokens_field: settings.max_tokens,
        "seed": settings.seed if endpoint.sends_seed else None,
        "stop": settings.stop or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _message(message: Message) -> Mapping[str, object]:
    match message:
        case SystemMessage(text=text):
            return {"role": "system", "content": text}
        case UserMessage(text=text):
            return {"role": "user", "content": text}
        case AssistantMessage(text=text, tool_calls=()):
            return {"role": "assistant", "content": text}
        case AssistantMessage(text=text, tool_calls=calls):
            return {
                "role": "assistant",
                "content": text or None,
                "tool_calls": [_call(call) for call in calls],
            }
        case ToolMessage(call_id=call_id, text=text):
            return {"role": "tool", "tool_call_id": call_id, "content": text}


def _call(call: ToolCall) -> Mapping[str, object]:
    function = {"name": _sendable_name(call.name), "arguments": _sendable_arguments(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def _sendable_name(name: str) -> str:
    # A name that the model made up would make the endpoint refuse the whole conversation from then on.
    return _BAD_IN_NAME.sub("_", name)[:_LONGEST_NAME] or "unnamed"


def _sendable_arguments(arguments: str) -> str:
    # Some servers (vLLM) parse the arguments of earlier calls and refuse a conversation with a malformed one,
    # which would leave the model no way to mend its mistake.
    try:
        _decode_object(arguments)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _encode({"malformed_arguments": arguments}).decode()
    return arguments


def _tool(tool: Tool) -> Mapping[str, object]:
    try:
        parameters = _decode_object(tool.parameters)
    except msgspec.MsgspecError as error:
        raise BadSpecification(
            f"tool {tool.name}", f"its parameters are not a JSON object: {error}"
        ) from error
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


def _tool_choice(choice: ToolChoice) -> object:
    if isinstance(choice, NamedTool):
        return {"type": "function", "function": {"name": choice.name}}
    return choice
