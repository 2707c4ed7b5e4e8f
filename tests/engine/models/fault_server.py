"""A TCP server on loopback that answers as told: whole, in chunks, late, in pieces, cut, for ever, or not in HTTP.

It knows no dialect; what stands in an answer is spelt by `dialect_spelling`. Every request is kept, so that a test
can compare what the server was asked with what a client says that it asked.
"""

import re
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

import trio

Ending = Literal["proper", "cut", "reset", "hang", "endless"]


@dataclass(frozen=True, kw_only=True)
class Wire:
    """What goes over the wire for one request.

    Attributes:
        pieces: of the body; a number is a pause of so many seconds.
        framing: how the body's end is told; "close": by closing.
        ending: after the pieces: as the framing says, the connection closed too early, reset, kept open in
            silence, or the last piece again and again.
        delay_seconds: before the head.
        raw: sent instead of head and body.
    """

    pieces: tuple[bytes | float, ...] = ()
    status: int = 200
    content_type: str | None = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    framing: Literal["length", "chunked", "close"] = "length"
    ending: Ending = "proper"
    delay_seconds: float = 0.0
    raw: bytes | None = None

    @property
    def body(self) -> bytes:
        """The pieces together."""
        return b"".join(piece for piece in self.pieces if isinstance(piece, bytes))

    def cut(self, share: float, ending: Ending = "cut") -> "Wire":
        """The same, ended within its body."""
        return replace(self, pieces=(self.body[: int(len(self.body) * share)],), ending=ending)

    def with_headers(self, **headers: str) -> "Wire":
        """The same with more headers; names are given with underscores."""
        more = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        return replace(self, headers=(*self.headers, *more))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it arrived."""

    ordinal: int
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def call(self) -> str:
        """The call that the conversation names as ``call-…``; empty where it names none."""
        found = re.search(rb"call-(\d+)", self.body)
        return found.group().decode() if found else ""


Script = Sequence[Wire] | Callable[[Asked], Wire]


@dataclass
class FaultServer:
    """A running server."""

    origin: str
    requests: list[Asked] = field(default_factory=list)
    open_connections: int = 0
    has_left: trio.Event = field(default_factory=trio.Event)
    """Set, and replaced, when a connection has gone."""

    async def wait_until_left(self) -> None:
        """Until no connection stands."""
        while self.open_connections:
            await self.has_left.wait()

    @property
    def connections(self) -> int:
        """On how many connections requests came."""
        return len({asked.connection for asked in self.requests})


@asynccontextmanager
async def open_fault_server(script: Script) -> AsyncIterator[FaultServer]:
    """A server that answers by `script` while the block lasts; a list's last entry answers all that follow."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=1024)
    server = FaultServer(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}")
    opened = 0

    async def handle(stream: trio.SocketStream) -> None:
        nonlocal opened
        opened += 1
        server.open_connections += 1
        try:
            await _serve(stream, script, server, opened)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client went away
        finally:
            server.open_connections -= 1
            server.has_left.set()
            server.has_left = trio.Event()
            with trio.move_on_after(1, shield=True):
                await stream.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        try:
            yield server
        finally:
            nursery.cancel_scope.cancel()


async def _serve(stream: trio.SocketStream, script: Script, server: FaultServer, connection: int) -> None:
    buffered = bytearray()
    while (head := await _until(stream, buffered, b"\r\n\r\n")) is not None:
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        asked = Asked(
            ordinal=len(server.requests),
            target=first.split(" ")[1],
            headers=headers,
            body=await _exactly(stream, buffered, int(headers.get("content-length", "0"))),
            connection=connection,
        )
        server.requests.append(asked)
        wire = script(asked) if callable(script) else script[min(asked.ordinal, len(script) - 1)]
        if not await _answer(stream, wire):
            return


async def _answer(stream: trio.SocketStream, wire: Wire) -> bool:
    """Send it; whether the connection goes on."""
    await trio.sleep(wire.delay_seconds)
    if wire.raw is not None:
        await stream.send_all(wire.raw)
        return False
    await stream.send_all(_head(wire))
    for piece in wire.pieces:
        if isinstance(piece, float):
            await trio.sleep(piece)
        else:
            await stream.send_all(_framed(piece, wire))
    match wire.ending:
        case "proper":
            if wire.framing == "chunked":
                await stream.send_all(b"0\r\n\r\n")
            return wire.framing != "close"
        case "reset":
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        case "hang":
            await trio.sleep_forever()
        case "endless":
            last = wire.pieces[-1]
            assert isinstance(last, bytes)
            while True:
                await stream.send_all(_framed(last, wire))
                await trio.sleep(0.001)
        case "cut":
            pass
    return False


def _head(wire: Wire) -> bytes:
    headers = list(wire.headers)
    if wire.content_type is not None:
        headers.append(("content-type", wire.content_type))
    if wire.framing == "chunked":
        headers.append(("transfer-encoding", "chunked"))
    elif wire.framing == "length" and not any(name == "content-length" for name, _ in headers):
        # An answer that is cut announces more than it holds.
        more = 0 if wire.ending == "proper" else 1000
        headers.append(("content-length", str(len(wire.body) + more)))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {wire.status} Told\r\n{lines}\r\n".encode()


def _framed(piece: bytes, wire: Wire) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece) if wire.framing == "chunked" else piece


async def _until(stream: trio.SocketStream, buffered: bytearray, mark: bytes) -> bytes | None:
    while mark not in buffered:
        piece = await stream.receive_some()
        if not piece:
            return None
        buffered += piece
    head, _, rest = bytes(buffered).partition(mark)
    buffered[:] = rest
    return head


async def _exactly(stream: trio.SocketStream, buffered: bytearray, size: int) -> bytes:
    while len(buffered) < size:
        piece = await stream.receive_some()
        if not piece:
            raise trio.BrokenResourceError
        buffered += piece
    body = bytes(buffered[:size])
    del buffered[:size]
    return body
