"""A wire format: how a conversation is spelt for an endpoint, and how its answer is read. No network, no keys.

A dialect is pure functions of data. The transport (`engine.models.http_model`) sends what it writes, bounds and
redacts what comes back, and hands it over; whatever it reads is untrusted, and each way of being wrong ends in
one of the errors of `engine.models.errors`.

A new dialect is a module in ``engine/models/dialects/`` that ends in ``DIALECT = …``, its name in `DialectName`,
and one entry in the conformance suite (``tests/engine/models/``).
"""

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, cast

import msgspec

from engine.models.errors import ModelCallError
from engine.models.interface import (
    AssistantMessage,
    Conversation,
    Settings,
    StopReason,
    TokenLogprob,
    Tool,
    Usage,
)

if TYPE_CHECKING:
    from engine.models.endpoint import Endpoint

DialectName = Literal["openai-chat", "openai-responses", "anthropic", "gemini"]
"""Also the module's name in ``engine/models/dialects/``, with ``_`` for ``-``."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as the endpoint gave it.

    Attributes:
        usage: None where the endpoint did not say (or not intelligibly).
        cost_usd: None where the endpoint did not say.
        model: the model that answered, as the endpoint names it.
        id: the endpoint's name for this answer.
    """

    message: AssistantMessage
    stop_reason: StopReason
    usage: Usage | None = None
    cost_usd: float | None = None
    model: str | None = None
    id: str | None = None
    logprobs: tuple[TokenLogprob, ...] = ()


class EventReader(Protocol):
    """Puts one streamed answer together, event by event."""

    @property
    def is_done(self) -> bool:
        """Whether the answer is whole: nothing that could follow would change it."""
        ...

    def feed(self, event: str, data: bytes) -> None:
        """Take the next event.

        Args:
            event: its ``event:`` field; empty where it has none.
            data: its ``data:`` lines, joined by line feeds.

        Raises:
            ModelCallError: it is an error event (classified by what it says), or unintelligible (`BadResponse`).
        """
        ...

    def reply(self) -> Reply:
        """The answer.

        Raises:
            Transient: the stream ended before the answer did.
            BadResponse: what came is not an answer.
        """
        ...


class Dialect(Protocol):
    """One wire format."""

    @property
    def name(self) -> DialectName:
        """As `Endpoint.dialect` names it."""
        ...

    @property
    def key_header(self) -> tuple[str, str]:
        """The header that carries the key (lower case) and what stands before the key in it.

        The transport puts the key there at the last moment, so that no table of ours ever holds it.
        """
        ...

    def headers(self, endpoint: "Endpoint") -> Mapping[str, str]:
        """Headers of every request beside the key, content type and `Endpoint.headers`; lower case names."""
        ...

    def path(self, model: str, *, stream: bool) -> str:
        """Where requests go, below the base URL, without a slash in front; may hold a query."""
        ...

    def body(
        self,
        conversation: Conversation,
        *,
        model: str,
        endpoint: "Endpoint",
        tools: Sequence[Tool],
        settings: Settings,
        stream: bool,
    ) -> bytes:
        """The request's JSON.

        Args:
            conversation: what was said so far.
            model: without its provider.
            endpoint: for its quirks; its name tells whose `Reasoning` may go back.
            tools: what the model may call.
            settings: how to sample.
            stream: whether the answer shall come in pieces.

        Raises:
            BadSpecification: a tool's or response's schema is not a JSON object.
            Rejected: the conversation cannot be spelt in this dialect.
            UnicodeEncodeError: a text holds half a surrogate pair (the transport says so).
        """
        ...

    def read(self, body: bytes, *, model: str) -> Reply:
        """The answer in a whole body under a status of success.

        Args:
            body: redacted and bounded.
            model: ``provider/name``, for errors and `Reasoning.provider`.

        Raises:
            BadResponse: it is not an answer.
            ModelCallError: it is an error under a status of success.
        """
        ...

    def reader(self, *, model: str) -> EventReader:
        """A reader of one streamed answer."""
        ...

    def failure(
        self, status: int, body: bytes, *, model: str, retry_after_seconds: float | None
    ) -> ModelCallError:
        """What an unsuccessful status and its body mean; `engine.models.http_failure.failure_of` suits most."""
        ...


def find_dialect(name: DialectName) -> Dialect:
    """The dialect of that name; its module is imported at the first use."""
    module = importlib.import_module(f"engine.models.dialects.{name.replace('-', '_')}")
    return cast("Dialect", module.DIALECT)


def provider_of(model: str) -> str:
    """The part of ``provider/name`` before the slash."""
    return model.partition("/")[0]
