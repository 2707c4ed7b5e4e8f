"""The host's end of the exec server's pipe against a server that lies."""

import json
import struct
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from engine.workspace import Limits, ProtocolBroken, WorkspaceLost
from engine.workspace.channel import Channel, Request

_REQUEST = Request(
    argv=["true"], cwd=".", env={}, rlimits={}, limits=Limits(output_bytes=100, wall_seconds=5)
)
_REPLY = {
    "id": 1,
    "exit_code": 0,
    "signal": None,
    "why_killed": None,
    "stdout_kept": 2,
    "stdout_bytes": 2,
    "stderr_bytes": 1,
    "wall_seconds": 0.1,
    "cpu_seconds": 0.1,
    "max_rss_bytes": 1,
}


def _frame(header: object, body: bytes = b"") -> bytes:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">II", len(encoded), len(body)) + encoded + body


async def _asked(answer: bytes, *, then_close: bool = True) -> tuple[object, int]:
    """What `Channel.run` gives or raises when the server answers with these bytes, and how often all was killed."""
    host, server = trio.testing.memory_stream_pair()
    kills = 0

    async def kill_all() -> None:
        nonlocal kills
        kills += 1
        await server.aclose()

    channel = Channel(host, host, kill_all)
    outcome: object = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.listen)
        nursery.start_soon(_answer, server, answer, then_close)
        try:
            outcome = await channel.run(_REQUEST)
        except WorkspaceLost as error:
            outcome = error
        nursery.cancel_scope.cancel()
    return outcome, kills


async def _answer(server: trio.abc.Stream, answer: bytes, then_close: bool) -> None:
    await server.receive_some(1 << 20)
    await server.send_all(answer)
    if then_close:
        await server.aclose()


async def test_a_good_reply_becomes_a_result() -> None:
    result, kills = await _asked(_frame(_REPLY, b"oke"), then_close=False)

    assert (result.exit_code, result.stdout, result.stderr, result.truncated) == (0, b"ok", b"e", False)
    assert kills == 0


@pytest.mark.parametrize(
    "answer",
    [
        _frame({**_REPLY, "id": 2}, b"oke"),
        _frame({**_REPLY, "exit_code": 256}, b"oke"),
        _frame({**_REPLY, "exit_code": "0"}, b"oke"),
        _frame({**_REPLY, "signal": 65}, b"oke"),
        _frame({**_REPLY, "cpu_seconds": -1}, b"oke"),
        _frame({**_REPLY, "cpu_seconds": 1e300}, b"oke"),
        _frame({**_REPLY, "stdout_kept": 4}, b"oke"),
        _frame({**_REPLY, "stdout_bytes": -1}, b"oke"),
        _frame({**_REPLY, "why_killed": 3}, b"oke"),
        _frame({**_REPLY, "extra": 1}, b"oke"),
        _frame({key: value for key, value in _REPLY.items() if key != "id"}, b"oke"),
        _frame({"ready": 1}),
        _frame(b"{"),
        _frame(b"\xff\xfe"),
        _frame(b"[]"),
        _frame(_REPLY, bytes(201)),
        _frame(b" " * 5000),
        struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF),
        struct.pack(">II", 10, 0xFFFFFFFF) + b"x" * 100,
    ],
)
async def test_a_forged_reply_kills_the_workspace(answer: bytes) -> None:
    outcome, kills = await _asked(answer, then_close=False)

    assert isinstance(outcome, ProtocolBroken)
    assert kills == 1


@pytest.mark.parametrize("length", [0, 3, 8, 20])
async def test_half_a_frame_and_then_nothing_is_a_lost_workspace(length: int) -> None:
    outcome, kills = await _asked(_frame(_REPLY, b"oke")[:length])

    assert type(outcome) is WorkspaceLost
    assert kills == 1


async def test_a_server_that_never_answers_is_killed_after_the_deadline(
    autojump_clock: trio.testing.MockClock,
) -> None:
    outcome, kills = await _asked(b"", then_close=False)

    assert type(outcome) is WorkspaceLost
    assert kills >= 1


async def test_a_cancelled_call_waits_for_the_kill_to_be_confirmed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    host, server = trio.testing.memory_stream_pair()
    asked: list[str] = []

    async def serve() -> None:
        for _ in range(2):
            data = await server.receive_some(1 << 20)
            asked.append(json.loads(data[8:])["op"])
        await trio.sleep(1)
        await server.send_all(
            _frame({**_REPLY, "why_killed": "cancelled", "signal": 9, "exit_code": None}, b"oke")
        )

    channel = Channel(host, host, _unexpected())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.listen)
        nursery.start_soon(serve)
        started = trio.current_time()
        with trio.move_on_after(2):
            await channel.run(_REQUEST)
        assert trio.current_time() - started == 3
        nursery.cancel_scope.cancel()

    assert asked == ["run", "kill"]


def _unexpected() -> Callable[[], Awaitable[None]]:
    async def kill_all() -> None:
        pytest.fail("the server answered, there was no need to kill it")

    return kill_all
