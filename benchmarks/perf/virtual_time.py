"""How fast does the engine run when nothing has to be waited for?

Question: how many model calls a second does the engine carry out under the virtual clock, where waiting takes no time:
1,000 episodes at once, a member each, whose model answers after a drawn delay (log-normal, median 30 s)? And how many
episodes a second does it start and end, with and without a record on the disk?

Quantity: events a second of CPU, an event being one answer that came due (asking, waiting, answering, charging, and
without a folder nothing written); episodes a second of CPU and of wall. Medians with least and greatest. Seeds: the
episode's number.
Beside: bare trio tasks under the same clock that sleep for the same delays (the limit).

Takes about 40 s.
Last gave, on 2 cores at a load of 8: 6,039 calls a second (5,083 to 7,246), bare sleeps 23,036; 1,440 episodes a second
unrecorded, 571 recorded (87 of wall). Whole table: docs/reference/performance.md.
"""

import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import trio

from benchmarks.perf.options import Options, parse, show
from benchmarks.perf.stand_ins import Stage, lead, open_stage
from benchmarks.perf.table import Report, headline, look_at_machine, ratios, row
from engine import clock
from engine.member import Member
from engine.models import (
    AssistantMessage,
    Completion,
    Latency,
    Scripted,
    Usage,
    UserMessage,
    log_normal_delay,
)
from engine.seeds import Seeds, runtime_stream

ANSWER = Completion(
    message=AssistantMessage(text="done"),
    stop_reason="stop",
    usage=Usage(input_tokens=10, output_tokens=10),
    cost_usd=0.0001,
    model="scripted/model",
)
DELAY = log_normal_delay(30.0, sigma=1.0)


def main(argv: Sequence[str] | None = None) -> None:
    options = parse(__doc__, argv, repetitions=5)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        show(measure(options, Path(folder)), options)


def measure(options: Options, folder: Path) -> Report:
    before = look_at_machine()
    episodes, calls = options.size(1000, 5), options.size(20, 3)
    engine: list[float] = []
    bare: list[float] = []
    unrecorded: list[tuple[float, float]] = []
    recorded: list[tuple[float, float]] = []
    for repetition in range(options.repetitions):
        place = folder / str(repetition)
        bare.append(_rates("virtual", partial(_bare, episodes, calls), episodes * calls)[0])
        work = partial(_episodes, place / "artefacts", None, episodes, calls)
        engine.append(_rates("virtual", work, episodes * calls)[0])
        unrecorded.append(
            _rates("real", partial(_episodes, place / "artefacts", None, episodes, 0), episodes)
        )
        recorded.append(_rates("real", partial(_episodes, place / "artefacts", place, episodes, 0), episodes))
    rows = [
        row("model calls under the virtual clock", "/s CPU", engine),
        row("bare trio sleeps under the virtual clock", "/s CPU", bare, is_ours=False),
        row("episodes from start to end, no record", "/s CPU", [rate[0] for rate in unrecorded]),
        row("episodes from start to end, recorded and synced: CPU", "/s CPU", [rate[0] for rate in recorded]),
        row("episodes from start to end, recorded and synced: wall", "/s", [rate[1] for rate in recorded]),
    ]
    return Report(
        script="virtual_time",
        question=f"Model calls a second of CPU under the virtual clock, {episodes} episodes of {calls} calls at once.",
        before=before,
        after=look_at_machine(),
        rows=tuple(rows),
        headlines=(headline("a bare trio sleep / a model call (events a second)", ratios(bare, engine)),),
    )


def _rates(name: clock.ClockName, work: Callable[[], Awaitable[None]], count: int) -> tuple[float, float]:
    """Things a second, of CPU and of wall."""
    cpu, wall = time.process_time(), time.perf_counter()
    clock.run(work, clock=name)
    return count / (time.process_time() - cpu), count / (time.perf_counter() - wall)


def _generator(number: int) -> np.random.Generator:
    return runtime_stream(Seeds(task=number, team=number, evaluation=number), "latency")


async def _bare(episodes: int, calls: int) -> None:
    async def sleep(number: int) -> None:
        generator = _generator(number)
        for _ in range(calls):
            await trio.sleep(DELAY(generator))

    async with trio.open_nursery() as nursery:
        for number in range(episodes):
            nursery.start_soon(sleep, number)


async def _episodes(artefacts: Path, records: Path | None, episodes: int, calls: int) -> None:
    async with open_stage(artefacts, records) as stage, trio.open_nursery() as nursery:
        for number in range(episodes):
            nursery.start_soon(_episode, stage, number, calls)


async def _episode(stage: Stage, number: int, calls: int) -> None:
    async def behave(member: Member) -> None:
        for call in range(calls):
            await member.generate((UserMessage(text=f"question {call}"),))

    model = Latency(Scripted(lambda _request: ANSWER), delay=DELAY, generator=_generator(number))
    await stage.run(number, [lead(behave, model)])


if __name__ == "__main__":
    main()
