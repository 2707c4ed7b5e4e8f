"""Length-prefixed frames over a pair of byte streams: four bytes big-endian, then so many bytes."""

import struct
from typing import Protocol

import trio

_HEADER = struct.Struct(">I")
_READ_BYTES = 1 << 16


class Channel(Protocol):
    """How the judge talks to a player's process; whoever owns the process provides it."""

    async def send_frame(self, payload: bytes) -> None:
        """Send one frame.

        Raises:
            EOFError: where the other side has gone.
        """
        ...

    async def receive_frame(self, limit_bytes: int) -> bytes:
        """The next frame.

        Raises:
            EOFError: where the other side has gone.
            ValueError: where the frame is longer than the limit; nothing of it has been kept.
        """
        ...


class StreamChannel:
    """A `Channel` over the standard input and output of a process, as trio gives them.

    Args:
        to_player: the process's standard input.
        from_player: its standard output.
    """

    def __init__(self, to_player: trio.abc.SendStream, from_player: trio.abc.ReceiveStream) -> None:
        self._to_player = to_player
        self._from_player = from_player
        self._buffer = bytearray()

    async def send_frame(self, payload: bytes) -> None:
        """Send one frame; a checkpoint.

        Raises:
            EOFError: where the other side has gone.
        """
        try:
            await self._to_player.send_all(_HEADER.pack(len(payload)) + payload)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise EOFError("the player's process does not read any more") from error

    async def receive_frame(self, limit_bytes: int) -> bytes:
        """The next frame; a checkpoint.

        Raises:
            EOFError: where the other side has gone.
            ValueError: where the frame is longer than the limit.
        """
        (length,) = _HEADER.unpack(await self._receive_exactly(_HEADER.size))
        if length > limit_bytes:
            raise ValueError(f"a frame of {length} bytes, at most {limit_bytes} expected")
        return await self._receive_exactly(length)

    async def _receive_exactly(self, count: int) -> bytes:
        await trio.lowlevel.checkpoint()
        while len(self._buffer) < count:
            try:
                chunk = await self._from_player.receive_some(_READ_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise EOFError("the player's pipe is closed") from error
            if not chunk:
                raise EOFError("the player's process ended in the middle of an answer")
            self._buffer += chunk
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken
