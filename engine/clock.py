"""One clock for everything: trio's real one, or a virtual one that jumps to the next thing that happens.

Engine code asks only trio for the time (`trio.current_time`, `trio.sleep`, timeouts), so the same code runs in a
laboratory where a thousand hours of waiting take seconds. Under the virtual clock nothing may wait on the outside:
to the clock, a blocked socket looks like an idle one.
"""

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, TypeAlias, TypeVar

import trio
import trio.testing

from engine.errors import UserError

ClockName: TypeAlias = Literal["real", "virtual"]
T = TypeVar("T")


class Port(Protocol):
    """Something through which an episode may reach the outside."""

    @property
    def outside(self) -> bool:
        """Whether it waits on the real world."""
        ...


def run(main: Callable[[], Awaitable[T]], *, clock: ClockName = "real", ports: tuple[Port, ...] = ()) -> T:
    """Run an async function to its end under a clock.

    Args:
        main: what to run.
        clock: ``virtual`` jumps over all waiting.
        ports: everything that ``main`` reaches the outside by.

    Raises:
        UserError: for a virtual clock with a port to the real world.
    """
    if clock == "real":
        return trio.run(main)
    for port in ports:
        if port.outside:
            raise UserError(
                f"virtual time cannot wait for {type(port).__name__}, which works in the real world; "
                "use its simulated counterpart, or the real clock"
            )
    # A threshold above 0 would make every event cost a real millisecond.
    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
