"""Models behind an HTTP endpoint: one transport for every dialect, over httpx.

One attempt is one request. Its answer comes whole or in pieces (server-sent events), whichever the endpoint
chooses: streaming is asked for where the endpoint's data says so, and what comes is told by its content type.
What was cut off, late or never ending is a `Transient` (asked again, and counted); what is not an answer at all is
a `BadResponse` (not asked again: it may be paid for).
"""

import math
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType

import httpx
import msgspec
import numpy as np
import trio

from engine.errors import BadSpecification
from engine.models.bounded_body import TooSlow, Unpacker, read_at_most, read_pieces
from engine.models.dialect import Dialect, Reply, find_dialect
from engine.models.endpoint import Connection
from engine.models.errors import BadResponse, ModelCallError, Rejected, Transient
from engine.models.estimate import estimate_usage
from engine.models.http_events import EventSplitter, EventTooLong
from engine.models.http_failure import quote
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
_STREAM_FACTOR = 8  # a token in an event takes some hundred bytes: of a stream, so many times a body's bound
_DRAIN_SECONDS = (
    0.25  # for the end of a stream whose answer is whole, so that its connection can be used again
)
_EVENTS = "text/event-stream"
_ABOUT_STREAMING = re.compile(r"\bstream", re.IGNORECASE)


class _Whole(httpx.AsyncByteStream):
    """A request's body in one piece.

    Httpx's own is an async generator, which a call that is cancelled while it is sent leaves to the garbage collector.
    """

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body

    def __aiter__(self) -> "_Whole":
        return self

    async def __anext__(self) -> bytes:
        if self._body is None:
            raise StopAsyncIteration
        piece, self._body = self._body, None
        return piece


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that each phase of one attempt may take.

    Attributes:
        connect: until the connection stands, TLS included.
        write: between two pieces of the request that the endpoint takes.
        read: until the first, and between two, pieces of the answer.
        attempt: in all; a server that drips bytes, or a stream without an end, meets it.
        first_byte: until the answer begins, connecting and sending included; None sets no bound beside the others.
    """

    connect: float = 10.0
    write: float = 60.0
    read: float = 300.0
    attempt: float = 900.0
    first_byte: float | None = None


DEFAULT_TIMEOUTS = Timeouts()
DEFAULT_RETRIES = RetryPolicy()
DEFAULT_BODY_BYTES = 16 * 1024 * 1024


class _KeyHeader(httpx.Auth):
    """Puts the key on the request at the last moment, so that no header table of ours ever holds it."""

    def __init__(self, key: Secret | None, header: tuple[str, str]) -> None:
        self._key, (self._name, self._prefix) = key, header

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if self._key is not None:
            request.headers[self._name] = self._prefix + self._key.reveal()
        yield request


class HTTPModel:
    """One model of one endpoint. Opened by `open_http_model` (or `engine.models.open_model`)."""

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
        self._dialect: Dialect = find_dialect(connection.endpoint.dialect)
        self._generator, self._retries, self._limiter = generator, retries, limiter
        self._timeouts, self._max_body_bytes = timeouts, max_body_bytes
        self._streams = connection.endpoint.streams
        self._urls = {stream: self._url(stream=stream) for stream in (False, True)}
        self._price = find_price(self.name, connection=connection, prices=prices)

    @property
    def name(self) -> str:
        """``provider/name``."""
        return f"{self._connection.endpoint.name}/{self._model}"

    def __repr__(self) -> str:
        return f"HTTPModel({self.name!r} at {self._connection.base_url!r})"

    async def generate(
        self, conversation: Conversation, *, tools: Sequence[Tool] = (), settings: Settings = DEFAULT_SETTINGS
    ) -> Answer:
        """Continue a conversation by one assistant message.

        Raises:
            ModelCallError: see `engine.models.interface.Model.generate`.
            BadSpecification: a tool's or response's schema is not a JSON object.
        """
        request = _Request(self, conversation, tools, settings)
        async with self._limiter.slot() as waited:
            tally = Tally(waited_seconds=waited)
            reply = await call_with_retries(
                lambda: self._ask(request, tally),
                policy=self._retries,
                generator=self._generator,
                tally=tally,
            )
        usage = reply.usage or estimate_usage(conversation, tools, reply.message)
        completion = Completion(
            message=reply.message,
            stop_reason=reply.stop_reason,
            usage=usage,
            cost_usd=self._cost_usd(reply.cost_usd, usage),
            model=reply.model or self._model,
            request_id=reply.id,
            logprobs=reply.logprobs,
        )
        return Answer(completion, tally.measured())

    def request_body(
        self, conversation: Conversation, tools: Sequence[Tool], settings: Settings, *, stream: bool
    ) -> bytes:
        """What would be sent.

        Raises:
            Rejected: the conversation cannot be spelt.
            BadSpecification: a tool's or response's schema is not a JSON object.
        """
        try:
            return self._dialect.body(
                conversation,
                model=self._model,
                endpoint=self._connection.endpoint,
                tools=tools,
                settings=settings,
                stream=stream,
            )
        except UnicodeEncodeError as error:
            raise Rejected(
                f"{self.name}: the conversation holds text that is not Unicode (half a surrogate pair); "
                "replace it before asking",
                model=self.name,
            ) from error

    def _url(self, *, stream: bool) -> httpx.URL:
        return httpx.URL(f"{self._connection.base_url}/{self._dialect.path(self._model, stream=stream)}")

    def _cost_usd(self, reported: float | None, usage: Usage) -> float | None:
        if reported is not None and math.isfinite(reported):
            return reported
        return self._price.cost_usd(usage) if self._price is not None else None

    async def _ask(self, request: "_Request", tally: Tally) -> Reply:
        """One attempt; a second one at once, counted as such, where the endpoint refuses to stream."""
        streams = self._streams
        try:
            return await self._attempt(request.body(stream=streams), stream=streams)
        except Rejected as error:
            if not (streams and error.status in {400, 403, 404, 422} and _ABOUT_STREAMING.search(str(error))):
                raise
        self._streams = False
        tally.attempts += 1
        return await self._attempt(request.body(stream=False), stream=False)

    async def _attempt(self, body: bytes, *, stream: bool) -> Reply:
        """One request and its answer."""
        with trio.move_on_after(self._timeouts.attempt):
            try:
                return await self._send(body, stream=stream)
            except httpx.HTTPError as error:
                raise self._failure_of_transport(error) from error
            except TooSlow as error:
                raise Transient(
                    f"{self.name}: the answer stood still for {self._timeouts.read:g} s; try again later",
                    model=self.name,
                ) from error
        raise Transient(
            f"{self.name}: no whole answer within {self._timeouts.attempt:g} s; "
            "ask for fewer tokens or allow more time",
            model=self.name,
        )

    async def _send(self, body: bytes, *, stream: bool) -> Reply:
        longest = self._timeouts.first_byte
        headers = {"accept": f"{_EVENTS}, application/json" if stream else "application/json"}
        with trio.move_on_after(math.inf if longest is None else longest) as until_first_byte:
            request = self._client.build_request("POST", self._urls[stream], content=body, headers=headers)
            request.stream = _Whole(body)
            response = await self._client.send(request, stream=True)
            try:
                until_first_byte.deadline = math.inf
                reply = await self._read_answer(response)
            finally:
                await response.aclose()  # as httpx's own `stream` does
            name = response.headers.get("x-request-id") or response.headers.get("request-id")
            return msgspec.structs.replace(reply, id=quote(self._redacted_text(name))) if name else reply
        raise Transient(
            f"{self.name}: the answer did not begin within {longest:g} s; try again later", model=self.name
        )

    async def _read_answer(self, response: httpx.Response) -> Reply:
        if not response.is_success:
            return await self._refuse(response)
        if self._check_head(response) == _EVENTS:
            return self._without_key(await self._read_events(response))
        content = await self._read(response, self._max_body_bytes + 1)
        if len(content) > self._max_body_bytes:
            raise self._too_large()
        return self._dialect.read(content, model=self.name)

    async def _refuse(self, response: httpx.Response) -> Reply:
        """Raise what an unsuccessful status means; never returns."""
        content = await self._read(response, _ERROR_BODY_BYTES)
        raise self._dialect.failure(
            response.status_code,
            content,
            model=self.name,
            retry_after_seconds=retry_after_seconds(response.headers),
        )

    def _check_head(self, response: httpx.Response) -> str:
        """The content type of an answer that is one."""
        kind = self._redacted_text(response.headers.get("content-type", "application/json"))
        kind = kind.partition(";")[0].strip().lower()
        if kind == _EVENTS:
            return kind
        if kind != "application/json" and not kind.endswith("+json"):
            raise BadResponse(
                f"{self.name}: the answer is {quote(kind)!r} instead of JSON; is the base URL right?",
                model=self.name,
            )
        length = response.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_body_bytes:
            raise self._too_large()
        return kind

    async def _read(self, response: httpx.Response, limit: int) -> bytes:
        # Redacted before it becomes anybody's local variable: some tracebacks show those.
        return self._redacted(await read_at_most(response, limit, gap_seconds=self._timeouts.read))

    async def _read_events(self, response: httpx.Response) -> Reply:
        reader = self._dialect.reader(model=self.name)
        splitter, unpacker = EventSplitter(max_event_bytes=self._max_body_bytes), Unpacker(response)
        left = _STREAM_FACTOR * self._max_body_bytes

        def take(piece: bytes) -> float | None:
            nonlocal left
            plain = unpacker.unpack(piece, left + 1)
            left -= len(plain)
            if left < 0:
                raise self._too_large()
            for event, data in splitter.feed(plain):
                reader.feed(event, self._redacted(data))
                if reader.is_done:
                    return _DRAIN_SECONDS
            return None

        try:
            await read_pieces(response, take, gap_seconds=self._timeouts.read)
        except EventTooLong as error:
            raise self._too_large() from error
        return reader.reply()

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

    def _without_key(self, reply: Reply) -> Reply:
        """The same answer; a key that came in pieces, each harmless, is only seen in the whole."""
        if self._connection.key is None:
            return reply
        content = msgspec.json.encode(reply)
        redacted = self._redacted(content)
        return reply if redacted == content else msgspec.json.decode(redacted, type=Reply)


class _Request:
    """What one call asks for, spelt at most once for each way of answering."""

    def __init__(
        self, model: HTTPModel, conversation: Conversation, tools: Sequence[Tool], settings: Settings
    ) -> None:
        self._model, self._asked = model, (conversation, tools, settings)
        self._bodies: dict[bool, bytes] = {}

    def body(self, *, stream: bool) -> bytes:
        """The request's JSON."""
        if stream not in self._bodies:
            self._bodies[stream] = self._model.request_body(*self._asked, stream=stream)
        return self._bodies[stream]


def _open_client(
    connection: Connection, timeouts: Timeouts, transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    endpoint, dialect = connection.endpoint, find_dialect(connection.endpoint.dialect)
    # The scopes around reading hold both bounds; what httpx holds for each read must not strike before them.
    longest_read = max(timeouts.read, timeouts.first_byte or 0.0)
    try:
        return httpx.AsyncClient(
            auth=_KeyHeader(connection.key, dialect.key_header),
            headers={
                "content-type": "application/json",
                "accept-encoding": "identity",
                "user-agent": "mlyceum",
                **dialect.headers(endpoint),
                **endpoint.headers,
            },
            timeout=httpx.Timeout(
                connect=timeouts.connect, read=longest_read, write=timeouts.write, pool=None
            ),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=60.0),
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
async def open_http_model(
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
) -> AsyncGenerator[HTTPModel, None]:
    """A model whose connections are kept open while the block lasts and closed (within bounds) after it.

    Args:
        model: the endpoint's own name for it.
        connection: where, in which dialect and with which key; see `engine.models.endpoint.connect`.
        generator: draws the jitter of retries, and nothing else.
        prices: by ``provider/name``.
        retries: bounds on asking again.
        timeouts: bounds on one attempt.
        limiter: shared by the models of one endpoint; by default one with the endpoint's `max_concurrency`.
        max_body_bytes: a larger answer, or event of a stream, is a `BadResponse`.
        transport: instead of the network, for tests.

    Raises:
        BadSpecification: a proxy or certificate file named by the environment is unusable.
    """
    client = _open_client(connection, timeouts, transport)
    opened = HTTPModel(
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


__all__ = ["DEFAULT_RETRIES", "DEFAULT_TIMEOUTS", "HTTPModel", "Timeouts", "open_http_model"]
