"""How each dialect spells answers and errors: one entry of `SPELLINGS` for each.

A new dialect adds a `Spelling` here (or in a file of its own that this one imports), and passes the whole of
``test_dialect_faults.py``.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fault_server import Wire

from engine.models import AssistantMessage, StopReason, Usage
from engine.models.dialect import DialectName

USAGE = Usage(input_tokens=100, output_tokens=50, reasoning_tokens=30, cached_tokens=40)
"""What every spelt answer says that it took."""

Event = tuple[str, Any]
"""Field ``event`` (empty for none) and data; data that is no text is rendered to JSON."""


@dataclass(frozen=True, kw_only=True)
class Spelling:
    """How a dialect says things.

    Attributes:
        path: what the base URL ends in, before the dialect's own path.
        whole: a message and why it ended as the JSON of one answer.
        events: the same in events, texts and arguments in pieces.
        error: status, message and kind (`rate_limit`, `overloaded`, `bad_request`, `auth`) as an error body.
        error_event: the same in the middle of a stream; None where the dialect has none.
        overflow: status and message that say the conversation is too long.
        nothing: an answer without an answer in it.
        is_done_by_event: whether an event (and not only the stream's end) tells that the answer is whole.
    """

    dialect: DialectName
    path: str
    whole: Callable[[AssistantMessage, StopReason], Any]
    events: Callable[[AssistantMessage, StopReason], list[Event]]
    error: Callable[[int, str, str], Any]
    error_event: Callable[[int, str, str], Event] | None
    overflow: tuple[int, str]
    nothing: Any
    is_done_by_event: bool = True

    def answer(self, message: AssistantMessage | str, stop: StopReason = "stop") -> Wire:
        """A whole answer."""
        return json_wire(self.whole(_message(message), stop))

    def stream(self, message: AssistantMessage | str, stop: StopReason = "stop") -> Wire:
        """A streamed answer, an event a piece."""
        return stream_wire(self.events(_message(message), stop))

    def failure(self, status: int, message: str = "no", kind: str = "bad_request") -> Wire:
        """An unsuccessful answer."""
        return json_wire(self.error(status, message, kind), status=status)


def json_wire(content: Any, *, status: int = 200) -> Wire:
    """JSON as a whole body."""
    return Wire(pieces=(json.dumps(content).encode(),), status=status)


def stream_wire(events: list[Event]) -> Wire:
    """Events in chunks."""
    return Wire(
        pieces=tuple(spell_event(event) for event in events),
        content_type="text/event-stream; charset=utf-8",
        framing="chunked",
    )


def spell_event(event: Event) -> bytes:
    """One event on the wire."""
    name, data = event
    text = data if isinstance(data, str) else json.dumps(data)
    said = f"event: {name}\n" if name else ""
    return f"{said}data: {text}\n\n".encode()


def halves(text: str) -> list[str]:
    """A text in two pieces, so that a reader must join them."""
    middle = len(text) // 2
    return [text[:middle], text[middle:]]


def _message(message: AssistantMessage | str) -> AssistantMessage:
    return AssistantMessage(text=message) if isinstance(message, str) else message


# OpenAI Chat Completions


_CHAT_REASONS: dict[StopReason, str] = {"stop": "stop", "length": "length", "tool_calls": "tool_calls"}
_CHAT_USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens_details": {"reasoning_tokens": 30},
}


def _chat_whole(message: AssistantMessage, stop: StopReason) -> Any:
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in message.tool_calls
    ]
    spelt: dict[str, Any] = {"role": "assistant", "content": message.text or None}
    if calls:
        spelt["tool_calls"] = calls
    if message.reasoning:
        spelt["reasoning_content"] = message.reasoning[0].text
    choice = {"index": 0, "message": spelt, "finish_reason": _CHAT_REASONS[stop]}
    return {"id": "chatcmpl-1", "model": "served", "choices": [choice], "usage": _CHAT_USAGE}


def _chat_events(message: AssistantMessage, stop: StopReason) -> list[Event]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [
        {"reasoning_content": piece} for thought in message.reasoning for piece in halves(thought.text)
    ]
    deltas += [{"content": piece} for piece in halves(message.text)]
    for index, call in enumerate(message.tool_calls):
        begun = {"index": index, "id": call.id, "function": {"name": call.name, "arguments": ""}}
        deltas.append({"tool_calls": [begun]})
    # Parallel calls take turns, as they may.
    for half in (0, 1):
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": halves(call.arguments)[half]}}]}
            for index, call in enumerate(message.tool_calls)
        ]
    head = {"id": "chatcmpl-1", "model": "served"}
    chunks: list[Any] = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": _CHAT_REASONS[stop]}]})
    chunks.append({**head, "choices": [], "usage": _CHAT_USAGE})
    return [("", chunk) for chunk in [*chunks, "[DONE]"]]


_OPENAI_CODES = {
    "rate_limit": "rate_limit_exceeded",
    "overloaded": "server_error",
    "bad_request": "invalid_request_error",
    "auth": "invalid_api_key",
}


def _openai_error(status: int, message: str, kind: str) -> Any:
    return {"error": {"message": message, "type": "error", "code": _OPENAI_CODES[kind]}}


CHAT = Spelling(
    dialect="openai-chat",
    path="/v1",
    whole=_chat_whole,
    events=_chat_events,
    error=_openai_error,
    error_event=lambda status, message, kind: ("", _openai_error(status, message, kind)),
    overflow=(400, "This model's maximum context length is 10 tokens"),
    nothing={"id": "x", "choices": [], "usage": None},
)


# OpenAI Responses


def _response(message: AssistantMessage, stop: StopReason) -> Any:
    output: list[Any] = [
        {
            "type": "reasoning",
            "id": f"rs_{number}",
            "summary": [{"type": "summary_text", "text": thought.text}],
            "encrypted_content": "c2VjcmV0",
        }
        for number, thought in enumerate(message.reasoning)
    ]
    if message.text:
        content = [{"type": "output_text", "text": message.text, "annotations": []}]
        output.append({"type": "message", "id": "msg_1", "role": "assistant", "content": content})
    output += [
        {
            "type": "function_call",
            "id": f"fc_{call.id}",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        }
        for call in message.tool_calls
    ]
    is_cut = stop == "length"
    return {
        "id": "resp_1",
        "object": "response",
        "model": "served",
        "status": "incomplete" if is_cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        "error": None,
        "output": output,
        "usage": {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 40},
            "output_tokens": 50,
            "output_tokens_details": {"reasoning_tokens": 30},
        },
    }


def _response_events(message: AssistantMessage, stop: StopReason) -> list[Event]:
    whole = _response(message, stop)
    begun: dict[str, Any] = {
        "id": "resp_1",
        "model": "served",
        "status": "in_progress",
        "output": [],
        "error": None,
    }
    events: list[Any] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for place, item in enumerate(whole["output"]):
        events.append({"type": "response.output_item.added", "output_index": place, "item": item})
        for piece in halves(message.text) if item["type"] == "message" else []:
            events.append({"type": "response.output_text.delta", "output_index": place, "delta": piece})
        for piece in halves(item.get("arguments", "")) if item["type"] == "function_call" else []:
            kind = "response.function_call_arguments.delta"
            events.append({"type": kind, "output_index": place, "delta": piece})
        events.append({"type": "response.output_item.done", "output_index": place, "item": item})
    events.append({"type": f"response.{whole['status']}", "response": whole})
    return [(event["type"], event) for event in events]


RESPONSES = Spelling(
    dialect="openai-responses",
    path="/v1",
    whole=_response,
    events=_response_events,
    error=_openai_error,
    error_event=lambda status, message, kind: (
        "error",
        {"type": "error", "code": _OPENAI_CODES[kind], "message": message},
    ),
    overflow=(400, "Your input exceeds the context window of this model"),
    nothing={"id": "x", "status": "completed", "output": [], "error": None, "usage": None},
)


SPELLINGS: tuple[Spelling, ...] = (CHAT, RESPONSES)
"""All dialects that the suite goes through."""
