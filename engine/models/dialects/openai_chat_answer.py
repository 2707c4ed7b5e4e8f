"""From the bytes of a Chat Completions answer, whole or in pieces, to a completion or to the right error.

The bytes are untrusted: their size is bounded by the caller, their shape is checked here. Servers that imitate the
format spell reasoning in several ways, give no ids or one for all, and arguments as JSON instead of text.
"""

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

_MOST_CALLS = 128  # OpenAI's own bound; without one, an index of a streamed piece could be any number

_Count = Annotated[int, msgspec.Meta(ge=0)]
_NULL = msgspec.Raw(b"null")


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: msgspec.Raw = msgspec.Raw(b'""')


class _Call(msgspec.Struct):
    id: str | None = None
    index: int | None = None
    function: _Function | None = None


class _Part(msgspec.Struct):
    text: str | None = None


class _Message(msgspec.Struct):
    """A message, or a piece of one."""

    content: str | tuple[_Part, ...] | None = None
    refusal: str | None = None
    tool_calls: tuple[_Call, ...] | None = None
    reasoning_content: str | None = None
    reasoning: msgspec.Raw = _NULL
    reasoning_details: tuple[msgspec.Raw, ...] | None = None


class _Alternative(msgspec.Struct):
    token: str
    logprob: float


class _Logprob(msgspec.Struct):
    token: str
    logprob: float
    top_logprobs: tuple[_Alternative, ...] | None = None


class _Logprobs(msgspec.Struct):
    content: tuple[_Logprob, ...] | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None
    index: int = 0
    logprobs: msgspec.Raw = _NULL


class _Reply(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    choices: tuple[_Choice, ...] | None = None
    usage: msgspec.Raw = _NULL
    error: msgspec.Raw = _NULL


class _InputDetails(msgspec.Struct):
    cached_tokens: _Count | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: _Count | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: _Count
    completion_tokens: _Count
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: _Count | None = None  # DeepSeek's word for cached_tokens
    cost: Annotated[float, msgspec.Meta(ge=0)] | None = None


_reply_decoder = msgspec.json.Decoder(_Reply)
_usage_decoder = msgspec.json.Decoder(_Usage | None)
_text_decoder = msgspec.json.Decoder(str)
_logprobs_decoder = msgspec.json.Decoder(_Logprobs | None)


def read_reply(body: bytes, *, model: str) -> Reply:
    """The completion in the body of a successful answer.

    Raises:
        BadResponse: it is not a completion.
        ModelCallError: it is an error under a status of success; classified by the code it names.
    """
    reply = _decode(body, model)
    answer = _Answer(model)
    answer.take_head(reply)
    if not reply.choices or reply.choices[0].message is None:
        raise BadResponse(
            f"{model}: the answer holds no choices; ask again", model=model, cost_usd=answer.cost_usd
        )
    answer.take_choice(reply.choices[0], reply.choices[0].message)
    return answer.reply()


class ChatReader:
    """Puts a streamed Chat Completion together.

    Args:
        model: ``provider/name``.
    """

    def __init__(self, model: str) -> None:
        self._model, self._answer = model, _Answer(model)
        self._is_done = False

    @property
    def is_done(self) -> bool:
        """Whether ``[DONE]`` has come."""
        return self._is_done

    def feed(self, event: str, data: bytes) -> None:
        """Take a chunk.

        Raises:
            ModelCallError: it is an error, or no chunk.
        """
        if data.strip() == b"[DONE]":
            self._is_done = True
            return
        if event == "error":
            raise failure_in_success(data, model=self._model)
        chunk = _decode(data, self._model)
        self._answer.take_head(chunk)
        for choice in chunk.choices or ():
            if choice.index == 0:
                self._answer.take_choice(choice, choice.delta or choice.message or _Message())

    def reply(self) -> Reply:
        """The completion.

        Raises:
            Transient: the stream ended before it did.
            BadResponse: the stream said that it is whole, and held nothing.
        """
        if not self._answer.is_finished and not self._is_done:
            raise Transient(
                f"{self._model}: the stream broke off before the answer's end; try again later",
                model=self._model,
            )
        if not self._answer.has_choice:
            raise BadResponse(
                f"{self._model}: the answer holds no choices; ask again",
                model=self._model,
                cost_usd=self._answer.cost_usd,
            )
        return self._answer.reply()


class _Answer:
    """What has come so far; a whole answer comes in one piece."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._thoughts: list[str] = []
        self._details: list[str] = []
        self._calls: dict[int, _PartialCall] = {}
        self._logprobs: list[TokenLogprob] = []
        self._reason: str | None = None
        self._id: str | None = None
        self._served: str | None = None
        self._usage: Usage | None = None
        self.cost_usd: float | None = None
        self.has_choice = False

    @property
    def is_finished(self) -> bool:
        return self._reason is not None

    def take_head(self, reply: _Reply) -> None:
        self._id, self._served = self._id or reply.id, self._served or reply.model
        usage, cost = _usage(reply.usage)
        self._usage = usage or self._usage
        self.cost_usd = self.cost_usd if cost is None else cost

    def take_choice(self, choice: _Choice, message: _Message) -> None:
        self.has_choice = True
        self._reason = choice.finish_reason or self._reason
        content = message.content
        if isinstance(content, tuple):
            content = "".join(part.text or "" for part in content)
        self._texts.append(content or "")
        self._refusals.append(message.refusal or "")
        self._thoughts.append(_thought(message))
        self._details += [bytes(detail).decode() for detail in message.reasoning_details or ()]
        self._take_calls(message.tool_calls or ())
        self._logprobs += _logprobs(choice.logprobs)

    def _take_calls(self, calls: tuple[_Call, ...]) -> None:
        for call in calls:
            place = self._place_of(call)
            if place >= _MOST_CALLS:
                raise BadResponse(
                    f"{self._model}: the answer calls more than {_MOST_CALLS} tools; ask again",
                    model=self._model,
                )
            self._calls.setdefault(place, _PartialCall()).take(call)

    def _place_of(self, call: _Call) -> int:
        """Which call a piece belongs to: by its index; without one, a piece that names a function begins a call."""
        if call.index is not None:
            return max(0, call.index)
        last = max(self._calls, default=-1)
        begins = last < 0 or (call.function is not None and bool(call.function.name)) or bool(call.id)
        return last + 1 if begins else last

    def reply(self) -> Reply:
        refusal, calls = "".join(self._refusals), tuple(self._calls[place] for place in sorted(self._calls))
        message = AssistantMessage(
            text="".join(self._texts) or refusal, tool_calls=_tool_calls(calls), reasoning=self._reasoning()
        )
        return Reply(
            message=message,
            stop_reason="refusal" if refusal else _stop_reason(self._reason, message),
            usage=self._usage,
            cost_usd=self.cost_usd,
            model=quote(self._served) if self._served else None,
            id=quote(self._id) if self._id else None,
            logprobs=tuple(self._logprobs),
        )

    def _reasoning(self) -> tuple[Reasoning, ...]:
        text, provider = "".join(self._thoughts), provider_of(self._model)
        if not self._details:
            return (Reasoning(text=text, provider=provider),) if text else ()
        # The text once, whole; what goes back stands beside it, a detail each.
        first, *others = (Reasoning(opaque=detail, provider=provider) for detail in self._details)
        return (msgspec.structs.replace(first, text=text), *others)


class _PartialCall:
    """A tool call whose arguments come in pieces."""

    def __init__(self) -> None:
        self.id: str | None = None
        self.name = ""
        self.arguments: list[str] = []

    def take(self, call: _Call) -> None:
        self.id = self.id or call.id
        function = call.function or _Function()
        self.name = self.name or function.name or ""
        self.arguments.append(_arguments(function.arguments))


def _decode(body: bytes, model: str) -> _Reply:
    try:
        reply = _reply_decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BadResponse(
            f"{model}: the answer is not a Chat Completion ({quote(str(error))}); is the base URL right?",
            model=model,
        ) from error
    if bytes(reply.error) != b"null" and not (reply.choices and reply.choices[0].message):
        raise failure_in_success(body, model=model)
    return reply


def _thought(message: _Message) -> str:
    if message.reasoning_content:
        return message.reasoning_content
    try:
        return _text_decoder.decode(message.reasoning)
    except msgspec.MsgspecError:
        return ""


def _tool_calls(calls: tuple[_PartialCall, ...]) -> tuple[ToolCall, ...]:
    """The calls, each under an id of its own: some servers give none, or one for all."""
    taken: set[str] = set()
    read: list[ToolCall] = []
    for ordinal, call in enumerate(calls):
        name = call.id if call.id and call.id not in taken else f"call_{ordinal}"
        while name in taken:
            name += "_"
        taken.add(name)
        read.append(ToolCall(id=name, name=call.name, arguments="".join(call.arguments)))
    return tuple(read)


def _arguments(raw: msgspec.Raw) -> str:
    """Arguments as JSON text: the dialect says a string that holds JSON, some servers give the JSON."""
    try:
        return _text_decoder.decode(raw)
    except msgspec.ValidationError:
        return bytes(raw).decode()


def _stop_reason(reason: str | None, message: AssistantMessage) -> StopReason:
    match reason:
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
    cached = (details.cached_tokens if details else None) or usage.prompt_cache_hit_tokens or 0
    read = Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        reasoning_tokens=(spent.reasoning_tokens or 0) if spent else 0,
        cached_tokens=cached,
    )
    return read, usage.cost


def _logprobs(raw: msgspec.Raw) -> list[TokenLogprob]:
    try:
        given = _logprobs_decoder.decode(raw)
    except msgspec.MsgspecError:
        return []
    return [
        TokenLogprob(
            token=each.token,
            logprob=each.logprob,
            alternatives=tuple((other.token, other.logprob) for other in each.top_logprobs or ()),
        )
        for each in (given.content if given else None) or ()
    ]
