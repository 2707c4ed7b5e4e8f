"""Is a heuristic's CPU time at most 1.5 times the baseline's? Measured by the host, beside each other.

The time of a run is that of its whole sandbox between readiness and last answer, less what answering costs in itself, as
a heuristic that does next to nothing shows it. A run that is within the allowance by remembered rates has shown it. One
that is not, and not far from it, takes turns with the baseline and the empty heuristic on the same recorded positions,
which costs this side nothing: what a busy machine does to one it mostly does to all, and what it does to one alone it
adds. So the lower quartile of the turns' ratios decides: in doubt for the heuristic, and the same way each time. What is
compared is the time of a call on the same positions times the calls that each needs.
"""

import statistics
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import trio

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
_TURNS: Final = 12
_RATE_TURNS: Final = 6
_SHORTEST: Final = 1e-7
_DRIVER: Final = Path(driver.__file__)


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """CPU seconds a call."""

    answering: float
    """Of the dialogue itself."""
    baseline: float
    """Of the baseline heuristic, answering taken off."""


class CpuRule:
    """Judges CPU ratios on one kind of formulas; remembers what the baseline takes.

    Args:
        backend: opens the sandboxes.
        limits: of each of them.
        book: positions of that kind.
    """

    def __init__(self, backend: Backend, limits: Limits, book: RecordingBook) -> None:
        self._backend, self._limits, self._book = backend, limits, book
        self._rates: Rates | None = None
        self._measuring = trio.Lock()

    async def ratio(self, cpu_seconds: float, *, calls: int, baseline_calls: int) -> float:
        """A heuristic's CPU time over that of the baseline, from one measurement and the remembered rates."""
        async with self._measuring:
            if self._rates is None:
                turns = await self._take_turns(None, _RATE_TURNS)
                answering = statistics.median(turn.answering for turn in turns)
                baseline = statistics.median(turn.baseline for turn in turns) - answering
                self._rates = Rates(answering=answering, baseline=max(baseline, _SHORTEST))
            rates = self._rates
        return max(cpu_seconds - rates.answering * calls, 0.0) / (rates.baseline * baseline_calls)

    async def is_within(
        self, ratio: float, process: Process, *, calls: int, baseline_calls: int
    ) -> tuple[bool, float]:
        """Whether the ratio is allowed, and the ratio that decided.

        Args:
            ratio: as first measured.
            process: of the heuristic, which goes on answering where turns are needed.
            calls: that the heuristic needed.
            baseline_calls: that the baseline needed for the same formulas.

        Raises:
            HeuristicFault: when the heuristic cannot be used any further.
        """
        if LARGEST_RATIO < ratio < CLEARLY_ABOVE:
            turns = await self._take_turns(process, _TURNS)
            lower_quartile = statistics.quantiles((turn.ratio for turn in turns), n=4)[0]
            ratio = lower_quartile * calls / baseline_calls
        return ratio <= LARGEST_RATIO, ratio

    async def _take_turns(self, process: Process | None, number: int) -> list["_Turn"]:
        """Seconds a call of the empty heuristic, the baseline and, where one is given, this heuristic, in turns."""
        turns: list[_Turn] = []
        async with self._open(NULL) as empty, self._open(BASELINE) as baseline:
            runners = [empty, baseline, *([process] if process is not None else [])]
            for runner in runners[:2]:
                await wait_ready(runner)
            for turn in range(number):
                recording = await self._book.recording(turn)
                turns.append(_Turn(*[await replayed(each, recording) / recording.calls for each in runners]))
        return turns

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
