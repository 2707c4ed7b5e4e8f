"""A task, a judge and a backend that cost next to nothing, so that what is measured is the engine."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import trio

from engine.budget import Budget
from engine.episode import EpisodeResult, EpisodeSpec, run_episode
from engine.errors import EngineDefect
from engine.member import Behaviour, Seat
from engine.messages import ArtefactHash, MemberId
from engine.models.interface import Model
from engine.post import Address
from engine.seeds import Seeds
from engine.shared_workspace import WorkspacePool, open_pool
from engine.store import ArtefactStore
from engine.task import Files, Measured, Score, Split, Task, TaskCard
from engine.team import StrategySpec, TeamSpec
from engine.workspace.interface import IsolationReport, Process, Workspace, WorkspaceSpec

STARTER: Files = {"number.txt": b"0"}
TRIVIAL_TEAM = TeamSpec(name="trivial", members=(), strategy=StrategySpec(kind="trivial"))
CARD = TaskCard(id="trivial", title="Trivial", version=1, metric="score", direction="max", baseline=0.0)


class TrivialTask:
    """One file, no hidden thing."""

    card = CARD
    brief = "hand in a number"
    starter = STARTER
    check = ""
    moves = None


class TrivialJudge:
    """Scores everything alike, at once."""

    outside = False

    async def score(self, artefact: ArtefactHash, *, split: Split, seed: int) -> tuple[Score, Measured]:
        """No work, one checkpoint."""
        del artefact, split, seed
        await trio.lowlevel.checkpoint()
        return Score(value=0.0), Measured()


class NoBackend:
    """Opens nothing: no episode of these measurements runs a command."""

    name = "none"

    async def self_test(self) -> IsolationReport:
        """Never called."""
        raise EngineDefect("a benchmark's stand-in isolates nothing")

    def open(self, spec: WorkspaceSpec) -> AbstractAsyncContextManager[Workspace]:
        """Never called."""
        raise EngineDefect(f"a benchmark's stand-in opens no workspace ({spec.name})")

    def open_process(self, spec: WorkspaceSpec, argv: Sequence[str]) -> AbstractAsyncContextManager[Process]:
        """Never called."""
        raise EngineDefect(f"a benchmark's stand-in opens no process ({spec.name}: {argv})")


class Stage:
    """Where many episodes run: one store, one pool, a folder for the records (None: no records)."""

    def __init__(self, pool: WorkspacePool, store: ArtefactStore, records: Path | None) -> None:
        self._pool, self._store, self._records = pool, store, records

    async def run(
        self, number: int, seats: Sequence[Seat], team: TeamSpec = TRIVIAL_TEAM, task: Task | None = None
    ) -> EpisodeResult:
        """Run one episode to its end; its number is its seed."""
        task = task or TrivialTask()
        spec = EpisodeSpec(
            task=task.card.id,
            team=team,
            seeds=Seeds(task=number, team=number, evaluation=number),
            budget=Budget(evaluations=1),
        )
        return await run_episode(
            spec,
            task=task,
            seats=seats,
            judge=TrivialJudge(),
            store=self._store,
            pool=self._pool,
            folder=self._records / spec.id if self._records is not None else None,
        )


@asynccontextmanager
async def open_stage(artefacts: Path, records: Path | None) -> AsyncGenerator[Stage]:
    """A stage; its artefacts are kept in a folder in any case."""
    async with open_pool(NoBackend(), places=1) as pool:
        yield Stage(pool, ArtefactStore(artefacts), records)


def lead(behave: Behaviour, model: Model | None = None) -> Seat:
    """The seat of a member that leads."""
    address = Address(id=MemberId("lead"), leads=True)
    return Seat(address=address, role="lead", replica=1, behave=behave, model=model)
