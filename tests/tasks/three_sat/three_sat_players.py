"""Ways to ask a heuristic for the tests: in this process, through the driver's code, in a real subprocess."""

import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from engine.workspace.errors import FrameTooLarge, ProcessEnded
from tasks.three_sat import driver
from tasks.three_sat.instances import Instance
from tasks.three_sat.solver import Search

Heuristic = Callable[..., object]


def load_source(source: str) -> Heuristic:
    """The heuristic of this source text, run here; for our own text only."""
    namespace: dict[str, object] = {}
    exec(source, namespace)
    heuristic = namespace["heuristic"]
    assert callable(heuristic)
    return heuristic


def solve(instance: Instance, heuristic: Heuristic, *, decision_cap: int = 10**6) -> Search:
    """The finished search of one formula, asked and answered directly."""
    search = Search(instance, decision_cap=decision_cap)
    question = search.start()
    while question is not None:
        position = (
            [list(instance.clauses[index]) for index in question.clauses],
            {abs(literal): literal > 0 for literal in question.trail},
            dict(enumerate(question.conflict_counts[1:], start=1)),
            list(question.history),
            question.level,
        )
        question = search.answer(heuristic(*position))  # type: ignore[arg-type]  # our own heuristics answer well
    return search


class DirectChannel:
    """The driver's answering code, called here instead of in a process."""

    def __init__(self, source: str) -> None:
        self._heuristic = load_source(source)
        self._searches: driver.Searches = {}
        self._reply = b""

    async def send_frame(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._reply = b"A" + driver.answer(self._heuristic, data, self._searches) if data else b"R"

    async def receive_frame(self, limit_bytes: int) -> bytes:
        await trio.lowlevel.checkpoint()
        assert len(self._reply) <= limit_bytes
        return self._reply


class ScriptedChannel:
    """Gives the same reply to everything."""

    def __init__(self, reply: bytes) -> None:
        self._reply = reply

    async def send_frame(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_frame(self, limit_bytes: int) -> bytes:
        await trio.lowlevel.checkpoint()
        return self._reply


class PipeChannel:
    """Frames over the pipes of a process."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout

    async def send_frame(self, data: bytes) -> None:
        try:
            await self._stdin.send_all(len(data).to_bytes(4, "big") + data)
        except trio.BrokenResourceError as error:
            raise ProcessEnded("the process has ended") from error

    async def receive_frame(self, limit_bytes: int) -> bytes:
        length = int.from_bytes(await self._receive_exactly(4), "big")
        if length > limit_bytes:
            raise FrameTooLarge(f"a frame of {length} bytes")
        return await self._receive_exactly(length)

    async def _receive_exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            chunk = await self._stdout.receive_some(count - len(data))
            if not chunk:
                raise ProcessEnded("the process has ended")
            data += chunk
        return data


@asynccontextmanager
async def open_driver(folder: Path, source: str) -> AsyncIterator[PipeChannel]:
    """A channel to the real driver in a plain subprocess, without isolation; killed when the block ends."""
    path = folder / "heuristic.py"
    path.write_text(source)
    command = [sys.executable, "-I", "-S", driver.__file__, str(path), "heuristic"]
    process = await trio.lowlevel.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        yield PipeChannel(process)
    finally:
        process.kill()
        with trio.move_on_after(5, shield=True):
            await process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                await pipe.aclose()
