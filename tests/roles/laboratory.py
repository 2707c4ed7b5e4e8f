"""Real engine, fake outside: a judge with seeded noise and a workspace that runs checks in this process."""

import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import numpy as np
import trio

from engine.budget import Budget
from engine.episode import EpisodeResult, EpisodeSpec, run_episode
from engine.fork import begin_fork, read_origin
from engine.messages import ArtefactHash, Point
from engine.models.interface import Model
from engine.seeds import Seeds
from engine.store import ArtefactStore
from engine.task import Finding, Measured, MoveSpace, Parameter, Score, Split, TaskCard
from engine.team import TeamSpec
from engine.workspace.interface import CommandResult, Usage
from roles import assemble
from roles.handover import assemble_episode

USAGE = Usage(wall_seconds=0.0, cpu_seconds=0.0, max_rss_bytes=0)

HILLS = MoveSpace(
    parameters=(
        Parameter(name="plan", choices=("flat", "hill")),
        Parameter(name="x", low=0.0, high=1.0, only_if={"plan": ("hill",)}),
        Parameter(name="y", low=0.0, high=1.0, only_if={"plan": ("hill",)}),
        Parameter(name="steps", low=1, high=100, integer=True, log=True),
        Parameter(name="kind", choices=("a", "b", "c")),
        Parameter(name="guard", choices=("yes", "no")),
    )
)
"""Best: plan=hill, x=1, y=0, kind=b; steps matter little; guard=no breaks the code."""


class HillMoves:
    """Points written as JSON; a point without its guard breaks a rule."""

    space = HILLS

    def start(self) -> Point:
        return {"plan": "flat", "steps": 10, "kind": "a", "guard": "yes"}

    def write(self, point: Point) -> dict[str, bytes]:
        return {"answer.json": msgspec.json.encode(dict(sorted(point.items())))}

    def repair(self, point: Point, problem: str) -> Point | None:
        return {**point, "guard": "yes"} if "guard" in problem else None


class HillTask:
    """A task in this process: see `HILLS`."""

    def __init__(self, *, direction: str = "max", error: float = 0.02, moves: bool = True) -> None:
        sign = 1.0 if direction == "max" else -1.0
        self.card = TaskCard(
            id="hills",
            title="Hills",
            version=1,
            metric="height",
            direction=direction,  # type: ignore[arg-type]  # a test's word
            baseline=0.2 * sign,
            feedback_standard_error=error,
        )
        self.brief = "Find the top."
        self.moves = HillMoves() if moves else None
        self.starter: Mapping[str, bytes] = HillMoves().write(HillMoves().start())
        self.check = "check"


def truth(files: Mapping[str, bytes]) -> float | None:
    """What an answer is worth; None where it breaks a rule."""
    try:
        point = msgspec.json.decode(files["answer.json"], type=dict[str, str | float | int])
    except (KeyError, msgspec.DecodeError):
        return None
    if point.get("guard") == "no":
        return None
    height = 0.2
    if point.get("plan") == "hill":
        height += 0.3 * float(point["x"]) + 0.2 * (1.0 - float(point["y"]))
    return height + (0.1 if point.get("kind") == "b" else 0.0)


class NoisyJudge:
    """Scores by a function of the files, with normal noise on feedback."""

    outside = False

    def __init__(
        self,
        store: ArtefactStore,
        worth: Callable[[Mapping[str, bytes]], float | None],
        *,
        error: float,
        sign: float = 1.0,
        findings: tuple[Finding, ...] = (),
    ) -> None:
        self._store, self._worth, self._error, self._sign = store, worth, error, sign
        self._findings = findings
        self.scored: list[tuple[ArtefactHash, Split]] = []

    async def score(self, artefact: ArtefactHash, *, split: Split, seed: int) -> tuple[Score, Measured]:
        await trio.lowlevel.checkpoint()
        self.scored.append((artefact, split))
        worth = self._worth(self._store.get(artefact))
        if worth is None:
            return Score(value=None, failure="guard is missing"), Measured()
        error = self._error if split == "feedback" else 0.0
        noise = float(np.random.default_rng(seed).normal(0.0, error)) if error else 0.0
        return Score(
            value=self._sign * worth + noise, standard_error=error, findings=self._findings
        ), Measured()


class InProcess:
    """Stands in for a workspace: the check is a function of the files."""

    def __init__(self, check: Callable[[Mapping[str, bytes]], str]) -> None:
        self.started = 0.0
        self._check = check
        self.ran: list[str] = []

    @asynccontextmanager
    async def share(self, _: object) -> AsyncIterator["InProcess"]:
        yield self

    async def run(
        self,
        folder: str,
        source: str,
        *,
        language: str,
        files: Mapping[str, bytes] | None,
        wall_seconds: float,
    ) -> CommandResult:
        await trio.lowlevel.checkpoint()
        self.ran.append(source)
        problem = self._check(files or {})
        return CommandResult(
            exit_code=1 if problem else 0, stdout=(problem or "fine").encode(), measured=USAGE
        )


def guarded(files: Mapping[str, bytes]) -> str:
    """The check of the hills: a guard must be there."""
    return "the guard is missing" if truth(files) is None else ""


async def play_on(
    origin: Path, fork: EpisodeSpec, folder: Path, *, model: Mapping[str, Model] | Model | None = None
) -> EpisodeResult:
    """A fork of an episode on the hills, in a folder of its own."""
    begin_fork(read_origin(origin), fork, folder)
    task = HillTask()
    with tempfile.TemporaryDirectory() as place:
        store = ArtefactStore(Path(place))
        return await run_episode(
            fork,
            task=task,
            seats=assemble_episode(fork, task, model),
            judge=NoisyJudge(store, truth, error=task.card.feedback_standard_error),
            store=store,
            pool=InProcess(guarded),  # type: ignore[arg-type]  # as much of a pool as an episode uses
            folder=folder,
        )


async def play(
    team: TeamSpec,
    *,
    task: HillTask | None = None,
    seed: int = 1,
    evaluations: int = 12,
    model: Mapping[str, Model] | Model | None = None,
    folder: Path | None = None,
    judge: Callable[[ArtefactStore], NoisyJudge] | None = None,
    budget: Budget | None = None,
) -> EpisodeResult:
    """One episode of a team on the hills."""
    task = task or HillTask()
    sign = 1.0 if task.card.direction == "max" else -1.0
    with tempfile.TemporaryDirectory() as place:
        store = ArtefactStore(Path(place))
        return await run_episode(
            EpisodeSpec(
                task="hills",
                team=team,
                seeds=Seeds(task=seed, team=seed, evaluation=seed),
                budget=budget or Budget(evaluations=evaluations),
            ),
            task=task,
            seats=assemble(team, task, model),
            judge=judge(store)
            if judge
            else NoisyJudge(store, truth, error=task.card.feedback_standard_error, sign=sign),
            store=store,
            pool=InProcess(guarded),  # type: ignore[arg-type]  # as much of a pool as an episode uses
            folder=folder,
        )
