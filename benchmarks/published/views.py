"""The same runs ranked three ways: as published, without the runs that did not earn their scores, and on honest metrics."""

from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.pool import Pool, in_published_order, pool_of_runs
from benchmarks.profiles import (
    area_under_profiles,
    performance_profile,
    performance_ratios,
    range_grid,
    task_scale,
)
from benchmarks.records import PublishedRuns
from benchmarks.scoreboard import Scoreboard, scoreboards
from benchmarks.scores import TaskScores, methods_of

PUBLISHED = "as published"
WITHOUT_INVALID = "invalid runs out"
HONEST = "self-reported metric out, too"


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One way to let runs count, with everything that follows from it."""

    name: str
    pool: Pool
    best_attempt: Scoreboard
    best_submission: Scoreboard


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A performance profile where it rises: a step function, 0 before its first point."""

    method: str
    kind: str
    """``best attempt`` or ``best submission``."""
    points: tuple[tuple[float, float], ...]
    """(log10 of ratio, share of tasks from there on), up to the end of the range."""


class RankShift(msgspec.Struct, frozen=True, kw_only=True):
    """A method's area and place by it in each view; areas over another range or other tasks do not compare."""

    method: str
    aup: dict[str, float]
    place: dict[str, int]
    """From 1, by area; equal areas share the better place."""
    frozen_aup: dict[str, float]
    """Area with the published range, so that views on the same tasks differ by scores alone."""


def make_views(
    runs: PublishedRuns, *, orders: Mapping[str, Mapping[str, Sequence[str]]] | None = None
) -> tuple[View, ...]:
    """The three views of released runs.

    Args:
        runs: all of them.
        orders: published orders by ``attempt`` and ``submission``, from which methods without a score take theirs.
    """
    valid = msgspec.structs.replace(
        runs,
        runs=tuple(
            msgspec.structs.replace(each, runs=tuple(run for run in each.runs if run.valid))
            for each in runs.runs
        ),
    )
    pools = {
        PUBLISHED: pool_of_runs(runs, mlgym_compatible=True),
        WITHOUT_INVALID: pool_of_runs(valid, mlgym_compatible=True),
        HONEST: pool_of_runs(runs),
    }
    return tuple(_view(name, pool, orders or {}) for name, pool in pools.items())


def profiles(view: View) -> tuple[Profile, ...]:
    """The profiles of every method of a view, by both kinds of score."""
    found: list[Profile] = []
    for kind, tables, board in (
        ("best attempt", view.pool.attempt, view.best_attempt),
        ("best submission", view.pool.submission, view.best_submission),
    ):
        grid = range_grid(board.t_max)
        ratios = {table.task: performance_ratios(table, task_scale(table)) for table in tables}
        for method in methods_of(tables):
            curve = performance_profile([ratios[table.task][method] for table in tables], grid)
            steps = [
                (float(t), float(share))
                for place, (t, share) in enumerate(zip(grid, curve, strict=True))
                if place == 0 or share > curve[place - 1]
            ]
            steps.append((float(grid[-1]), float(curve[-1])))
            found.append(Profile(method=method, kind=kind, points=tuple(steps)))
    return tuple(found)


def rank_shifts(views: Sequence[View], *, submission: bool) -> tuple[RankShift, ...]:
    """Every method over the views, best first in the first of them."""
    boards = {view.name: view.best_submission if submission else view.best_attempt for view in views}
    tables = {view.name: view.pool.submission if submission else view.pool.attempt for view in views}
    t_max = next(iter(boards.values())).t_max
    frozen = {name: area_under_profiles(tables[name], t_max=t_max) for name in boards}
    first = next(iter(boards.values())).aup
    return tuple(
        RankShift(
            method=method,
            aup={name: board.aup[method] for name, board in boards.items()},
            place={
                name: 1 + sum(a > board.aup[method] for a in board.aup.values())
                for name, board in boards.items()
            },
            frozen_aup={name: areas[method] for name, areas in frozen.items()},
        )
        for method in sorted(first, key=lambda method: -first[method])
    )


def _view(name: str, pool: Pool, orders: Mapping[str, Mapping[str, Sequence[str]]]) -> View:
    attempt: tuple[TaskScores, ...] = in_published_order(pool.attempt, orders.get("attempt", {}))
    submission = in_published_order(pool.submission, orders.get("submission", {}))
    best_attempt, best_submission = scoreboards(attempt, submission, suite=pool.suite)
    pool = msgspec.structs.replace(pool, attempt=attempt, submission=submission)
    return View(name=name, pool=pool, best_attempt=best_attempt, best_submission=best_submission)
