"""What a model call is: conversation in, completion out, and what was measured beside it.

Everything a rerun must repeat sits in `Completion`; everything that clocks and networks decide sits in
`CallMeasured`, so that comparing two records may drop the second and keep the first.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

StopReason = Literal["stop", "length", "tool_calls", "refusal", "content_filter", "other"]
"""By itself, at `Settings.max_tokens`, to call tools, by declining, by a filter, or unknown."""


# Records spell out the fields that they had from the start, and omit later ones that say nothing. A plain default
# is omitted, a factory's is not (but `tuple` itself counts as plain, hence `_nothing`).
def _unsaid() -> None:
    return None


def _nothing() -> tuple[()]:
    return ()


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A model's wish to call a tool; all three fields come from outside and are untrusted.

    Attributes:
        id: names the call within its conversation; the answering `ToolMessage` repeats it.
        name: the tool's name as the model wrote it (it may name no tool at all).
        arguments: raw JSON text as the model wrote it (it may not be JSON at all).
    """

    id: str
    name: str
    arguments: str


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that a model is shown.

    Attributes:
        media_type: ``image/png``, ``image/jpeg``, ``image/webp`` or ``image/gif``.
        data: the file itself.
    """

    media_type: str
    data: bytes


class Reasoning(msgspec.Struct, frozen=True, kw_only=True):
    """What a model thought before it answered, as far as it is shown.

    Attributes:
        text: the thought or its summary; empty where it is hidden.
        opaque: what the provider wants back unchanged in the next call (a signature, an encrypted item), as its
            dialect wrote it; None where it wants nothing.
        provider: the part of the model's name before the slash; `opaque` goes back to nobody else.
    """

    text: str = ""
    opaque: str | None = None
    provider: str = ""


class SystemMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="role", tag="system"):
    """Standing instructions to the model."""

    text: str


class UserMessage(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="role", tag="user", omit_defaults=True
):
    """What a participant says (and shows) to the model; images come before the text."""

    text: str
    images: tuple[Image, ...] = ()


class AssistantMessage(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="role", tag="assistant", omit_defaults=True
):
    """What the model said: text, tool calls (in the order it made them), or both.

    Attributes:
        reasoning: in the order it was thought. Keep it in the conversation: some providers want it back.
    """

    text: str = msgspec.field(default_factory=str)
    tool_calls: tuple[ToolCall, ...] = msgspec.field(default_factory=_nothing)
    reasoning: tuple[Reasoning, ...] = ()


class ToolMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="role", tag="tool"):
    """What a tool answered to the call named `call_id`."""

    call_id: str
    text: str


Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage
"""One entry of a conversation; a closed union, tagged by ``role``."""

Conversation = tuple[Message, ...]
"""Messages, oldest first; a longer conversation is a new tuple with the old one as its prefix."""


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that a model may call.

    Attributes:
        name: letters, digits, ``_`` and ``-``; unique among the tools of a call.
        description: what it does and when to use it; models read it.
        parameters: JSON schema of its arguments (an object schema), as JSON text.
    """

    name: str
    description: str
    parameters: str = '{"type":"object","properties":{}}'

    @classmethod
    def from_struct(cls, arguments: type[msgspec.Struct], *, name: str, description: str) -> "Tool":
        """A tool whose arguments are the fields of a struct.

        Decode a call with ``msgspec.json.decode(call.arguments, type=arguments)``: the schema that the model
        sees and the check of its answer are then the same type.
        """
        return cls(name=name, description=description, parameters=_object_schema(arguments))


class NamedTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool choice that makes the model call one tool."""

    name: str


ToolChoice = Literal["auto", "none", "required"] | NamedTool
"""May call tools, must not, must call some tool, or must call this one."""


ReasoningEffort = Literal["none", "minimal", "low", "medium", "high"]
"""How long a model shall think; a dialect says it in its own terms, or not at all where the model cannot."""


def _auto() -> ToolChoice:
    return "auto"


class Settings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How to sample an answer; None leaves a choice to the endpoint.

    Attributes:
        temperature: at least 0.
        top_p: in (0, 1].
        max_tokens: most tokens in the answer, reasoning included; at least 1.
        seed: honoured by few hosted models; recorded either way.
        stop: texts at which the answer ends; they are not part of it.
        tool_choice: ignored where a call has no tools.
        response_schema: JSON schema (text, an object schema) that the answer's text shall follow; the endpoint
            is asked to hold it, and who reads the answer checks it all the same.
        reasoning_effort: see `ReasoningEffort`.
        logprobs: alternatives wanted beside each token's own log-probability, from 0; None asks for none.
    """

    temperature: float | None = msgspec.field(default_factory=_unsaid)
    top_p: float | None = msgspec.field(default_factory=_unsaid)
    max_tokens: int | None = msgspec.field(default_factory=_unsaid)
    seed: int | None = msgspec.field(default_factory=_unsaid)
    stop: tuple[str, ...] = msgspec.field(default_factory=_nothing)
    tool_choice: ToolChoice = msgspec.field(default_factory=_auto)
    response_schema: str | None = None
    reasoning_effort: ReasoningEffort | None = None
    logprobs: int | None = None


DEFAULT_SETTINGS = Settings()
"""Every choice left to the endpoint."""


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens of one call, as the endpoint counts them.

    Attributes:
        input_tokens: of the conversation and tools, cached ones included.
        output_tokens: of the answer, reasoning included.
        reasoning_tokens: the part of ``output_tokens`` that is not shown.
        cached_tokens: the part of ``input_tokens`` that was read from the endpoint's cache.
        is_estimate: the endpoint did not say; counted at four characters a token, so that caps still hold.
        cache_write_tokens: the part of ``input_tokens`` that was written to the cache, where that has a price
            of its own. Cached and written tokens are disjoint.
    """

    input_tokens: int = msgspec.field(default_factory=int)
    output_tokens: int = msgspec.field(default_factory=int)
    reasoning_tokens: int = msgspec.field(default_factory=int)
    cached_tokens: int = msgspec.field(default_factory=int)
    is_estimate: bool = msgspec.field(default_factory=bool)
    cache_write_tokens: int = 0


class TokenLogprob(msgspec.Struct, frozen=True, kw_only=True):
    """A token of the answer and how likely it was.

    Attributes:
        logprob: natural logarithm of its probability.
        alternatives: other tokens at this place with theirs, likeliest first; may hold this one too.
    """

    token: str
    logprob: float
    alternatives: tuple[tuple[str, float], ...] = ()


class Completion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model's answer.

    Attributes:
        message: the answer; ready to be appended to the conversation.
        stop_reason: why it ended.
        usage: tokens it took.
        cost_usd: US dollars charged; None where neither endpoint nor price table says; an estimate where
            usage is one.
        model: the model that answered, as the endpoint names it (may be more exact than the name asked for).
        request_id: the endpoint's name for this call, for asking its operator about it.
        logprobs: of the answer's tokens, where they were asked for and given.
    """

    message: AssistantMessage
    stop_reason: StopReason
    usage: Usage
    cost_usd: float | None
    model: str
    request_id: str | None = msgspec.field(default_factory=_unsaid)
    logprobs: tuple[TokenLogprob, ...] = ()


class CallMeasured(msgspec.Struct, frozen=True, kw_only=True):
    """What clocks and networks decided about a call; comparisons of records drop it.

    Attributes:
        latency_seconds: from sending the last attempt to its whole answer.
        attempts: requests sent; 1 where nothing went wrong.
        waited_seconds: in the endpoint's queue, before the first attempt; never charged as work.
        backoff_seconds: between attempts, by our choice or the endpoint's; never charged as work.
        cached: nothing was sent: the completion is one that was paid for before.
    """

    latency_seconds: float = 0.0
    attempts: int = 1
    waited_seconds: float = 0.0
    backoff_seconds: float = 0.0
    cached: bool = False


class Answer(NamedTuple):
    """A completion and what was measured while it was made; unpacks as a pair."""

    completion: Completion
    measured: CallMeasured


class Model(Protocol):
    """Something that continues a conversation. Safe to call from many tasks at once."""

    @property
    def name(self) -> str:
        """``provider/name``, as a user writes it."""
        ...

    async def generate(
        self, conversation: Conversation, *, tools: Sequence[Tool] = (), settings: Settings = DEFAULT_SETTINGS
    ) -> Answer:
        """Continue a conversation by one assistant message.

        A checkpoint. Cancelling it ends the request; the endpoint may charge for it nevertheless.

        Raises:
            RateLimited: the endpoint kept asking to slow down until retries were exhausted.
            Transient: network or endpoint failed until retries were exhausted.
            Rejected: the same request would be refused again.
            ContextOverflow: the conversation is longer than the model can read.
            BadResponse: the endpoint answered with something that is not a completion.
        """
        ...


def _object_schema(arguments: type[msgspec.Struct]) -> str:
    """JSON schema of a struct with the object itself at the top, where endpoints require it."""
    schema: dict[str, Any] = msgspec.json.schema(arguments)  # msgspec hands it over untyped
    definitions = dict(schema.pop("$defs", {}))
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    if name in definitions:
        schema = dict(definitions[name])
        if f"#/$defs/{name}" not in msgspec.json.encode(definitions).decode():  # not recursive
            del definitions[name]
    if definitions:
        schema["$defs"] = definitions
    return msgspec.json.encode(schema).decode()
