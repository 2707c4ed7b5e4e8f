"""Models behind an OpenAI-compatible Chat Completions endpoint, over httpx."""

import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType

import httpx
import msgspec
import numpy as np
import trio

from engine.errors import BadSpecification
from engine.models.bounded_body import read_at_most
from engine.models.chat_request import request_body
from engine.models.chat_response import Reply, failure_of, quote, read_reply
from engine.models.endpoint import Connection
from engine.models.errors import BadResponse, ModelCallError, Rejected, Transient
from engine.models.estimate import estimate_usage
from engine.models.interface import (
    DEFAULT_SETTINGS,
    Answer,
    Completion,
    Conversation,
    Settings,
    Tool,
    Usage,
)
from engine.models.prices import Price, find_price
from engine.models.rate import CallLimiter, FixedLimiter
from engine.models.retry import RetryPolicy, Tally, call_with_retries, retry_after_seconds
from engine.models.secret import Secret, redacted_logs

_CLOSE_SECONDS = 5.0
_ERROR_BODY_BYTES = 64 * 1024


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that each phase of one attempt may take.

    Attributes:
        connect: until the connection stands, TLS included.
        write: between two pieces of the request that the endpoint takes.
        read: until the first, and between two, pieces of the answer.
        attempt: in all; a server that drips bytes meets it.
    """

    connect: float = 10.0
    write: float = 60.0
    read: float = 300.0
    attempt: float = 900.0


DEFAULT_TIMEOUTS = Timeouts()
DEFAULT_RETRIES = RetryPolicy()
DEFAULT_BODY_BYTES = 16 * 1024 * 1024


class _Bearer(httpx.Auth):
    """Puts the key on the request at the last moment, so that no header table of ours ever holds it."""

    def __init__(self, key: Secret | None) -> None:
        self._key = key

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if self._key is not None:
            request.headers["authorization"] = f"Bearer {self._key.reveal()}"
        yield request


class OpenAIChat:
    """One model of one endpoint. Opened by `open_openai_chat` (or `engine.models.open_model`)."""

    def __init__(
        self,
        model: str,
        *,
        connection: Connection,
        client: httpx.AsyncClient,
        generator: np.random.Generator,
        prices: Mapping[str, Price],
        retries: RetryPolicy,
        timeouts: Timeouts,
        limiter: CallLimiter,
        max_body_bytes: int,
    ) -> None:
        self._model, self._connection, self._client = model, connection, client
        self._generator, self._retries, self._limiter = generator, retries, limiter
        self._attempt_seconds, self._max_body_bytes = timeouts.attempt, max_body_bytes
        self._price = find_price(self.name, connection=connection, prices=prices)

    @property
    def name(self) -> str:
        """``provider/name``."""
        return f"{self._connection.endpoint.name}/{self._model}"

    def __repr__(self) -> str:
        return f"OpenAIChat({self.name!r} at {self._connection.base_url!r})"

    async def generate(
        self, conversation: Conversation, *, tools: Sequence[Tool] = (), settings: Settings = DEFAULT_SETTINGS
    ) -> Answer:
        """Continue a conversation by one assistant message.

        Raises:
            ModelCallError: see `engine.models.interface.Model.generate`.
            BadSpecification: a tool's schema is not a JSON object.
        """
        body = self._request_body(conversation, tools, settings)
        async with self._limiter.slot() as waited:
            tally = Tally(waited_seconds=waited)
            reply = await call_with_retries(
                lambda: self._attempt(body), policy=self._retries, generator=self._generator, tally=tally
            )
        usage = reply.usage or estimate_usage(conversation, tools, reply.message)
        completion = Completion(
            message=reply.message,
            stop_reason=reply.stop_reason,
            usage=usage,
            cost_usd=self._cost_usd(reply.cost_usd, usage),
            model=reply.model or self._model,
            request_id=reply.id,
        )
        return Answer(completion, tally.measured())

    def _request_body(self, conversation: Conversation, tools: Sequence[Tool], settings: Settings) -> bytes:
        try:
            return request_body(
                conversation,
                model=self._model,
                endpoint=self._connection.endpoint,
                tools=tools,
                settings=settings,
            )
        except UnicodeEncodeError as error:
            raise Rejected(
                f"{self.name}: the conversation holds text that is not Unicode (half a surrogate pair); "
                "replace it before asking",
                model=self.name,
            ) from error

    def _cost_usd(self, reported: float | None, usage: Usage) -> float | None:
        if reported is not None and math.isfinite(reported):
            return reported
        return self._price.cost_usd(usage) if self._price is not None else None

    async def _attempt(self, body: bytes) -> Reply:
        """One request and its answer."""
        with trio.move_on_after(self._attempt_seconds):
            try:
                return await self._send(body)
            except httpx.HTTPError as error:
                raise self._failure_of_transport(error) from error
        raise Transient(
            f"{self.name}: no whole answer within {self._attempt_seconds:g} s; "
            "ask for fewer tokens or allow more time",
            model=self.name,
        )

    async def _send(self, body: bytes) -> Reply:
        url = f"{self._connection.base_url}/chat/completions"
        async with self._client.stream("POST", url, content=body) as response:
            if not response.is_success:
                return await self._refuse(response)
            self._check_head(response)
            content = await self._read(response, self._max_body_bytes + 1)
        if len(content) > self._max_body_bytes:
            raise self._too_large()
        reply = read_reply(content, model=self.name)
        header = response.headers.get("x-request-id")
        return msgspec.structs.replace(reply, id=quote(self._redacted_text(header))) if header else reply

    async def _refuse(self, response: httpx.Response) -> Reply:
        """Raise what an unsuccessful status means; never returns."""
        content = await self._read(response, _ERROR_BODY_BYTES)
        raise failure_of(
            response.status_code,
            content,
            model=self.name,
            retry_after_seconds=retry_after_seconds(response.headers),
        )

    def _check_head(self, response: httpx.Response) -> None:
        kind = self._redacted_text(response.headers.get("content-type", "application/json"))
        kind = kind.partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise BadResponse(
                f"{self.name}: the answer is {quote(kind)!r} instead of JSON; is the base URL right?",
                model=self.name,
            )
        length = response.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_body_bytes:
            raise self._too_large()

    async def _read(self, response: httpx.Response, limit: int) -> bytes:
        # Redacted before it becomes anybody's local variable: some tracebacks show those.
        return self._redacted(await read_at_most(response, limit))

    def _too_large(self) -> BadResponse:
        return BadResponse(
            f"{self.name}: the answer is larger than {self._max_body_bytes} bytes; ask for fewer tokens",
            model=self.name,
        )

    def _failure_of_transport(self, error: httpx.HTTPError) -> ModelCallError:
        # httpx's own words name hosts and phases, never headers; redacted all the same.
        said = quote(self._redacted_text(str(error))) or type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in said:
            return Rejected(f"{self.name}: {said}; mend the server's certificate", model=self.name)
        if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
            return Rejected(f"{self.name}: {said}; change the request", model=self.name)
        if isinstance(error, httpx.DecodingError):
            return BadResponse(f"{self.name}: {said}; ask another endpoint", model=self.name)
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            where = self._connection.base_url
            return Transient(f"{self.name}: cannot connect to {where}: {said}; is it up?", model=self.name)
        return Transient(f"{self.name}: the connection failed: {said}; try again later", model=self.name)

    def _redacted(self, content: bytes) -> bytes:
        key = self._connection.key
        return content if key is None else key.redact(content)

    def _redacted_text(self, text: str) -> str:
        return self._redacted(text.encode(errors="replace")).decode(errors="replace")


def _open_client(
    connection: Connection, timeouts: Timeouts, transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    try:
        return httpx.AsyncClient(
            auth=_Bearer(connection.key),
            headers={
                "content-type": "application/json",
                "accept": "application/json",
                "accept-encoding": "identity",
                "user-agent": "mlyceum",
            },
            timeout=httpx.Timeout(
                connect=timeouts.connect, read=timeouts.read, write=timeouts.write, pool=None
            ),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=60.0),
            follow_redirects=False,
            # Loading the certificates takes tens of milliseconds that a plain http endpoint has no use for.
            verify=connection.base_url.startswith("https:"),
            trust_env=not connection.is_loopback,  # a proxy cannot reach a server on this machine
            transport=transport,
        )
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
        # What the environment says about proxies and certificates is first read here.
        fault = f"no client can be made: {quote(str(error))}"
        hint = "mend HTTPS_PROXY, ALL_PROXY or SSL_CERT_FILE"
        raise BadSpecification(f"endpoint {connection.endpoint.name}", f"{fault}; {hint}") from error


@asynccontextmanager
async def open_openai_chat(
    model: str,
    *,
    connection: Connection,
    generator: np.random.Generator,
    prices: Mapping[str, Price] = MappingProxyType({}),
    retries: RetryPolicy = DEFAULT_RETRIES,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    limiter: CallLimiter | None = None,
    max_body_bytes: int = DEFAULT_BODY_BYTES,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncGenerator[OpenAIChat, None]:
    """A model whose connections are kept open while the block lasts and closed (within bounds) after it.

    Args:
        model: the endpoint's own name for it.
        connection: where and with which key; see `engine.models.endpoint.connect`.
        generator: draws the jitter of retries, and nothing else.
        prices: by ``provider/name``.
        retries: bounds on asking again.
        timeouts: bounds on one attempt.
        limiter: shared by the models of one endpoint; by default one with the endpoint's `max_concurrency`.
        max_body_bytes: a larger answer is a `BadResponse`.
        transport: instead of the network, for tests.

    Raises:
        BadSpecification: a proxy or certificate file named by the environment is unusable.
    """
    client = _open_client(connection, timeouts, transport)
    opened = OpenAIChat(
        model,
        connection=connection,
        client=client,
        generator=generator,
        prices=prices,
        retries=retries,
        timeouts=timeouts,
        limiter=limiter or FixedLimiter(connection.endpoint.max_concurrency),
        max_body_bytes=max_body_bytes,
    )
    with redacted_logs(connection.key):
        try:
            yield opened
        finally:
            with trio.move_on_after(_CLOSE_SECONDS, shield=True):
                await client.aclose()


__all__ = ["DEFAULT_RETRIES", "DEFAULT_TIMEOUTS", "OpenAIChat", "Timeouts", "open_openai_chat"]
