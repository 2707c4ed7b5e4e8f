"""Tasks that serve a block: alive until the block has ended, also while it is being cancelled."""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVarTuple

import trio

Arguments = TypeVarTuple("Arguments")


class Background:
    """Starts tasks that serve a block; made by `open_background`."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._scopes: list[trio.CancelScope] = []

    def start_soon(self, task: Callable[[*Arguments], Awaitable[None]], *args: *Arguments) -> None:
        """Start a task that is cancelled when the block has ended, and not before."""
        scope = trio.CancelScope(shield=True)
        self._scopes.append(scope)

        async def serve() -> None:
            with scope:
                await task(*args)

        self._nursery.start_soon(serve)

    def cancel(self) -> None:
        """Cancel all tasks."""
        for scope in self._scopes:
            scope.cancel()


@contextlib.asynccontextmanager
async def open_background() -> AsyncGenerator[Background]:
    """Tasks for the time of a block; an error of the block comes out as it is.

    Two things differ from a plain nursery. A cancellation from outside reaches the block only: its clean-up still
    needs who buries a child and who reads replies. And a caller's own ``FileRefused`` is not wrapped into a group of
    one; an error of a background task still arrives in a group.
    """
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        background = Background(nursery)
        try:
            yield background
        except Exception as error:  # noqa: BLE001 - kept only until the nursery is closed, then raised
            failure = error
        finally:
            background.cancel()
    if failure is not None:
        try:
            raise failure
        finally:
            del failure
