"""What the kernel does not limit for a whole sandbox, looked at from outside while it is open."""

import os

import trio

from engine.workspace import tree
from engine.workspace.channel import Channel
from engine.workspace.interface import Limits

MOST_FILES = 50_000
"""Files, folders and links in a workspace: empty ones take no space, but about 1 KiB of the kernel's memory each."""
_LOOK_SECONDS = 0.25
_SERVER_BYTES = 64 << 20


async def guard_workspace(
    channel: Channel, launcher: int, folder: int, limits: Limits, *, memory: bool
) -> None:
    """Close the workspace when it holds too many files or, without a control group, too much memory.

    Args:
        channel: to the exec server; closed with the reason.
        launcher: host's process id above everything inside.
        folder: open descriptor of the workspace.
        limits: of the whole workspace.
        memory: whether nobody else limits the memory of all processes together.
    """
    while True:
        await trio.sleep(_LOOK_SECONDS)
        counted = os.fstatvfs(folder)
        if counted.f_files - counted.f_ffree > MOST_FILES:
            await channel.close(
                f"the workspace held more than {MOST_FILES} files and was closed; write fewer"
            )
            return
        if memory and tree.sample(launcher).rss_bytes > limits.memory_bytes + _SERVER_BYTES:
            await channel.close(
                f"all processes together took more than {limits.memory_bytes} bytes and the workspace was closed; "
                "use less memory or raise Limits.memory_bytes"
            )
            return
