"""Scoreboards: everything that one score per method and task says, over a suite that they name.

A suite is `FullSuite` only when all 13 tasks entered, else `PartialSuite` with the names of its tasks, and
figures of different suites are refused side by side (`aup_shift`).
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import msgspec

from benchmarks.profiles import AUP_DECIMALS, area_under_profiles, shared_range, task_scale
from benchmarks.ranks import (
    MeanRanks,
    NoMaximum,
    PlackettLuce,
    borda,
    mlgym_mean_rank,
    plackett_luce,
    task_order,
    task_ranking,
)
from benchmarks.reference import task_facts
from benchmarks.scores import TaskScores
from engine.errors import BadSpecification

GHOST = 0.5
"""Wins and losses against a made-up method where no plain maximum exists (Turner et al. 2020)."""


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A task that did not enter, and why."""

    task: str
    reason: str


class FullSuite(msgspec.Struct, frozen=True, kw_only=True, tag="full"):
    """All 13 tasks of MLGym-Bench."""

    tasks: tuple[str, ...]


class PartialSuite(msgspec.Struct, frozen=True, kw_only=True, tag="partial"):
    """Some of the tasks: its figures mean nothing beside those of the full suite or of another subset."""

    tasks: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()


Suite: TypeAlias = FullSuite | PartialSuite


class Scoreboard(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one score per method and task says, over one suite."""

    suite: Suite
    t_max: float
    """Upper end of the profiles (log10 of ratio): the largest AUP possible."""
    aup: dict[str, float]
    """By method, to 3 decimals."""
    scores: dict[str, dict[str, float | None]]
    """By task, then method."""
    ranks: dict[str, tuple[str, ...]]
    """By task: methods best first, those without a score last."""
    borda: dict[str, float]
    """True Borda points, best first."""
    plackett_luce: PlackettLuce
    mlgym_mean_rank: MeanRanks


def scoreboards(
    attempt: Sequence[TaskScores], submission: Sequence[TaskScores], *, suite: Suite | None = None
) -> tuple[Scoreboard, Scoreboard]:
    """The scoreboards of best attempts and best submissions, which share their range.

    Raises:
        BadSpecification: without a table, or when the two do not hold the same tasks in the same order.
    """
    tasks = tuple(table.task for table in attempt)
    if not tasks or tasks != tuple(table.task for table in submission):
        raise BadSpecification("tables", "attempts and submissions need the same tasks, and at least one")
    named = suite_of(tasks) if suite is None else suite
    t_max = shared_range([task_scale(table) for table in (*attempt, *submission)])
    return _scoreboard(attempt, t_max, named), _scoreboard(submission, t_max, named)


def suite_of(tasks: Iterable[str], left_out: Sequence[LeftOut] = ()) -> Suite:
    """The suite that some tasks make: full only when all 13 are there."""
    named = tuple(tasks)
    if set(named) == {facts.id for facts in task_facts()}:
        return FullSuite(tasks=named)
    return PartialSuite(tasks=named, left_out=tuple(left_out))


def aup_shift(before: Scoreboard, after: Scoreboard) -> dict[str, float]:
    """By method of ``before``: its AUP in ``after`` minus that in ``before``.

    Raises:
        BadSpecification: when the two are not of one suite, whose areas cannot stand side by side.
    """
    if set(before.suite.tasks) != set(after.suite.tasks):
        raise BadSpecification(
            "suite", "areas over different tasks do not compare; score both on the same subset"
        )
    return {method: round(after.aup[method] - area, AUP_DECIMALS) for method, area in before.aup.items()}


def _scoreboard(tables: Sequence[TaskScores], t_max: float, suite: Suite) -> Scoreboard:
    rankings = [task_ranking(table) for table in tables]
    try:
        fitted = plackett_luce(rankings)
    except NoMaximum:
        fitted = plackett_luce(rankings, ghost=GHOST)
    return Scoreboard(
        suite=suite,
        t_max=t_max,
        aup=area_under_profiles(tables, t_max=t_max),
        scores={table.task: table.scores for table in tables},
        ranks={table.task: task_order(table) for table in tables},
        borda=borda(rankings),
        plackett_luce=fitted,
        mlgym_mean_rank=mlgym_mean_rank(tables),
    )
