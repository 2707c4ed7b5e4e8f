"""Many episodes on one loop, under named limits; interrupted at any point, the same call goes on from the records."""

import os
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
import trio

from engine.bus import InfrastructureFailed
from engine.episode import EpisodeResult, EpisodeSpec
from engine.errors import BadSpecification, EngineError, OutputUnusable
from engine.index import Index

Origin: TypeAlias = Literal["asked", "default", "cores"]


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A named limit, as it is in force; printed and recorded, so that none works in silence."""

    name: str
    value: int
    origin: Origin


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a run may have at once. None changes what comes out, only how soon."""

    episodes: Limit
    """Episodes in progress."""
    scorings: Limit
    """One-shot scoring workspaces open at once, over all episodes."""
    workspaces: Limit
    """Shared workspaces open at once, over all episodes."""
    model_calls: Limit
    """Calls in flight to one model endpoint."""

    def all(self) -> tuple[Limit, ...]:
        """Every limit."""
        return (self.episodes, self.scorings, self.workspaces, self.model_calls)

    def line(self) -> str:
        """All of them in one line, each with where it comes from."""
        return ", ".join(f"{limit.name} {limit.value} ({limit.origin})" for limit in self.all())


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def make_limits(
    *,
    episodes: int | None = None,
    scorings: int | None = None,
    workspaces: int | None = None,
    model_calls: int | None = None,
) -> Limits:
    """Limits as asked for, and sane values for the rest."""
    cores = usable_cores()

    def limit(name: str, asked: int | None, otherwise: int, origin: Origin) -> Limit:
        if asked is not None:
            return Limit(name=name, value=asked, origin="asked")
        return Limit(name=name, value=otherwise, origin=origin)

    return Limits(
        episodes=limit("episodes", episodes, 4 * cores, "cores"),
        scorings=limit("scorings", scorings, cores, "cores"),
        workspaces=limit("workspaces", workspaces, 4 * cores, "cores"),
        model_calls=limit("model_calls", model_calls, 16, "default"),
    )


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What has just happened to one episode."""

    episode: str
    event: Literal["started", "done", "known", "failed"]
    result: EpisodeResult | None = None
    reason: str = ""


@dataclass(kw_only=True)
class Ran:
    """What came of a set of episodes."""

    results: list[EpisodeResult] = field(default_factory=list[EpisodeResult])
    """In the order asked for."""
    failed: dict[str, str] = field(default_factory=dict[str, str])
    """Episodes that the outside let down, and why; the same call tries them again."""


RunOne: TypeAlias = Callable[[EpisodeSpec, Path], Awaitable[EpisodeResult]]


async def run_episodes(
    specs: Sequence[EpisodeSpec],
    run_one: RunOne,
    *,
    folder: Path,
    index: Index,
    limits: Limits,
    report: Callable[[Progress], None],
) -> Ran:
    """Run every episode that is not done yet.

    One episode's failure leaves the others unharmed. Cancelled, everything in progress stops at once and its record
    stands; called again, it goes on from there.

    Args:
        specs: with distinct names.
        run_one: runs one episode, with its record in the folder given.
        folder: of the study; each episode's record is in ``episodes/NAME``.
        index: where done episodes are committed.
        limits: how many at once.
        report: told of each start and end; must not raise.

    Raises:
        BadSpecification: two of them have one name, or one has ended here with another specification.
        OutputUnusable: when the index or a record cannot be written: nothing else could be kept either.
    """
    for name, count in Counter(spec.id for spec in specs).items():
        if count > 1:
            raise BadSpecification(
                name, "two episodes have this name, and would share a record; rename a team"
            )
    known = {spec.id: index.done(spec.id, spec.digest()) for spec in specs}
    done: dict[str, EpisodeResult] = {}
    failed: dict[str, str] = {}
    places = trio.CapacityLimiter(limits.episodes.value)

    async def one(spec: EpisodeSpec, *, task_status: trio.TaskStatus[None]) -> None:
        async with places:
            task_status.started()
            report(Progress(episode=spec.id, event="started"))
            try:
                result = await run_one(spec, folder / "episodes" / spec.id)
            except OutputUnusable:
                raise
            except Exception as error:  # noqa: BLE001 - the border of an episode: no fault in it harms another
                cause = error.error if isinstance(error, InfrastructureFailed) else error
                failed[spec.id] = f"{type(cause).__name__}: {cause}"
                report(Progress(episode=spec.id, event="failed", reason=failed[spec.id]))
                return
            index.commit(result)
            done[spec.id] = result
            report(Progress(episode=spec.id, event="done", result=result))

    async with _unwrapped(OutputUnusable), trio.open_nursery() as nursery:
        for spec in specs:
            result = known[spec.id]
            if result is not None:
                done[spec.id] = result
                report(Progress(episode=spec.id, event="known", result=result))
            else:
                # Started in the order asked for: `start` waits until the episode has its place.
                await nursery.start(one, spec)
    return Ran(results=[done[spec.id] for spec in specs if spec.id in done], failed=failed)


@asynccontextmanager
async def _unwrapped(kind: type[EngineError]) -> AsyncGenerator[None]:
    """Let one error of a kind stand for a group of them: each says the same, and the first is enough."""
    try:
        yield
    except BaseExceptionGroup as group:
        matching, rest = group.split(kind)
        if matching is None or rest is not None:
            raise
        error: BaseException = matching
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from group
