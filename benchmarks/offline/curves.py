"""Anytime curves: what the artefact that stood after so many feedback evaluations is worth on the final split."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import trio

from engine.episode import EpisodeResult
from engine.messages import ArtefactHash
from engine.task import Judge, TaskCard

GRID: Final = (1, 2, 3, 5, 8, 12, 20, 30, 40, 50, 60)
"""Evaluations at which a curve is read."""
CURVE_SEED: Final = 20_241_124
"""Of the finals on a curve: one for all seeds and arms, so that equal artefacts have equal scores."""


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One episode's curve."""

    task: str
    arm: str
    seed: int
    evaluations: tuple[int, ...]
    finals: tuple[float, ...]
    """On the task's metric; an artefact without a score counts as the baseline."""
    spent: int
    """Evaluations really used by the end."""
    outcome: str


def standing_at(
    result: EpisodeResult, starter: ArtefactHash, grid: Sequence[int]
) -> tuple[ArtefactHash, ...]:
    """The artefact that stood after each number of evaluations; the starter before anything was selected."""
    counts = [chosen.evaluations for chosen in result.standing]
    artefacts = [starter, *(chosen.artefact for chosen in result.standing)]
    return tuple(artefacts[bisect_right(counts, evaluations)] for evaluations in grid)


async def make_curves(
    results: Iterable[tuple[str, EpisodeResult]],
    *,
    starter: ArtefactHash,
    judge: Judge,
    card: TaskCard,
    places: int,
) -> list[Curve]:
    """The curve of every episode of one task; each artefact is scored once.

    Args:
        results: (arm, result).
        starter: what stands at first.
        judge: of the task.
        card: of the task.
        places: scorings at once.
    """
    known: dict[ArtefactHash, float] = {}
    limiter = trio.CapacityLimiter(places)
    asked = [(arm, result, _grid(result.spec.budget.evaluations or GRID[-1])) for arm, result in results]
    wanted = {artefact for _, result, grid in asked for artefact in standing_at(result, starter, grid)}

    async def score(artefact: ArtefactHash) -> None:
        async with limiter:
            found, _ = await judge.score(artefact, split="final", seed=CURVE_SEED)
        known[artefact] = card.baseline if found.value is None else found.value

    async with trio.open_nursery() as nursery:
        for artefact in sorted(wanted):
            nursery.start_soon(score, artefact)
    return [
        Curve(
            task=result.spec.task,
            arm=arm,
            seed=result.spec.seeds.team,
            evaluations=grid,
            finals=tuple(known[artefact] for artefact in standing_at(result, starter, grid)),
            spent=result.evaluations,
            outcome=result.outcome,
        )
        for arm, result, grid in asked
    ]


def _grid(budget: int) -> tuple[int, ...]:
    return (*(n for n in GRID if n < budget), budget)


def by_arm(curves: Iterable[Curve]) -> Mapping[str, list[Curve]]:
    """The curves of each arm, in seed order; arms in the order in which they first appear."""
    arms: dict[str, list[Curve]] = {}
    for curve in curves:
        arms.setdefault(curve.arm, []).append(curve)
    return {arm: sorted(of_arm, key=lambda curve: curve.seed) for arm, of_arm in arms.items()}
