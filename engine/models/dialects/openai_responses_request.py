"""From a conversation to the body of a Responses request: items, and nothing kept at the provider (``store`` off)."""

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from engine.models.dialects.openai_chat_request import data_url
from engine.models.dialects.openai_responses_answer import Thought
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
from engine.models.json_text import is_strict, object_of, sendable_arguments, sendable_name

_REASONS = re.compile(r"(^|/)(o\d|gpt-5|gpt-oss|codex)(?!.*chat)")
"""Models that think; asking others for encrypted reasoning is refused."""
_encode = msgspec.json.Encoder().encode
_thought_decoder = msgspec.json.Decoder(Thought)


def request_body(
    conversation: Conversation,
    *,
    model: str,
    endpoint: Endpoint,
    tools: Sequence[Tool],
    settings: Settings,
    stream: bool,
) -> bytes:
    """The JSON body that asks `model` (without its provider) to continue a conversation.

    `Settings.seed` and `Settings.stop` have no place in this dialect and are not sent.

    Raises:
        BadSpecification: a tool's or response's schema is not a JSON object.
        UnicodeEncodeError: a text holds half a surrogate pair.
    """
    items = [item for message in conversation for item in _items(message, endpoint)]
    body: dict[str, object] = {"model": model, "input": items, "store": False}
    if tools:
        body["tools"] = [_tool(tool) for tool in tools]
        body["tool_choice"] = _tool_choice(settings.tool_choice)
    body.update(_sampling(settings, model))
    if settings.response_schema is not None:
        body["text"] = {"format": _format(settings.response_schema)}
    if stream:
        body["stream"] = True
    body.update(object_of(endpoint.extra_body, where=f"endpoint {endpoint.name}", what="extra_body is"))
    return _encode(body)


def _sampling(settings: Settings, model: str) -> Mapping[str, object]:
    include = ["reasoning.encrypted_content"] if _REASONS.search(model) else []
    if settings.logprobs is not None:
        include.append("message.output_text.logprobs")
    effort = settings.reasoning_effort
    fields: dict[str, object] = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_output_tokens": settings.max_tokens,
        "top_logprobs": settings.logprobs or None,
        "reasoning": None if effort is None else {"effort": effort},
        "include": include or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _format(schema: str) -> Mapping[str, object]:
    fields = object_of(schema, where="settings", what="response_schema is")
    is_held = is_strict(msgspec.json.decode(schema))
    return {"type": "json_schema", "name": "answer", "schema": fields, "strict": is_held}


def _items(message: Message, endpoint: Endpoint) -> Iterator[Mapping[str, object]]:
    match message:
        case SystemMessage(text=text):
            yield {"role": "system", "content": text}
        case UserMessage(text=text, images=()):
            yield {"role": "user", "content": text}
        case UserMessage(text=text, images=images):
            shown = [{"type": "input_image", "image_url": data_url(image)} for image in images]
            yield {"role": "user", "content": [*shown, {"type": "input_text", "text": text}]}
        case AssistantMessage():
            yield from _answer_items(message, endpoint)
        case ToolMessage(call_id=call_id, text=text):
            yield {"type": "function_call_output", "call_id": call_id, "output": text}


def _answer_items(message: AssistantMessage, endpoint: Endpoint) -> Iterator[Mapping[str, object]]:
    """An earlier answer, each reasoning item where it stood: the API refuses one without what followed it."""
    own = [thought.opaque for thought in message.reasoning if thought.provider == endpoint.name]
    thoughts = [thought for opaque in own if opaque is not None and (thought := _thought(opaque)) is not None]
    yield from (thought.item for thought in thoughts if thought.before == 0)
    if message.text:
        yield {"role": "assistant", "content": message.text}
    for number, call in enumerate(message.tool_calls):
        yield from (thought.item for thought in thoughts if thought.before == number > 0)
        yield _call(call)


def _thought(opaque: str) -> Thought | None:
    """A reasoning item to be sent back; None for one of another dialect that the endpoint spoke before."""
    try:
        return _thought_decoder.decode(opaque)
    except (msgspec.MsgspecError, UnicodeError):
        return None


def _call(call: ToolCall) -> Mapping[str, object]:
    return {
        "type": "function_call",
        "call_id": call.id,
        "name": sendable_name(call.name),
        "arguments": sendable_arguments(call.arguments),
    }


def _tool(tool: Tool) -> Mapping[str, object]:
    parameters = object_of(tool.parameters, where=f"tool {tool.name}", what="parameters are")
    # Left out, `strict` is on here, and schemas that are no strict ones are refused.
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": parameters,
        "strict": False,
    }


def _tool_choice(choice: ToolChoice) -> object:
    return {"type": "function", "name": choice.name} if isinstance(choice, NamedTool) else choice
