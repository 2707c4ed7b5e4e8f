"""Study folders for tests of the reading commands: real tasks, teams, engine and records; only the judge is made up."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import numpy as np
import trio

from engine.budget import Budget
from engine.clock import run
from engine.episode import EpisodeResult, EpisodeSpec, run_episode
from engine.index import open_index
from engine.messages import ArtefactHash
from engine.seeds import Seeds
from engine.store import ArtefactStore
from engine.task import Measured, Score, ScoringProtocol, Split, TaskCard
from engine.team import TeamSpec
from engine.workspace.interface import CommandResult, Usage
from roles import assemble, named_team
from tasks.registry import open_task

USAGE = Usage(wall_seconds=0.0, cpu_seconds=0.0, max_rss_bytes=0)


class MadeUpJudge:
    """A worth that the artefact's hash decides, and noise on feedback."""

    outside = False

    def __init__(self, card: TaskCard, *, broken: bool = False) -> None:
        self._card, self._broken = card, broken

    async def score(self, artefact: ArtefactHash, *, split: Split, seed: int) -> tuple[Score, Measured]:
        await trio.lowlevel.checkpoint()
        if self._broken:
            return Score(value=None, failure="strategy.py is missing"), Measured()
        span = max(0.1, abs(self._card.baseline)) * (1 if self._card.direction == "max" else -1)
        worth = self._card.baseline + span * int(artefact[:4], 16) / 0xFFFF * 0.4
        noise = 0.01 * abs(span)
        drawn = float(np.random.default_rng(seed).normal(0, noise)) if split == "feedback" else 0.0
        return Score(value=worth + drawn, standard_error=noise if split == "feedback" else 0.0), Measured()


class NoWorkspace:
    """Every check passes."""

    started = 0.0

    @asynccontextmanager
    async def share(self, _: object) -> AsyncIterator["NoWorkspace"]:
        yield self

    async def run(self, folder: str, source: str, **_: object) -> CommandResult:
        await trio.lowlevel.checkpoint()
        return CommandResult(exit_code=0, stdout=b"fine", measured=USAGE)


def episode_spec(
    task: str, team: TeamSpec | str, seed: int, *, evaluations: int, protocol: ScoringProtocol = "verified"
) -> EpisodeSpec:
    return EpisodeSpec(
        task=task,
        team=named_team(team) if isinstance(team, str) else team,
        seeds=Seeds(task=seed, team=seed, evaluation=seed),
        protocol=protocol,
        budget=Budget(evaluations=evaluations),
    )


async def _play(spec: EpisodeSpec, folder: Path, *, broken: bool) -> EpisodeResult:
    task = open_task(spec.task)
    return await run_episode(
        spec,
        task=task,
        seats=assemble(spec.team, task, None),
        judge=MadeUpJudge(task.card, broken=broken),
        store=ArtefactStore(folder / "artefacts"),
        pool=NoWorkspace(),  # type: ignore[arg-type]  # as much of a pool as an episode uses
        folder=folder / "episodes" / spec.id,
    )


def write_study(
    folder: Path,
    *,
    tasks: Sequence[str] = ("battle-of-sexes",),
    team: str = "full",
    seeds: int = 1,
    evaluations: int = 8,
    protocol: ScoringProtocol = "verified",
    broken_seeds: Sequence[int] = (),
) -> Path:
    """A study's folder as `mlyceum run` leaves it; seeds in ``broken_seeds`` hand in what earns no score."""
    specs = [
        episode_spec(task, team, seed, evaluations=evaluations, protocol=protocol)
        for task in tasks
        for seed in range(1, seeds + 1)
    ]
    folder.mkdir(parents=True, exist_ok=True)

    async def play_all() -> list[EpisodeResult]:
        return [await _play(spec, folder, broken=spec.seeds.team in broken_seeds) for spec in specs]

    results = run(play_all)
    with open_index(folder / "index.sqlite") as index:
        for result in results:
            index.commit(result)
    study: Mapping[str, object] = {"version": 1, "episodes": specs, "runs": []}
    (folder / "study.json").write_bytes(msgspec.json.encode(study))
    return folder


def cut_short(study: Path, episode: str, *, lines: int) -> Path:
    """Make an episode look interrupted: so many lines of its journal, and no row in the index."""
    import sqlite3

    journal = study / "episodes" / episode / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:lines]))
    with sqlite3.connect(study / "index.sqlite") as connection:
        connection.execute("DELETE FROM episodes WHERE episode = ?", (episode,))
    connection.close()
    return journal.parent
