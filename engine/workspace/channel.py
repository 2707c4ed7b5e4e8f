"""The host's end of the exec server's pipe. What comes back is untrusted: bounded, typed, matched to a request."""

import json
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated

import msgspec
import trio

from engine.workspace.errors import ProtocolBroken, WorkspaceLost
from engine.workspace.interface import CommandResult, Limits, Usage

_HEAD = struct.Struct(">II")
_HEADER_BYTES = 1 << 12
_GRACE_SECONDS = 10.0
"""How long after a command's own deadline the server may take to say so, before it is held to be stuck."""
_KILL_SECONDS = 5.0

_Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 60)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, lt=1e9)]


class _Ready(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    ready: int


class _Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: int
    exit_code: Annotated[int, msgspec.Meta(ge=0, le=255)] | None
    signal: Annotated[int, msgspec.Meta(ge=1, le=64)] | None
    why_killed: str | None
    stdout_kept: _Count
    stdout_bytes: _Count
    stderr_bytes: _Count
    wall_seconds: _Seconds
    cpu_seconds: _Seconds
    max_rss_bytes: _Count


_ready = msgspec.json.Decoder(_Ready)
_reply = msgspec.json.Decoder(_Reply)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One command to run, as the server wants it."""

    argv: Sequence[str]
    stdin: bytes = b""
    source: bytes | None = None
    """Python source to run in a fork of the server; None runs `argv` as a program."""
    cwd: str
    env: Mapping[str, str]
    rlimits: Mapping[str, int]
    limits: Limits


class _Pending:
    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.done = trio.Event()
        self.result: CommandResult | None = None


class Channel:
    """Requests and replies over two streams; many may be in flight."""

    def __init__(
        self,
        to_server: trio.abc.SendStream,
        from_server: trio.abc.ReceiveStream,
        kill_all: Callable[[], Awaitable[None]],
    ) -> None:
        self._to, self._from = to_server, from_server
        self._kill_all = kill_all
        self._pending: dict[int, _Pending] = {}
        self._next = 1
        self._sending = trio.Lock()
        self._lost: WorkspaceLost | None = None
        self._inbox = bytearray()

    async def wait_ready(self) -> None:
        """Wait until the server says that it serves.

        Raises:
            WorkspaceLost: when it ends before, or says something else.
        """
        header, _ = await self._frame(0)
        try:
            _ready.decode(header)
        except msgspec.DecodeError as error:
            raise ProtocolBroken(f"the exec server did not begin with its greeting: {error}") from None

    async def listen(self) -> None:
        """Take replies until the server is gone. Runs for the channel's whole life."""
        try:
            while True:
                self._take(*await self._frame(self._body_limit()))
        except WorkspaceLost as error:
            await self._lose(error)

    async def close(self, why: str = "the workspace was closed while a command ran in it") -> None:
        """Kill everything inside and let the calls go that still wait: no reply will come."""
        with trio.move_on_after(_KILL_SECONDS, shield=True):
            await self._lose(WorkspaceLost(why))

    async def _lose(self, error: WorkspaceLost) -> None:
        self._lost = self._lost or error
        await self._kill_all()
        for pending in self._pending.values():
            pending.done.set()

    def _body_limit(self) -> int:
        return 2 * max((each.limits.output_bytes for each in self._pending.values()), default=0)

    def _take(self, header: bytes, body: bytes) -> None:
        try:
            reply = _reply.decode(header)
        except msgspec.DecodeError as error:
            raise ProtocolBroken(f"the exec server's reply is not valid: {error}") from None
        pending = self._pending.get(reply.id)
        if pending is None:
            raise ProtocolBroken(f"the exec server answered command {reply.id}, which was not asked")
        pending.result = _result(reply, body)
        del self._pending[reply.id]
        pending.done.set()

    async def _frame(self, body_limit: int) -> tuple[bytes, bytes]:
        header_length, body_length = _HEAD.unpack(await self._exactly(_HEAD.size))
        # The limit that was in force when we began to wait may be older than the request that is answered.
        body_limit = max(body_limit, self._body_limit())
        if header_length > _HEADER_BYTES or body_length > body_limit:
            raise ProtocolBroken(
                f"the exec server announced {header_length}+{body_length} bytes, "
                f"at most {_HEADER_BYTES}+{body_limit} were asked for"
            )
        return await self._exactly(header_length), await self._exactly(body_length)

    async def _exactly(self, count: int) -> bytes:
        while len(self._inbox) < count:
            try:
                data = await self._from.receive_some(1 << 16)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            if not data:
                raise WorkspaceLost("the workspace's exec server is gone; open a new workspace")
            self._inbox += data
        taken = bytes(self._inbox[:count])
        del self._inbox[:count]
        return taken

    async def _send(self, header: Mapping[str, object], body: bytes) -> None:
        # msgspec refuses the lone surrogates by which Python carries undecodable bytes in arguments.
        encoded = json.dumps(header).encode()
        async with self._sending:
            try:
                await self._to.send_all(_HEAD.pack(len(encoded), len(body)) + encoded + body)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                raise self._lost or WorkspaceLost(
                    "the workspace's exec server is gone; open a new one"
                ) from None

    async def run(self, request: Request) -> CommandResult:
        """Run one command; when this is cancelled its processes are dead before it returns.

        Raises:
            WorkspaceLost: when the server is gone or stuck; then everything inside has been killed.
        """
        if self._lost is not None:
            await trio.lowlevel.checkpoint()
            raise self._lost
        number, self._next = self._next, self._next + 1
        pending = self._pending[number] = _Pending(request.limits)
        try:
            with trio.move_on_after(request.limits.wall_seconds + _GRACE_SECONDS):
                await self._ask(number, request)
                await pending.done.wait()
        finally:
            if not pending.done.is_set():
                await self._give_up(number, pending)
        if pending.result is not None:
            return pending.result
        raise self._lost or WorkspaceLost("the exec server is stuck and was killed; open a new workspace")

    async def _ask(self, number: int, request: Request) -> None:
        header = {
            "op": "run" if request.source is None else "python",
            "id": number,
            "argv": list(request.argv),
            "cwd": request.cwd,
            "env": dict(request.env),
            "rlimits": dict(request.rlimits),
            "wall_seconds": request.limits.wall_seconds,
            "output_bytes": request.limits.output_bytes,
            "source_length": len(request.source or b""),
        }
        # A request that is cut in the middle would garble all that follow it: once begun it is sent whole.
        with trio.CancelScope(shield=True), trio.move_on_after(_GRACE_SECONDS) as scope:
            await self._send(header, (request.source or b"") + request.stdin)
        if scope.cancelled_caught:
            await self._lose(WorkspaceLost("the exec server takes no requests and was killed"))

    async def _give_up(self, number: int, pending: _Pending) -> None:
        """Have the server kill the command; if it does not answer, kill the server and all else."""
        with trio.move_on_after(_KILL_SECONDS, shield=True) as scope:
            try:
                await self._send({"op": "kill", "id": number}, b"")
                await pending.done.wait()
            except WorkspaceLost:
                return
        if scope.cancelled_caught:
            with trio.move_on_after(_KILL_SECONDS, shield=True):
                await self._lose(WorkspaceLost("the exec server did not answer and was killed"))


def _result(reply: _Reply, body: bytes) -> CommandResult:
    if reply.stdout_kept > len(body):
        raise ProtocolBroken("the exec server's reply is shorter than it says")
    stdout, stderr = body[: reply.stdout_kept], body[reply.stdout_kept :]
    timed_out = reply.why_killed == "wall"
    over_cpu, over_file = reply.signal == 24, reply.signal == 25
    return CommandResult(
        exit_code=reply.exit_code,
        signal=reply.signal,
        stdout=stdout,
        stderr=stderr,
        truncated=reply.stdout_bytes > len(stdout) or reply.stderr_bytes > len(stderr),
        stdout_bytes=reply.stdout_bytes,
        stderr_bytes=reply.stderr_bytes,
        timed_out=timed_out,
        limit="wall" if timed_out else "cpu" if over_cpu else "file" if over_file else None,
        measured=Usage(
            wall_seconds=reply.wall_seconds,
            cpu_seconds=reply.cpu_seconds,
            max_rss_bytes=reply.max_rss_bytes,
        ),
    )
