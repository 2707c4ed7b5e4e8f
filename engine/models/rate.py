"""How many calls an endpoint serves at once, and how long a call waited for its turn."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import trio


class CallLimiter(Protocol):
    """Decides when a call may go out. One limiter belongs to one endpoint and is shared by its models."""

    def slot(self) -> AbstractAsyncContextManager[float]:
        """A place in flight while the block lasts; gives the seconds waited for it.

        The place spans a call's retries. A call that ends badly leaves the block by its error, so that an
        implementation may learn from what it sees.
        """
        ...


class FixedLimiter:
    """At most `capacity` calls in flight, in order of asking (first come, first served).

    Args:
        capacity: calls in flight at once; at least 1.
    """

    def __init__(self, capacity: int) -> None:
        self._limiter = trio.CapacityLimiter(capacity)

    @property
    def capacity(self) -> int:
        """Calls that may be in flight at once."""
        return int(self._limiter.total_tokens)

    @property
    def in_flight(self) -> int:
        """Calls in flight now."""
        return self._limiter.borrowed_tokens

    @property
    def waiting(self) -> int:
        """Calls in the queue now."""
        return self._limiter.statistics().tasks_waiting

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[float, None]:
        """A place in flight while the block lasts; gives the seconds waited for it."""
        # A borrower of its own: a model that wraps another may hold two places in one task.
        borrower = object()
        asked_at = trio.current_time()
        await self._limiter.acquire_on_behalf_of(borrower)
        try:
            yield trio.current_time() - asked_at
        finally:
            self._limiter.release_on_behalf_of(borrower)
