"""A/A studies through the whole pipeline: two arms that are one team, run by the real engine in virtual time.

Twenty studies at a time share a folder, and everything that a study has: specifications, scheduler, contention for few
places, workspace pool, score cache, journals, index, scorings that the outside fails (those episodes are run again), one
interruption with resume, results read back. Only waiting is simulated, and the coder's check runs in this process (see
`checks`); ``planted`` executes nothing else. The arms share task and evaluation seeds within a block and have
independent team streams.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import trio

from benchmarks.calibration.checks import CheckBackend
from benchmarks.statistics import outcomes_of_results
from benchmarks.statistics.outcomes import FloatArray
from benchmarks.studies.laboratory import LimitedJudge
from benchmarks.studies.study import Study, open_study
from engine import clock
from engine.budget import Budget
from engine.episode import EpisodeResult, EpisodeSpec, run_episode
from engine.errors import WorkspaceError
from engine.messages import ArtefactHash
from engine.scheduler import Progress, make_limits, run_episodes
from engine.seeds import Seeds
from engine.shared_workspace import WorkspacePool, open_pool
from engine.task import Judge, Measured, Score, Split
from roles import assemble, named_team
from tasks.package import TaskPackage
from tasks.registry import open_task
from tasks.score_cache import ScoreCache
from tasks.scoring import SandboxJudge

TASK: Final = "planted"
TEAM: Final = "random-search"
ARMS: Final = ("a", "b")
EVALUATIONS: Final = 6
STUDIES_AT_ONCE: Final = 20
"""Studies that share a folder (and its cache, places and index); their blocks stay apart."""
FAILING: Final = 0.01
"""Share of scorings that the outside fails the first time."""
ATTEMPTS: Final = 12


class Flaky:
    """A judge that takes a drawn time and sometimes is let down by the outside; what it says is untouched."""

    outside = False

    def __init__(self, judge: Judge, generator: np.random.Generator) -> None:
        self._judge, self._generator = judge, generator
        self.failures = 0

    async def score(self, artefact: ArtefactHash, *, split: Split, seed: int) -> tuple[Score, Measured]:
        """The judge's score, after a wait."""
        await trio.sleep(float(self._generator.lognormal(3.0, 1.0)))
        if self._generator.random() < FAILING:
            self.failures += 1
            raise WorkspaceError("a simulated failure of the outside; run again")
        return await self._judge.score(artefact, split=split, seed=seed)


def make_specs(first: int, blocks: int) -> tuple[EpisodeSpec, ...]:
    """Both arms of so many blocks, in a drawn order within each block.

    Args:
        first: number of the first block.
        blocks: how many.
    """
    team = named_team(TEAM)
    order = np.random.default_rng(first)
    specs: list[EpisodeSpec] = []
    for block in range(first, first + blocks):
        arms = [
            EpisodeSpec(
                task=TASK,
                team=msgspec.structs.replace(team, name=name),
                seeds=Seeds(task=block, team=2 * block + place, evaluation=block),
                budget=Budget(evaluations=EVALUATIONS),
            )
            for place, name in enumerate(ARMS)
        ]
        specs += [arms[place] for place in order.permutation(len(arms))]
    return tuple(specs)


def pipeline_pairs(studies: int, blocks: int, *, first: int = 0) -> Iterator[FloatArray]:
    """Normalised final scores of A/A studies, in groups: arrays ``(some, 2 arms, blocks)``.

    Args:
        studies: how many.
        blocks: of each.
        first: number of the first study; studies with other numbers share no seed.
    """
    task = open_task(TASK)
    for start in range(first, first + studies, STUDIES_AT_ONCE):
        count = min(STUDIES_AT_ONCE, first + studies - start)
        results = run_group(task, make_specs(start * blocks, count * blocks), seed=start)
        yield _by_study(results, task, count, blocks)


def run_group(task: TaskPackage, specs: tuple[EpisodeSpec, ...], *, seed: int) -> tuple[EpisodeResult, ...]:
    """Run episodes to the end: interrupted once, then resumed, then retried until the outside has failed none."""
    with ExitStack() as stack:
        memory = Path("/dev/shm")  # noqa: S108 - only a faster place for a folder with a random name
        place = memory if memory.is_dir() else None
        folder = Path(tempfile.mkdtemp(prefix="mlyceum-calibration-", dir=place))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for attempt in range(ATTEMPTS):
            with open_study(folder / "study", specs) as study:
                generator = np.random.default_rng([seed, attempt])
                wait = 60.0 if attempt == 0 else float("inf")
                clock.run(partial(_attempt, study, task, generator, wait), clock="virtual")
                if study.is_complete:
                    return study.index.results()
    raise WorkspaceError(f"{ATTEMPTS} attempts did not complete the group; lower FAILING")


async def _attempt(study: Study, task: TaskPackage, generator: np.random.Generator, wait: float) -> None:
    limits = make_limits(episodes=16, scorings=4, workspaces=8)
    inner = SandboxJudge(
        task, "verified", store=study.store, backend=CheckBackend(), cache=ScoreCache(study.scores)
    )
    judge = LimitedJudge(
        Flaky(inner, generator),
        trio.CapacityLimiter(limits.scorings.value),
        feedback_given=lambda: None,
    )
    with trio.move_on_after(wait):
        async with open_pool(CheckBackend(), places=limits.workspaces.value) as pool:
            await run_episodes(
                study.specs,
                partial(_run_one, task=task, judge=judge, study=study, pool=pool),
                folder=study.folder,
                index=study.index,
                limits=limits,
                report=_nothing,
            )


async def _run_one(
    spec: EpisodeSpec, folder: Path, *, task: TaskPackage, judge: Judge, study: Study, pool: WorkspacePool
) -> EpisodeResult:
    return await run_episode(
        spec,
        task=task,
        seats=assemble(spec.team, task, {}),
        judge=judge,
        store=study.store,
        pool=pool,
        folder=folder,
    )


def _by_study(results: tuple[EpisodeResult, ...], task: TaskPackage, studies: int, blocks: int) -> FloatArray:
    ordered = sorted(results, key=lambda result: result.spec.seeds.task)
    arrays: list[FloatArray] = []
    per_study = len(ARMS) * blocks
    for start in range(0, studies * per_study, per_study):
        found = outcomes_of_results(ordered[start : start + per_study], {TASK: task.card}, block=_task_seed)
        arrays.append(np.array([found.of(arm)[0] for arm in ARMS]))
    return np.array(arrays)


def _task_seed(seeds: Seeds) -> str:
    """Arms share the task's draws and the feedback's noise, and no draw of a member."""
    return str(seeds.task)


def _nothing(_progress: Progress) -> None:
    """Nobody watches."""
