"""From a conversation to the body of a Chat Completions request."""

import base64
from collections.abc import Mapping, Sequence

import msgspec

from engine.models.endpoint import Endpoint
from engine.models.interface import (
    AssistantMessage,
    Conversation,
    Image,
    Message,
    NamedTool,
    Reasoning,
    Settings,
    SystemMessage,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMessage,
    UserMessage,
)
from engine.models.json_text import is_strict, object_of, sendable_arguments, sendable_name

_encode = msgspec.json.Encoder().encode


def request_body(
    conversation: Conversation,
    *,
    model: str,
    endpoint: Endpoint,
    tools: Sequence[Tool],
    settings: Settings,
    stream: bool = False,
) -> bytes:
    """The JSON body that asks `model` (without its provider) to continue a conversation.

    Raises:
        BadSpecification: a tool's or response's schema is not a JSON object.
        UnicodeEncodeError: a text holds half a surrogate pair.
    """
    messages = [_message(message, endpoint) for message in conversation]
    body: dict[str, object] = {"model": model, "messages": messages}
    if tools:
        body["tools"] = [_tool(tool) for tool in tools]
        body["tool_choice"] = _tool_choice(settings.tool_choice)
    body.update(_sampling(settings, endpoint))
    if settings.response_schema is not None:
        _ask_for_schema(body, messages, settings.response_schema, endpoint)
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    body.update(object_of(endpoint.extra_body, where=f"endpoint {endpoint.name}", what="extra_body is"))
    return _encode(body)


def data_url(image: Image) -> str:
    """An image as the text of a ``data:`` URL."""
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"


def _sampling(settings: Settings, endpoint: Endpoint) -> Mapping[str, object]:
    fields: dict[str, object] = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        endpoint.max_tokens_field: settings.max_tokens,
        "seed": settings.seed if endpoint.sends_seed else None,
        "stop": settings.stop or None,
        "logprobs": True if settings.logprobs is not None else None,
        "top_logprobs": settings.logprobs or None,
    }
    if settings.reasoning_effort is not None:
        match endpoint.reasoning_effort_as:
            case "reasoning_effort":
                fields["reasoning_effort"] = settings.reasoning_effort
            case "reasoning":
                fields["reasoning"] = {"effort": settings.reasoning_effort}
            case "nothing":
                pass
    return {name: value for name, value in fields.items() if value is not None}


def _ask_for_schema(
    body: dict[str, object], messages: list[Mapping[str, object]], schema: str, endpoint: Endpoint
) -> None:
    fields = object_of(schema, where="settings", what="response_schema is")
    if endpoint.response_format == "json_schema":
        is_held = is_strict(msgspec.json.decode(schema))
        named = {"name": "answer", "schema": fields, "strict": is_held}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
        return
    if endpoint.response_format == "json_object":
        body["response_format"] = {"type": "json_object"}
    messages.append(
        {"role": "system", "content": f"Answer with one JSON object that follows this JSON schema: {schema}"}
    )


def _message(message: Message, endpoint: Endpoint) -> Mapping[str, object]:
    match message:
        case SystemMessage(text=text):
            return {"role": "system", "content": text}
        case UserMessage(text=text, images=()):
            return {"role": "user", "content": text}
        case UserMessage(text=text, images=images):
            shown = [{"type": "image_url", "image_url": {"url": data_url(image)}} for image in images]
            return {"role": "user", "content": [*shown, {"type": "text", "text": text}]}
        case AssistantMessage(text=text, tool_calls=calls, reasoning=reasoning):
            return {
                "role": "assistant",
                "content": text if not calls else text or None,
                **({"tool_calls": [_call(call) for call in calls]} if calls else {}),
                **_thought_back(reasoning, endpoint),
            }
        case ToolMessage(call_id=call_id, text=text):
            return {"role": "tool", "tool_call_id": call_id, "content": text}


def _thought_back(reasoning: tuple[Reasoning, ...], endpoint: Endpoint) -> Mapping[str, object]:
    """What an endpoint wants to read again of what its model thought; many want nothing, and some refuse it."""
    own = [thought for thought in reasoning if thought.provider == endpoint.name]
    field = endpoint.reasoning_back_as
    if field is None or not own:
        return {}
    if field == "reasoning_details":
        details = [msgspec.Raw(thought.opaque.encode()) for thought in own if thought.opaque is not None]
        return {field: details} if details else {}
    return {field: "".join(thought.text for thought in own)}


def _call(call: ToolCall) -> Mapping[str, object]:
    function = {"name": sendable_name(call.name), "arguments": sendable_arguments(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def _tool(tool: Tool) -> Mapping[str, object]:
    parameters = object_of(tool.parameters, where=f"tool {tool.name}", what="parameters are")
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


def _tool_choice(choice: ToolChoice) -> object:
    if isinstance(choice, NamedTool):
        return {"type": "function", "function": {"name": choice.name}}
    return choice
