"""A task, a judge and a backend that need no outside: for tests of the engine itself."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import trio

from engine.budget import Budget
from engine.episode import EpisodeResult, EpisodeSpec, run_episode
from engine.member import Member, Seat
from engine.messages import ArtefactHash, MemberId, Queue
from engine.models.interface import Model
from engine.post import Address
from engine.seeds import Seeds
from engine.shared_workspace import open_pool
from engine.store import ArtefactStore
from engine.task import Measured, Score, Split, TaskCard
from engine.team import StrategySpec, TeamSpec
from engine.workspace.interface import CommandResult, IsolationReport, Usage, Workspace, WorkspaceSpec

CARD = TaskCard(id="count", title="Count", version=1, metric="score", direction="max", baseline=0.0)


class CountTask:
    """An artefact is a number in a file; the number is its worth."""

    card = CARD
    brief = "hand in a large number"
    starter = {"number.txt": b"0"}  # noqa: RUF012 - a read-only default of a fake
    check = "print('fine')"
    moves = None


class NoisyJudge:
    """The number, and noise that the seed decides; counts its calls."""

    outside = False

    def __init__(self, store: ArtefactStore, *, seconds: float = 0.0) -> None:
        self.store, self.seconds = store, seconds
        self.calls: list[tuple[ArtefactHash, Split, int]] = []

    async def score(self, artefact: ArtefactHash, *, split: Split, seed: int) -> tuple[Score, Measured]:
        self.calls.append((artefact, split, seed))
        await trio.sleep(self.seconds)
        value = float(self.store.get(artefact)["number.txt"])
        noise = np.random.default_rng(seed).normal(0, 0.1) if split == "feedback" else 0.0
        return Score(value=value + noise, standard_error=0.1), Measured(seconds=self.seconds)


class FakeWorkspace:
    """Runs nothing; remembers."""

    def __init__(self, spec: WorkspaceSpec) -> None:
        self.spec = spec
        self.files = dict(spec.files)

    async def run_shell(self, _script: str, **_options: object) -> CommandResult:
        await trio.sleep(0.01)
        return CommandResult(exit_code=0, measured=Usage(wall_seconds=0, cpu_seconds=0, max_rss_bytes=0))

    async def run_python(self, source: str, **_options: object) -> CommandResult:
        await trio.sleep(0.01)
        return CommandResult(
            exit_code=0,
            stdout=source.encode(),
            measured=Usage(wall_seconds=0, cpu_seconds=0, max_rss_bytes=0),
        )

    async def write(self, path: str, data: bytes) -> None:
        self.files[path] = data
        await trio.lowlevel.checkpoint()

    async def collect(self, **_options: object) -> dict[str, bytes]:
        await trio.lowlevel.checkpoint()
        return dict(self.files)


class FakeBackend:
    """Opens fake workspaces; knows how many are open."""

    name = "fake"

    def __init__(self) -> None:
        self.open_now = self.most_open = self.opened = 0

    async def self_test(self) -> IsolationReport:
        raise NotImplementedError

    @asynccontextmanager
    async def open(self, spec: WorkspaceSpec) -> AsyncGenerator[Workspace]:
        self.open_now += 1
        self.opened += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            yield FakeWorkspace(spec)  # type: ignore[misc]  # what the pool uses of it
        finally:
            self.open_now -= 1

    def open_process(self, spec: WorkspaceSpec, argv: Sequence[str]) -> object:
        raise NotImplementedError


def seat(
    name: str,
    behave: Callable[[Member], Awaitable[None]],
    *,
    queues: tuple[str, ...] = (),
    leads: bool = False,
    model: Model | None = None,
) -> Seat:
    address = Address(id=MemberId(name), queues=tuple(Queue(queue) for queue in queues), leads=leads)
    return Seat(address=address, role=name, replica=1, behave=behave, model=model)


def spec(
    *, evaluations: int = 10, seed: int = 1, wall: float | None = None, name: str = "pair"
) -> EpisodeSpec:
    team = TeamSpec(name=name, members=(), strategy=StrategySpec(kind="test"))
    return EpisodeSpec(
        task="count",
        team=team,
        seeds=Seeds(task=seed, team=seed, evaluation=seed),
        budget=Budget(evaluations=evaluations, wall_seconds=wall),
    )


async def run_count(
    seats: Sequence[Seat],
    folder: Path,
    *,
    episode: EpisodeSpec | None = None,
    judge: NoisyJudge | None = None,
    backend: FakeBackend | None = None,
) -> EpisodeResult:
    store = judge.store if judge is not None else ArtefactStore(folder.parent / "artefacts")
    async with open_pool(backend or FakeBackend(), places=2) as pool:  # type: ignore[arg-type]
        return await run_episode(
            episode or spec(),
            task=CountTask(),
            seats=seats,
            judge=judge or NoisyJudge(store),
            store=store,
            pool=pool,
            folder=folder,
        )
