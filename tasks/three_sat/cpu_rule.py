"""Is a heuristic's CPU time at most 1.5 times the baseline's? Measured by the host, beside each other.

The time of a run is that of its whole sandbox between readiness and last answer, less what answering costs in itself, as
a heuristic that does next to nothing shows it. Where the ratio to remembered rates is far from the limit, that decides.
Else the three take turns on the same recorded positions, which costs this side nothing, and the median of the turns'
ratios decides: what a busy machine does to one it does to all. What is compared is the time of a call on the same
positions times the calls that each needs. (On two cores with load 7 the ratio repeats to about 3 %.)
"""

import statistics
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from engine.task import Files
from engine.workspace.errors import FrameTooLarge, ProcessEnded
from engine.workspace.interface import Backend, Limits, Process
from tasks.one_shot import ARTEFACT, open_artefact
from tasks.three_sat import driver
from tasks.three_sat.dialogue import HeuristicFault, wait_ready
from tasks.three_sat.heuristics import BASELINE, NULL
from tasks.three_sat.recording import Recording, RecordingBook

LARGEST_RATIO: Final = 1.5
CLEARLY_ABOVE: Final = 5.0
"""A ratio that one measurement may call too large, whatever the machine was busy with."""
_CLEARLY_WITHIN: Final = 1.0
_NEAR: Final = 0.12
_TURNS: Final = 6
_MORE_TURNS: Final = 12
_SHORTEST: Final = 1e-7
_DRIVER: Final = Path(driver.__file__)


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """CPU seconds a call."""

    answering: float
    """Of the dialogue itself."""
    baseline: float
    """Of the baseline heuristic, answering taken off."""


class CpuRule:
    """Judges CPU ratios on one kind of formulas; remembers the baseline's rates.

    Args:
        backend: opens the sandboxes.
        limits: of each of them.
        book: positions of that kind.
    """

    def __init__(self, backend: Backend, limits: Limits, book: RecordingBook) -> None:
        self._backend, self._limits, self._book = backend, limits, book
        self._rates: Rates | None = None

    async def ratio(self, cpu_seconds: float, *, calls: int, baseline_calls: int) -> float:
        """A heuristic's CPU time over that of the baseline, from one measurement and the remembered rates."""
        if self._rates is None:
            async with AsyncExitStack() as stack:
                _, self._rates = await self._take_turns(None, stack, share=1.0)
        own = cpu_seconds - self._rates.answering * calls
        return max(own, 0.0) / (self._rates.baseline * baseline_calls)

    async def is_within(
        self, ratio: float, process: Process, *, calls: int, baseline_calls: int
    ) -> tuple[bool, float]:
        """Whether the ratio is allowed, and the ratio as last measured.

        Args:
            ratio: as first measured.
            process: of the heuristic, which goes on answering where turns are needed.
            calls: that the heuristic needed.
            baseline_calls: that the baseline needed for the same formulas.

        Raises:
            HeuristicFault: when the heuristic cannot be used any further.
        """
        if not _CLEARLY_WITHIN < ratio < CLEARLY_ABOVE:
            return ratio <= LARGEST_RATIO, ratio
        async with AsyncExitStack() as stack:
            ratio, _ = await self._take_turns(process, stack, share=calls / baseline_calls)
        return ratio <= LARGEST_RATIO, ratio

    async def _take_turns(
        self, process: Process | None, stack: AsyncExitStack, *, share: float
    ) -> tuple[float, Rates]:
        """The ratio and the baseline's rates beside it, medians over turns; more turns where the ratio is near the limit.

        Args:
            process: of the heuristic; None: only the rates are asked for.
            stack: closes the sandboxes beside it.
            share: calls of the heuristic over those of the baseline.
        """
        runners = [await stack.enter_async_context(self._open(source)) for source in (NULL, BASELINE)]
        runners += [process] if process is not None else []
        for runner in runners:
            await wait_ready(runner)
        turns: list[_Turn] = []
        for number in range(_TURNS + _MORE_TURNS):
            recording = await self._book.recording(number)
            taken = [await replayed(runner, recording) / recording.calls for runner in runners]
            turns.append(_Turn(*taken))
            ratio = statistics.median(turn.ratio for turn in turns) * share
            if number + 1 >= _TURNS and abs(ratio / LARGEST_RATIO - 1) > _NEAR:
                break
        answering = statistics.median(turn.answering for turn in turns)
        baseline = statistics.median(turn.baseline for turn in turns) - answering
        rates = Rates(answering=answering, baseline=max(baseline, _SHORTEST))
        return statistics.median(turn.ratio for turn in turns) * share, rates

    @asynccontextmanager
    async def _open(self, source: str) -> AsyncGenerator[Process, None]:
        async with open_heuristic(self._backend, {"heuristic.py": source.encode()}, self._limits) as process:
            yield process


class _Turn(NamedTuple):
    """CPU seconds a call of each, on the same positions."""

    answering: float
    baseline: float
    own: float = 0.0

    @property
    def ratio(self) -> float:
        return max(self.own - self.answering, 0.0) / max(self.baseline - self.answering, _SHORTEST)


async def replayed(process: Process, recording: Recording) -> float:
    """CPU seconds that the sandbox takes to answer recorded questions; the answers themselves are of no use.

    Raises:
        HeuristicFault: when the heuristic cannot be used any further.
    """
    before = await process.cpu_seconds()
    for request, limit in recording.requests:
        try:
            await process.send_frame(request)
            reply = await process.receive_frame(limit)
        except ProcessEnded as error:
            raise HeuristicFault("exited", str(error)) from error
        except FrameTooLarge as error:
            raise HeuristicFault("bad-frame", str(error)) from error
        if reply[:1] != b"A":
            raise HeuristicFault("raised", reply[1:1000].decode(errors="replace"))
    return await process.cpu_seconds() - before


@asynccontextmanager
async def open_heuristic(backend: Backend, files: Files, limits: Limits) -> AsyncGenerator[Process, None]:
    """A heuristic in a sandbox of its own; not yet known to have been imported."""
    arguments = (f"{ARTEFACT}/heuristic.py", "heuristic")
    async with open_artefact(backend, files, driver=_DRIVER, arguments=arguments, limits=limits) as process:
        yield process
