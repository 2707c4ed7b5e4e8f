"""A nursery for tasks that serve a block, without the block's own error being wrapped into a group."""

import contextlib
from collections.abc import AsyncGenerator

import trio


@contextlib.asynccontextmanager
async def open_background() -> AsyncGenerator[trio.Nursery]:
    """A nursery that is cancelled when the block ends; an error of the block comes out as it is.

    A plain nursery would hand a caller's own ``FileRefused`` out as a group of one. Cancellation goes through the
    nursery untouched, and an error of a background task still arrives in a group.
    """
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield nursery
        except Exception as error:  # noqa: BLE001 - kept only until the nursery is closed, then raised
            failure = error
        finally:
            nursery.cancel_scope.cancel()
    if failure is not None:
        try:
            raise failure
        finally:
            del failure
