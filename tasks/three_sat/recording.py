"""Positions that the baseline heuristic met, recorded as the frames of the dialogue, to be asked again of others."""

from collections.abc import Callable, Sequence

import msgspec
import trio

from tasks.three_sat import driver
from tasks.three_sat.dialogue import solve_all
from tasks.three_sat.instances import Instance
from tasks.three_sat.reference import choose

_SEED = 4_711  # the same positions in every process: what is compared are times
_CAP = 1 << 40


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """Requests over one set of formulas, in order."""

    requests: tuple[tuple[bytes, int], ...]
    """Each with the most bytes that its answer may have."""
    calls: int
    """Questions in all of them."""


class RecordingBook:
    """As many recordings as are asked for, each over formulas of its own, made at first use (a tenth of a second).

    Args:
        draw: (seed, count, first=index) to formulas.
        count: formulas of a recording.
    """

    def __init__(self, draw: Callable[..., Sequence[Instance]], count: int) -> None:
        self._draw, self._count = draw, count
        self._kept: dict[int, Recording] = {}

    async def recording(self, number: int) -> Recording:
        """The recording of this number, from 0."""
        if number not in self._kept:
            formulas = self._draw(_SEED, self._count, first=number * self._count)
            tape = _Tape()
            await solve_all(formulas, tape, decision_cap=_CAP)
            self._kept[number] = Recording(requests=tuple(tape.requests), calls=tape.calls)
        return self._kept[number]


class _Tape:
    """A channel to the baseline in this process, which keeps what it is asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, int]] = []
        self.calls = 0
        self._searches: driver.Searches = {}
        self._reply = b""

    async def send_frame(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._reply = b"A" + driver.answer(self._choose, data, self._searches)
        self.requests.append((data, len(self._reply) + 10_000))

    async def receive_frame(self, limit_bytes: int) -> bytes:
        assert len(self._reply) <= limit_bytes  # it is our own
        await trio.lowlevel.checkpoint()
        return self._reply

    def _choose(
        self,
        unresolved: list[list[int]],
        assignments: dict[int, bool],
        conflict_count: dict[int, int],  # noqa: ARG002 - the heuristic's contract
        assignment_history: list[int],  # noqa: ARG002 - same
        level: int,  # noqa: ARG002 - same
    ) -> object:
        self.calls += 1
        return choose(unresolved, assignments)
