"""Reading an answer's body without trusting its size."""

import zlib

import httpx
import trio

_ANY_ZLIB = 47  # gzip or zlib, told apart by the header


async def read_at_most(response: httpx.Response, limit: int) -> bytes:
    """The first `limit` bytes of a streamed body, unpacked; what follows is not read.

    Raises:
        httpx.DecodingError: the body is packed in a way that cannot be unpacked.
        httpx.TransportError: the connection failed.
    """
    if response.is_stream_consumed:  # a mock transport's answer is whole from the start
        return response.content[:limit]
    content = bytearray()
    # Leaving the loop early would leave httpx's nested generators to the garbage collector; cancelled at their
    # next read they end in order, and the connection with them.
    with trio.CancelScope() as enough:
        async for piece in response.aiter_raw():
            content += piece[: limit - len(content)]
            if len(content) >= limit:
                enough.cancel()
    return _unpacked(bytes(content), response, limit)


def _unpacked(content: bytes, response: httpx.Response, limit: int) -> bytes:
    """The content without its encoding; httpx's own decoders have no bound (a bomb unfolds a thousandfold)."""
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding in {"", "identity"}:
        return content
    try:
        if encoding in {"gzip", "x-gzip", "deflate"}:
            return zlib.decompressobj(wbits=_ANY_ZLIB).decompress(content, limit)
    except zlib.error:
        pass
    raise httpx.DecodingError(
        f"the encoding {encoding!r} (not asked for) cannot be unpacked", request=response.request
    )
