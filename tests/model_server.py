"""A scripted, OpenAI-compatible Chat Completions server on loopback: real HTTP, honest and dishonest answers.

In a test::

    async with open_model_server([completion("hello"), rate_limited(retry_after="2")]) as server:
        async with open_model("local/any", base_url=server.base_url, generator=generator) as model: ...
    assert server.requests[0].body["messages"]

In another process, for a command under test::

    python tests/model_server.py --port 8000 --script echo
    python tests/model_server.py --port 0 --script path/to/script.py:answer   # from ChatRequest to Reply

A script is a list of replies (asking beyond its end is answered with status 400) or a function.
"""

import argparse
import importlib.util
import itertools
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import trio


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """One request as it arrived; header names are in lower case."""

    ordinal: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    connection: int
    """Which connection it came on: equal numbers mean that a connection was reused."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer. `cut_after` closes the connection after that many bytes of the body."""

    status: int = 200
    body: bytes = b"{}"
    content_type: str | None = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    cut_after: int | None = None
    says_length: bool = True
    """Without its length a body ends where the connection does."""
    drip_seconds: float | None = None
    """Send one byte at a time, this far apart."""

    def after(self, seconds: float) -> "Reply":
        """The same answer, later."""
        return replace(self, delay_seconds=seconds)


Script = Sequence[Reply] | Callable[[ChatRequest], Reply]


def completion(
    text: str | None = None,
    *,
    tool_calls: Sequence[tuple[str, Any]] = (),
    finish_reason: str | None = None,
    usage: Mapping[str, Any] | None = None,
    model: str = "served-model",
    ordinal: int = 0,
    **message_fields: Any,
) -> Reply:
    """A completion; each tool call is (name, arguments), arguments that are no text are rendered to JSON."""
    calls = [
        {
            "id": f"call_{ordinal}_{index}",
            "type": "function",
            "function": {
                "name": name,
                "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments),
            },
        }
        for index, (name, arguments) in enumerate(tool_calls)
    ]
    message = {
        "role": "assistant",
        "content": text,
        **({"tool_calls": calls} if calls else {}),
        **message_fields,
    }
    reason = finish_reason or ("tool_calls" if calls else "stop")
    counted = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15} if usage is None else usage
    return raw_json(
        {
            "id": f"chatcmpl-{ordinal}",
            "object": "chat.completion",
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
            "usage": counted,
        }
    )


def raw_json(content: Any, **fields: Any) -> Reply:
    """Any JSON."""
    return Reply(body=json.dumps(content).encode(), **fields)


def failure(status: int, message: str = "no", *, code: str | None = None, **headers: str) -> Reply:
    """An error in OpenAI's form; headers are given with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return raw_json(
        {"error": {"message": message, "type": "error", "code": code}}, status=status, headers=named
    )


def rate_limited(retry_after: str | None = None, **headers: str) -> Reply:
    """Status 429; `retry_after` is seconds or an HTTP date."""
    asked = {} if retry_after is None else {"retry_after": retry_after}
    return failure(429, "slow down", code="rate_limit_exceeded", **asked, **headers)


def server_error() -> Reply:
    """Status 500 with a page that is not JSON."""
    return Reply(status=500, body=b"<html>oops</html>", content_type="text/html")


def cut_off() -> Reply:
    """A completion whose connection closes in the middle."""
    return replace(completion("never whole"), cut_after=20)


def malformed_json() -> Reply:
    """Success, announced as JSON, and broken off."""
    return Reply(body=b'{"choices": [{"message": {"content": "hel')


def wrong_content_type() -> Reply:
    """Success, but a web page: a base URL that leads to a front end."""
    return Reply(body=b"<html>welcome</html>", content_type="text/html; charset=utf-8")


def empty_choices() -> Reply:
    """A completion without choices."""
    return raw_json({"id": "x", "model": "m", "choices": [], "usage": None})


def oversize(size: int) -> Reply:
    """A completion with a text of `size` bytes."""
    return completion("x" * size)


@dataclass
class ModelServer:
    """A running server: where it is and what it was asked."""

    base_url: str
    requests: list[ChatRequest]
    failures: list[str]
    """Faults of the script itself (it raised); they are answered with status 400."""

    open_connections: int = 0
    """Connections that stand now."""
    changed: trio.Event = field(default_factory=trio.Event)
    """Set, and replaced, when a request has come or a connection has gone."""

    async def wait_until_asked(self, count: int = 1) -> None:
        """Until so many requests have come in all."""
        while len(self.requests) < count:
            await self.changed.wait()

    async def wait_until_left(self) -> None:
        """Until no connection stands."""
        while self.open_connections:
            await self.changed.wait()

    def tell(self) -> None:
        """Wake those who wait."""
        self.changed.set()
        self.changed = trio.Event()


@asynccontextmanager
async def open_model_server(script: Script, *, port: int = 0) -> AsyncIterator[ModelServer]:
    """A server that answers from `script` while the block lasts."""
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    number = listeners[0].socket.getsockname()[1]
    server = ModelServer(base_url=f"http://127.0.0.1:{number}/v1", requests=[], failures=[])
    connections = itertools.count()

    async def handle(stream: trio.SocketStream) -> None:
        server.open_connections += 1
        try:
            await _serve_connection(stream, script, server, next(connections))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client went away
        finally:
            server.open_connections -= 1
            server.tell()
            with trio.move_on_after(1, shield=True):
                await stream.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        try:
            yield server
        finally:
            nursery.cancel_scope.cancel()


async def _serve_connection(
    stream: trio.SocketStream, script: Script, server: ModelServer, connection: int
) -> None:
    buffered = bytearray()
    while (head := await _read_head(stream, buffered)) is not None:
        method, path, headers = head
        body = await _read_exactly(stream, buffered, int(headers.get("content-length", "0")))
        request = ChatRequest(
            ordinal=len(server.requests),
            method=method,
            path=path,
            headers=headers,
            body=json.loads(body or b"{}"),
            connection=connection,
        )
        server.requests.append(request)
        server.tell()
        if not await _answer(stream, _reply_to(request, script, server)):
            return


def _reply_to(request: ChatRequest, script: Script, server: ModelServer) -> Reply:
    if not request.path.endswith("/chat/completions") or request.method != "POST":
        return failure(404, f"no such path: {request.method} {request.path}")
    if not callable(script):
        if request.ordinal < len(script):
            return script[request.ordinal]
        return failure(400, f"the script holds {len(script)} replies")
    try:
        return script(request)
    except Exception as error:  # noqa: BLE001 - a faulty script must not look like a broken network
        server.failures.append(repr(error))
        return failure(400, f"the script failed: {error!r}")


async def _answer(stream: trio.SocketStream, reply: Reply) -> bool:
    """Send a reply; whether the connection goes on."""
    await trio.sleep(reply.delay_seconds)
    length = {"content-length": str(len(reply.body))} if reply.says_length else {}
    headers = {**length, **reply.headers}
    if reply.content_type is not None:
        headers.setdefault("content-type", reply.content_type)
    head = f"HTTP/1.1 {reply.status} Scripted\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    await stream.send_all(head.encode() + b"\r\n")
    if reply.cut_after is not None:
        await stream.send_all(reply.body[: reply.cut_after])
        return False
    if reply.drip_seconds is not None:
        for byte in reply.body:
            await stream.send_all(bytes([byte]))
            await trio.sleep(reply.drip_seconds)
        return True
    await stream.send_all(reply.body)
    return reply.says_length


async def _read_head(
    stream: trio.SocketStream, buffered: bytearray
) -> tuple[str, str, dict[str, str]] | None:
    """Method, path and headers of the next request; None where the client has closed."""
    while b"\r\n\r\n" not in buffered:
        piece = await stream.receive_some()
        if not piece:
            return None
        buffered += piece
    head, _, rest = bytes(buffered).partition(b"\r\n\r\n")
    buffered[:] = rest
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    return method, path, {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _read_exactly(stream: trio.SocketStream, buffered: bytearray, size: int) -> bytes:
    while len(buffered) < size:
        piece = await stream.receive_some()
        if not piece:
            raise trio.BrokenResourceError
        buffered += piece
    body = bytes(buffered[:size])
    del buffered[:size]
    return body


def echo(request: ChatRequest) -> Reply:
    """Repeats the last message's text."""
    said = request.body["messages"][-1].get("content") or ""
    return completion(f"you said: {said}", ordinal=request.ordinal)


def call_first_tool(request: ChatRequest) -> Reply:
    """Calls the first tool that is offered, without arguments, until a tool has answered; then echoes."""
    tools = request.body.get("tools", [])
    if not tools or request.body["messages"][-1]["role"] == "tool":
        return echo(request)
    return completion(tool_calls=[(tools[0]["function"]["name"], {})], ordinal=request.ordinal)


def flaky(request: ChatRequest) -> Reply:
    """Fails three times in four, each time otherwise, then echoes."""
    bad = [rate_limited(retry_after_ms="50"), server_error(), cut_off()]
    return (bad[request.ordinal % 4 : request.ordinal % 4 + 1] or [echo(request)])[0]


SCRIPTS: dict[str, Callable[[ChatRequest], Reply]] = {
    "echo": echo,
    "tools": call_first_tool,
    "flaky": flaky,
    "slow": lambda request: echo(request).after(2.0),
    "rate-limited": lambda request: rate_limited("1"),
    "server-error": lambda request: server_error(),
    "cut-off": lambda request: cut_off(),
    "malformed": lambda request: malformed_json(),
    "web-page": lambda request: wrong_content_type(),
    "empty": lambda request: empty_choices(),
    "oversize": lambda request: oversize(32 * 1024 * 1024),
    "unauthorised": lambda request: failure(401, "Incorrect API key provided"),
}


def _load_script(name: str) -> Callable[[ChatRequest], Reply]:
    if name in SCRIPTS:
        return SCRIPTS[name]
    path, _, function = name.rpartition(":")
    # A script file says `from model_server import …` and must meet these very classes.
    sys.modules.setdefault("model_server", sys.modules[__name__])
    spec = importlib.util.spec_from_file_location("model_script", path)
    if spec is None or spec.loader is None:
        sys.exit(f"no script {name!r}; known: {', '.join(SCRIPTS)}, or path/to/file.py:function")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    loaded: Callable[[ChatRequest], Reply] = getattr(module, function)
    return loaded


async def _serve_forever(script: Script, port: int) -> None:
    async with open_model_server(script, port=port) as server:
        print(f"listening on {server.base_url}", flush=True)
        await trio.sleep_forever()


def main() -> None:
    """Serve until interrupted; the first line printed says where."""
    parser = argparse.ArgumentParser(description="A scripted OpenAI-compatible server on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--script", default="echo", help=f"{', '.join(SCRIPTS)}, or path/to/file.py:function")
    options = parser.parse_args()
    # This folder holds `engine/` too; a script that imports the engine must find the real one beside it.
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    try:
        trio.run(_serve_forever, _load_script(options.script), options.port)
    except* KeyboardInterrupt:
        print("stopped", flush=True)


if __name__ == "__main__":
    main()
