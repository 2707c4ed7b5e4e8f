"""Starts many episodes whose model never answers, and says what a process that holds them weighs; for one benchmark.

Run by `benchmarks.perf.episode_memory` in a process of its own for each figure, since memory that was once given to a
process seldom goes back: ``python -m benchmarks.perf.waiting_episodes KIND COUNT FOLDER`` prints one JSON object.
"""

import gc
import resource
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import trio
import trio.testing

from benchmarks.perf.stand_ins import Stage, open_stage
from engine.models.interface import DEFAULT_SETTINGS, Answer, Conversation, Settings, Tool

MEMBERS = 5
"""Of the full team: the strategy and four roles."""
WARM_UP = 5
DESCRIPTORS = 2
"""A journal holds two files open."""


class Weight(msgspec.Struct, frozen=True, kw_only=True):
    """What is printed: figures of one episode."""

    kb: float
    start_cpu_ms: float = 0.0
    start_wall_ms: float = 0.0
    shares: dict[str, float] = {}
    """Kilobytes that Python handed out, by the part of the program that asked for them."""
    descriptors: int = 0
    """Open files that the process had to be allowed."""
    raised_from: int = 0
    """The soft limit that was too low for them; 0 where it was not."""


class NeverAnswers:
    """A model that is asked and says nothing."""

    name = "never/answers"

    def __init__(self, expected: int) -> None:
        self.asked, self._expected = 0, expected
        self.all_wait = trio.Event()

    async def generate(
        self, conversation: Conversation, *, tools: Sequence[Tool] = (), settings: Settings = DEFAULT_SETTINGS
    ) -> Answer:
        """Wait until cancelled."""
        del conversation, tools, settings
        self.asked += 1
        if self.asked == self._expected:
            self.all_wait.set()
        await trio.sleep_forever()
        raise AssertionError


def main(argv: Sequence[str]) -> None:
    kind, count, folder = argv[0], int(argv[1]), Path(argv[2])
    needed = DESCRIPTORS * (count + WARM_UP) + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and needed > hard:
        sys.exit(f"{count} episodes hold {needed} files open and this process may have {hard}; ask for fewer")
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    is_bare = kind == "tasks"
    said = trio.run(_tasks, count) if is_bare else trio.run(_episodes, count, folder, kind == "traced")
    said = msgspec.structs.replace(said, descriptors=needed, raised_from=soft if soft < needed else 0)
    print(msgspec.json.encode(said).decode())


def resident_kb() -> float:
    """Resident memory of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1024


async def _episodes(count: int, folder: Path, is_traced: bool) -> Weight:
    async with open_stage(folder / "artefacts", folder / "records") as stage:
        await _hold(stage, WARM_UP, count + 1)  # imports, prompts and caches are no episode's
        if is_traced:
            tracemalloc.start()
        return await _hold(stage, count, 1)


async def _hold(stage: Stage, count: int, first: int) -> Weight:
    from roles import assemble, named_team  # late: the bare tasks' process does without
    from tasks.registry import open_task

    model = NeverAnswers(count)
    task = open_task("battle-of-sexes")
    team = named_team("full")
    members = tuple(msgspec.structs.replace(member, policy="model") for member in team.members)
    team = msgspec.structs.replace(team, members=members)
    before = resident_kb()
    cpu, wall = time.process_time(), time.perf_counter()
    async with trio.open_nursery() as nursery:
        for number in range(first, first + count):
            nursery.start_soon(stage.run, number, assemble(team, task, model), team, task)
        await model.all_wait.wait()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        after = resident_kb()
        shares = _shares(count) if tracemalloc.is_tracing() else {}
        nursery.cancel_scope.cancel()
    return Weight(
        kb=(after - before) / count,
        start_cpu_ms=cpu / count * 1e3,
        start_wall_ms=wall / count * 1e3,
        shares=shares,
    )


def _shares(count: int) -> dict[str, float]:
    """Kilobytes an episode that Python handed out, by the part of the program that asked for them."""
    shares: Counter[str] = Counter()
    for statistic in tracemalloc.take_snapshot().statistics("filename"):
        shares[_part(statistic.traceback[0].filename)] += statistic.size
    return {part: size / count / 1024 for part, size in shares.most_common()}


def _part(filename: str) -> str:
    path = Path(filename)
    root = Path(__file__).resolve().parents[2]
    if path.is_relative_to(root) and ".venv" not in path.parts:
        return path.relative_to(root).as_posix()
    for package in ("trio", "numpy", "msgspec"):
        if package in path.parts:
            return package
    return "standard library"


async def _tasks(count: int) -> Weight:
    async def wait(event: trio.Event) -> None:
        await event.wait()

    async def group(event: trio.Event) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(MEMBERS):
                nursery.start_soon(wait, event)

    async def hold(many: int) -> float:
        event = trio.Event()
        before = resident_kb()
        async with trio.open_nursery() as nursery:
            for _ in range(many):
                nursery.start_soon(group, event)
            await trio.testing.wait_all_tasks_blocked()
            after = resident_kb()
            event.set()
        return (after - before) / many

    await hold(WARM_UP)
    return Weight(kb=await hold(count))


if __name__ == "__main__":
    main(sys.argv[1:])
