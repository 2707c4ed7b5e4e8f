"""An artefact in a one-shot sandbox: how it is opened, how it is ended, and what that cost."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path

import trio

from engine.task import Files, Measured
from engine.workspace.errors import FrameTooLarge, ProcessEnded
from engine.workspace.interface import Backend, CommandResult, Limits, Process, WorkspaceSpec

ARTEFACT = "artefact"
"""Where the artefact's files lie inside, read-only."""
_DRIVER = "driver.py"
_LAST_SECONDS = 2.0  # for a process whose input has ended; an honest one needs a hundredth of it


@asynccontextmanager
async def open_artefact(
    backend: Backend, files: Files, *, driver: Path, arguments: Sequence[str], limits: Limits
) -> AsyncGenerator[Process, None]:
    """A process that runs a driver on an artefact; nothing in its sandbox can be written.

    Args:
        backend: opens the sandbox.
        files: of the artefact.
        driver: the program, one file of the standard library only.
        arguments: of the program; paths of the artefact begin with `ARTEFACT`.
        limits: for the life of the process.
    """
    spec = WorkspaceSpec(
        files={_DRIVER: _source(driver), **{f"{ARTEFACT}/{path}": data for path, data in files.items()}},
        read_only=(_DRIVER, ARTEFACT),
        limits=limits,
        name="score",
    )
    # -S: the standard library and nothing else, so that what happens to be installed beside the interpreter neither
    # changes a score nor slows a start. Not isolated mode (-I): it would ignore the hash seed, and sets of strings
    # would not repeat.
    argv = ("python", "-S", "-s", "-P", "-B", _DRIVER, *arguments)
    async with backend.open_process(spec, argv) as process:
        yield process


@cache
def _source(driver: Path) -> bytes:
    return driver.read_bytes()


async def end(process: Process) -> CommandResult:
    """End a process that has given its last answer, and say how it went."""
    with suppress(ProcessEnded):
        await process.close_stdin()
    return await wait_or_kill(process)


async def wait_or_kill(process: Process) -> CommandResult:
    """Wait a moment for the end; then kill."""
    with trio.move_on_after(_LAST_SECONDS):
        return await process.wait()
    return await process.kill()


def measured(ended: CommandResult, **extra: float) -> Measured:
    """The meters of a process that has ended."""
    usage = ended.measured
    return Measured(
        seconds=usage.wall_seconds,
        cpu_seconds=usage.cpu_seconds,
        max_rss_bytes=usage.max_rss_bytes,
        extra=extra,
    )


class ProcessChannel:
    """A process as the `arenas.players.channel.Channel` of a player."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def send_frame(self, payload: bytes) -> None:
        """Send one frame.

        Raises:
            EOFError: where the process has gone.
        """
        try:
            await self._process.send_frame(payload)
        except ProcessEnded as error:
            raise EOFError("the player's process does not read any more") from error

    async def receive_frame(self, limit_bytes: int) -> bytes:
        """The next frame.

        Raises:
            EOFError: where the process has gone.
            ValueError: where the frame is longer than the limit.
        """
        try:
            return await self._process.receive_frame(limit_bytes)
        except ProcessEnded as error:
            raise EOFError("the player's process ended before it had answered") from error
        except FrameTooLarge as error:
            raise ValueError(f"a frame longer than {limit_bytes} bytes") from error
