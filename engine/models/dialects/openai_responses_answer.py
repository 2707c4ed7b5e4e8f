"""From the bytes of a Responses answer, whole or in events, to a completion or to the right error."""

from typing import Annotated

import msgspec

from engine.models.dialect import Reply, provider_of
from engine.models.errors import BadResponse, Transient
from engine.models.http_failure import failure_in_success, quote
from engine.models.interface import (
    AssistantMessage,
    Reasoning,
    StopReason,
    TokenLogprob,
    ToolCall,
    Usage,
)

_Count = Annotated[int, msgspec.Meta(ge=0)]
_NULL = msgspec.Raw(b"null")
_ENDS = {"response.completed", "response.incomplete", "response.failed", "response.cancelled"}


class Thought(msgspec.Struct, frozen=True):
    """What `Reasoning.opaque` holds: a reasoning item, and how many function calls stood before it."""

    before: int
    item: dict[str, msgspec.Raw]


class _Alternative(msgspec.Struct):
    token: str
    logprob: float


class _Logprob(msgspec.Struct):
    token: str
    logprob: float
    top_logprobs: tuple[_Alternative, ...] | None = None


class _Content(msgspec.Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None
    logprobs: tuple[_Logprob, ...] | None = None


class _Item(msgspec.Struct):
    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    content: tuple[_Content, ...] | None = None
    summary: tuple[_Content, ...] | None = None
    encrypted_content: str | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: tuple[msgspec.Raw, ...] | None = None
    incomplete_details: _Incomplete | None = None
    error: msgspec.Raw = _NULL
    usage: msgspec.Raw = _NULL


class _InputDetails(msgspec.Struct):
    cached_tokens: _Count | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: _Count | None = None


class _Usage(msgspec.Struct):
    input_tokens: _Count
    output_tokens: _Count
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Event(msgspec.Struct):
    type: str = ""
    response: msgspec.Raw = _NULL
    item: msgspec.Raw = _NULL
    output_index: _Count = 0
    error: msgspec.Raw = _NULL


_response_decoder = msgspec.json.Decoder(_Response)
_item_decoder = msgspec.json.Decoder(_Item)
_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_usage_decoder = msgspec.json.Decoder(_Usage | None)
_event_decoder = msgspec.json.Decoder(_Event)


def read_response(body: bytes, *, model: str, items: tuple[bytes, ...] = ()) -> Reply:
    """The completion in a response object.

    Args:
        body: the object.
        model: ``provider/name``.
        items: the output where the object itself holds none (some servers stream it and do not repeat it).

    Raises:
        BadResponse: it is not a response, or one without an answer.
        ModelCallError: it is an error; classified by the code it names.
    """
    try:
        response = _response_decoder.decode(body)
        output = tuple(bytes(item) for item in response.output or ()) or items
        parts = [(_item_decoder.decode(item), item) for item in output]
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _not_a_response(model, error) from error
    if bytes(response.error) != b"null" or response.status == "failed":
        raise failure_in_success(body, model=model)
    answer = _read_items(parts, provider=provider_of(model))
    is_whole = response.status in {"completed", None}
    if response.status not in {"completed", "incomplete", None} or (is_whole and answer.is_empty):
        raise BadResponse(
            f"{model}: the response ({quote(response.status or 'no status')}) holds no answer; ask again",
            model=model,
        )
    return Reply(
        message=answer.message(),
        stop_reason=_stop_reason(response, answer),
        usage=_usage(response.usage),
        model=quote(response.model) if response.model else None,
        id=quote(response.id) if response.id else None,
        logprobs=tuple(answer.logprobs),
    )


class ResponseReader:
    """Waits for the event that ends a streamed response and holds it whole.

    Args:
        model: ``provider/name``.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._items: dict[int, bytes] = {}
        self._last: bytes | None = None

    @property
    def is_done(self) -> bool:
        """Whether the last event has come."""
        return self._last is not None

    def feed(self, event: str, data: bytes) -> None:
        """Take the next event.

        Raises:
            ModelCallError: it is an error, or unintelligible.
        """
        if data.strip() == b"[DONE]":  # the other dialect's way to end, which some servers use here too
            return
        try:
            read = _event_decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise _not_a_response(self._model, error) from error
        kind = read.type or event
        if kind == "error" or (bytes(read.error) != b"null" and bytes(read.response) == b"null"):
            raise failure_in_success(data, model=self._model)
        if kind == "response.output_item.done":
            self._items[read.output_index] = bytes(read.item)
        elif kind in _ENDS:
            self._last = bytes(read.response)

    def reply(self) -> Reply:
        """The completion.

        Raises:
            Transient: the stream ended before the response did.
            ModelCallError: see `read_response`.
        """
        if self._last is None:
            raise Transient(
                f"{self._model}: the stream broke off before the answer's end; try again later",
                model=self._model,
            )
        items = tuple(self._items[place] for place in sorted(self._items))
        return read_response(self._last, model=self._model, items=items)


class _Output:
    """What the items of a response hold."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.refusals: list[str] = []
        self.calls: list[ToolCall] = []
        self.reasoning: list[Reasoning] = []
        self.logprobs: list[TokenLogprob] = []
        self.has_message = False

    @property
    def is_empty(self) -> bool:
        return not (self.has_message or self.calls)

    def message(self) -> AssistantMessage:
        return AssistantMessage(
            text="".join(self.texts) or "".join(self.refusals),
            tool_calls=tuple(self.calls),
            reasoning=tuple(self.reasoning),
        )


def _read_items(parts: list[tuple[_Item, bytes]], *, provider: str) -> _Output:
    output = _Output()
    for item, raw in parts:
        match item.type:
            case "message":
                output.has_message = True
                _take_message(item, output)
            case "function_call":
                output.calls.append(_call(item, output.calls))
            case "reasoning":
                output.reasoning.append(_reasoning(item, raw, provider, before=len(output.calls)))
            case _:
                pass  # what a hosted tool did, which nobody asked for
    return output


def _take_message(item: _Item, output: _Output) -> None:
    for part in item.content or ():
        output.texts.append(part.text or "")
        output.refusals.append(part.refusal or "")
        output.logprobs += [
            TokenLogprob(
                token=each.token,
                logprob=each.logprob,
                alternatives=tuple((other.token, other.logprob) for other in each.top_logprobs or ()),
            )
            for each in part.logprobs or ()
        ]


def _call(item: _Item, earlier: list[ToolCall]) -> ToolCall:
    taken = {call.id for call in earlier}
    name = item.call_id or item.id or f"call_{len(earlier)}"
    while name in taken:
        name += "_"
    return ToolCall(id=name, name=item.name or "", arguments=item.arguments or "")


def _reasoning(item: _Item, raw: bytes, provider: str, *, before: int) -> Reasoning:
    parts = (*(item.summary or ()), *(item.content or ()))
    text = "\n\n".join(part.text for part in parts if part.text)
    if item.encrypted_content is None:  # without it the provider, which keeps nothing, could not read it
        return Reasoning(text=text, provider=provider)
    fields = {name: value for name, value in _fields_decoder.decode(raw).items() if name != "status"}
    opaque = msgspec.json.encode(Thought(before=before, item=fields)).decode()
    return Reasoning(text=text, opaque=opaque, provider=provider)


def _stop_reason(response: _Response, answer: _Output) -> StopReason:
    if any(answer.refusals):
        return "refusal"
    if response.status == "incomplete":
        match response.incomplete_details.reason if response.incomplete_details else None:
            case "max_output_tokens":
                return "length"
            case "content_filter":
                return "content_filter"
            case _:
                return "other"
    return "tool_calls" if answer.calls else "stop"


def _usage(raw: msgspec.Raw) -> Usage | None:
    try:
        usage = _usage_decoder.decode(raw)
    except msgspec.MsgspecError:
        return None
    if usage is None:
        return None
    details, spent = usage.input_tokens_details, usage.output_tokens_details
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=(spent.reasoning_tokens or 0) if spent else 0,
        cached_tokens=(details.cached_tokens or 0) if details else 0,
    )


def _not_a_response(model: str, error: Exception) -> BadResponse:
    return BadResponse(
        f"{model}: the answer is not a Response ({quote(str(error))}); is the base URL right?", model=model
    )
