"""Reading an answer's body without trusting its size, its speed or its packing."""

import zlib
from collections.abc import Callable

import httpx
import trio

_ANY_ZLIB = 47  # gzip or zlib, told apart by the header


class TooSlow(Exception):
    """Raised when the next piece of a body did not come in time."""


async def read_pieces(
    response: httpx.Response, take: Callable[[bytes], float | None], *, gap_seconds: float
) -> None:
    """Hand over a streamed body piece by piece, as it comes off the wire, until `take` has enough.

    Args:
        response: open and unread.
        take: is given each piece; returns None for more, or how many seconds the body's end may be waited for (0
            ends the reading). A body that is read to its end leaves its connection fit for the next call.
        gap_seconds: longest wait for the next piece.

    Raises:
        TooSlow: a piece did not come in time.
        httpx.TransportError: the connection failed.
    """
    if response.is_stream_consumed:  # a mock transport's answer is whole from the start
        take(response.content)
        return
    is_enough, fault = False, None
    # Leaving the loop early would leave httpx's nested generators to the garbage collector; cancelled at their
    # next read they end in order, and the connection with them.
    with trio.CancelScope(deadline=trio.current_time() + gap_seconds) as scope:
        try:
            async for piece in response.aiter_raw():
                if is_enough:
                    continue
                try:
                    patience = take(piece)
                except Exception as error:  # noqa: BLE001 - raised again below, once the generators have ended
                    patience, fault = 0.0, error
                is_enough = patience is not None
                if patience == 0:
                    scope.cancel()
                else:
                    scope.deadline = trio.current_time() + (gap_seconds if patience is None else patience)
        except httpx.TransportError:
            if not is_enough:  # what breaks after the answer is whole does not undo it
                raise
    if fault is not None:
        raise fault
    if scope.cancelled_caught and not is_enough:
        raise TooSlow


async def read_at_most(response: httpx.Response, limit: int, *, gap_seconds: float) -> bytes:
    """The first `limit` bytes of a streamed body, unpacked; what follows is not read.

    Raises:
        TooSlow: a piece did not come in time.
        httpx.DecodingError: the body is packed in a way that cannot be unpacked.
        httpx.TransportError: the connection failed.
    """
    content = bytearray()
    unpacker = Unpacker(response)

    def take(piece: bytes) -> float | None:
        content.extend(unpacker.unpack(piece, limit - len(content)))
        return 0 if len(content) >= limit else None

    await read_pieces(response, take, gap_seconds=gap_seconds)
    return bytes(content)


class Unpacker:
    """Takes off a body's content encoding; httpx's own decoders have no bound (a bomb unfolds a thousandfold).

    Raises:
        httpx.DecodingError: when an unknown encoding is named.
    """

    def __init__(self, response: httpx.Response) -> None:
        self._encoding = response.headers.get("content-encoding", "identity").lower()
        self._request = response.request
        # Only httpx.Response.content, where a mock transport filled it in, has been unpacked already.
        is_plain = self._encoding in {"", "identity"} or response.is_stream_consumed
        self._zlib = None if is_plain else zlib.decompressobj(wbits=_ANY_ZLIB)
        if not is_plain and self._encoding not in {"gzip", "x-gzip", "deflate"}:
            raise self._cannot()

    def unpack(self, piece: bytes, limit: int) -> bytes:
        """At most `limit` bytes of what this piece holds.

        Raises:
            httpx.DecodingError: it is not what the encoding says.
        """
        if self._zlib is None:
            return piece[:limit]
        try:
            return self._zlib.decompress(piece, limit) if limit > 0 else b""
        except zlib.error as error:
            raise self._cannot() from error

    def _cannot(self) -> httpx.DecodingError:
        return httpx.DecodingError(
            f"the encoding {self._encoding!r} (not asked for) cannot be unpacked", request=self._request
        )
