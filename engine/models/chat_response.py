"""From the bytes of a Chat Completions answer to a completion, or to the right error.

The bytes are untrusted: their size is bounded by the caller, their shape is checked here, and whatever is
quoted in a message is cut and cleaned.
"""

import re
from typing import Annotated, cast

import msgspec

from engine.models.errors import (
    BadResponse,
    ContextOverflow,
    ModelCallError,
    RateLimited,
    Rejected,
    Transient,
)
from engine.models.interface import AssistantMessage, StopReason, ToolCall, Usage

_LONGEST_QUOTE = 400
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a0-\ud7ff\ue000-\ufffd]+")
_OVERFLOW = re.compile(
    r"context.?length|context.?window|maximum context|context size|too many tokens|prompt is too long|"
    r"exceeds? the (available )?context|longer than the maximum",
    re.IGNORECASE,
)
_EMPTY_ACCOUNT = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_MEANINGS: dict[int, tuple[type[ModelCallError], str]] = {
    401: (Rejected, "check the key"),
    402: (Rejected, "top up the account or use another key"),
    403: (Rejected, "check what the key may use"),
    404: (Rejected, "check the model's name and the base URL"),
    408: (Transient, "try again later"),
    409: (Transient, "try again later"),
    413: (ContextOverflow, "shorten the conversation"),
    425: (Transient, "try again later"),
    429: (RateLimited, "ask less at once, or later"),
    501: (Rejected, "use another endpoint"),
    505: (Rejected, "use another endpoint"),
}
"""What a status means unless the error's code says more. Of the others, 5xx may pass, the rest will not."""

_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: msgspec.Raw = msgspec.Raw(b'""')


class _Call(msgspec.Struct):
    id: str | None = None
    function: _Function | None = None


class _Part(msgspec.Struct):
    text: str | None = None


class _Message(msgspec.Struct):
    content: str | tuple[_Part, ...] | None = None
    refusal: str | None = None
    tool_calls: tuple[_Call, ...] | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None


class _Reply(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    choices: tuple[_Choice, ...] | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")


class _InputDetails(msgspec.Struct):
    cached_tokens: _Count | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: _Count | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: _Count
    completion_tokens: _Count
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    cost: Annotated[float, msgspec.Meta(ge=0)] | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as the endpoint gave it.

    Attributes:
        usage: None where the endpoint did not say (or not intelligibly).
        cost_usd: None where the endpoint did not say.
    """

    message: AssistantMessage
    stop_reason: StopReason
    usage: Usage | None
    cost_usd: float | None
    model: str | None
    id: str | None


_reply_decoder = msgspec.json.Decoder(_Reply)
_usage_decoder = msgspec.json.Decoder(_Usage | None)
_text_decoder = msgspec.json.Decoder(str)


def read_reply(body: bytes, *, model: str) -> Reply:
    """The completion in the body of a successful answer.

    Raises:
        BadResponse: it is not a completion.
        ModelCallError: it is an error under a status of success; classified by the code it names.
    """
    try:
        reply = _reply_decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BadResponse(
            f"{model}: the answer is not a Chat Completion ({quote(str(error))}); is the base URL right?",
            model=model,
        ) from error
    usage, cost = _usage(reply.usage)
    if bytes(reply.error) != b"null" and not reply.choices:
        raise failure_of(_code_as_status(body), body, model=model)
    if not reply.choices or reply.choices[0].message is None:
        raise BadResponse(f"{model}: the answer holds no choices; ask again", model=model, cost_usd=cost)
    choice = reply.choices[0]
    message = _assistant_message(reply.choices[0].message)
    return Reply(
        message=message,
        stop_reason=_stop_reason(choice, message),
        usage=usage,
        cost_usd=cost,
        model=quote(reply.model) if reply.model else None,
        id=quote(reply.id) if reply.id else None,
    )


def failure_of(
    status: int, body: bytes, *, model: str, retry_after_seconds: float | None = None
) -> ModelCallError:
    """The error that an unsuccessful status (and what came with it) means."""
    complaint, code = _complaint(body)
    kind, advice = _classify(status, complaint, code)
    return kind(
        f"{model}: HTTP {status}{f': {complaint}' if complaint else ''}; {advice}",
        model=model,
        status=status,
        retry_after_seconds=retry_after_seconds,
    )


def quote(text: str) -> str:
    """Outside text, fit to stand in one of our sentences: one line, printable, cut."""
    return _UNPRINTABLE.sub(" ", text[: 2 * _LONGEST_QUOTE]).strip()[:_LONGEST_QUOTE]


def _classify(status: int, complaint: str, code: str) -> tuple[type[ModelCallError], str]:
    if code == "context_length_exceeded" or (status in {400, 422} and _OVERFLOW.search(complaint)):
        return _MEANINGS[413]
    if code in _EMPTY_ACCOUNT:
        return _MEANINGS[402]
    if status in _MEANINGS:
        return _MEANINGS[status]
    if status >= 500:
        return Transient, "try again later"
    if status < 400:
        return Rejected, "redirects are not followed; set the base URL to where it leads"
    return Rejected, "change the request"


def _complaint(body: bytes) -> tuple[str, str]:
    """Message and code of an error body; whatever form it has. Both may be empty."""
    try:
        content: object = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return quote(body[: 4 * _LONGEST_QUOTE].decode(errors="replace")), ""
    error = _field(content, "error") or content
    if isinstance(error, str):
        return quote(error), ""
    message = _field(error, "message") or _field(error, "detail") or ""
    code = _field(error, "code") or _field(error, "type") or ""
    return quote(str(message)), quote(str(code))


def _code_as_status(body: bytes) -> int:
    """The status that an error under a status of success names; 502 where it names none."""
    try:
        code = _field(_field(msgspec.json.decode(body), "error"), "code")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return 502
    return code if isinstance(code, int) and 400 <= code < 600 else 502


def _field(content: object, name: str) -> object:
    return cast("dict[str, object]", content).get(name) if isinstance(content, dict) else None


def _assistant_message(message: _Message | None) -> AssistantMessage:
    if message is None:
        return AssistantMessage()
    content = message.content
    if isinstance(content, tuple):
        content = "".join(part.text or "" for part in content)
    return AssistantMessage(
        text=content or message.refusal or "", tool_calls=_tool_calls(message.tool_calls or ())
    )


def _tool_calls(calls: tuple[_Call, ...]) -> tuple[ToolCall, ...]:
    """The calls, each under an id of its own: some servers give none, or one for all."""
    taken: set[str] = set()
    read: list[ToolCall] = []
    for ordinal, call in enumerate(calls):
        function = call.function or _Function()
        name = call.id if call.id and call.id not in taken else f"call_{ordinal}"
        while name in taken:
            name += "_"
        taken.add(name)
        read.append(ToolCall(id=name, name=function.name or "", arguments=_arguments(function.arguments)))
    return tuple(read)


def _arguments(raw: msgspec.Raw) -> str:
    """Arguments as JSON text: the dialect says a string that holds JSON, some servers give the JSON."""
    try:
        return _text_decoder.decode(raw)
    except msgspec.ValidationError:
        return bytes(raw).decode()


def _stop_reason(choice: _Choice, message: AssistantMessage) -> StopReason:
    if choice.message is not None and choice.message.refusal:
        return "refusal"
    match choice.finish_reason:
        case "length":
            return "length"
        case "content_filter":
            return "content_filter"
        case _ if message.tool_calls:  # many local servers say "stop" here
            return "tool_calls"
        case "stop":
            return "stop"
        case _:
            return "other"


def _usage(raw: msgspec.Raw) -> tuple[Usage | None, float | None]:
    try:
        usage = _usage_decoder.decode(raw)
    except msgspec.MsgspecError:
        return None, None
    if usage is None:
        return None, None
    details, spent = usage.prompt_tokens_details, usage.completion_tokens_details
    read = Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        reasoning_tokens=(spent.reasoning_tokens or 0) if spent else 0,
        cached_tokens=(details.cached_tokens or 0) if details else 0,
    )
    return read, usage.cost
