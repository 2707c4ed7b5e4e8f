"""A submitted player in a plain subprocess: what a test has where a judge has a sandbox."""

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from arenas.players.channel import StreamChannel
from arenas.players.remote import DRIVER_ENVIRONMENT, RemotePlayer, driver_command


@asynccontextmanager
async def remote_player(
    folder: Path, source: str, *, seed: int = 1, round_seconds: float = 20.0, function: str = "row_strategy"
) -> AsyncIterator[RemotePlayer]:
    """A `RemotePlayer` running the source; its process is gone when the block ends."""
    path = folder / "strategy.py"
    path.write_text(source)
    process = await trio.lowlevel.open_process(
        driver_command(str(path), function),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **DRIVER_ENVIRONMENT},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    async with process.stdin, process.stdout:
        try:
            channel = StreamChannel(process.stdin, process.stdout)
            yield RemotePlayer(channel, seed=seed, round_seconds=round_seconds)
        finally:
            process.kill()
            with trio.move_on_after(5, shield=True):
                await process.wait()
