"""A new method set beside the pool: its scores, its AUP in the pool, and what that does to the others."""

from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.attempts import best_attempt_at_k, best_submission_at_k
from benchmarks.marks import Mark, protocol_marks, run_marks, task_marks
from benchmarks.pool import Pool, self_reported
from benchmarks.profiles import area_under_profiles, task_scale
from benchmarks.records import TaskRuns
from benchmarks.reference import Kind, TaskFacts, facts_of, task_facts
from benchmarks.scoreboard import LeftOut, Scoreboard, Suite, aup_shift, scoreboards, suite_of
from benchmarks.scores import BASELINE, TaskScores, is_better, with_method
from engine.errors import BadSpecification
from engine.task import ScoringProtocol


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """A method in the pool, by one of the two kinds of score."""

    scores: dict[str, float | None]
    """The method's score by task."""
    position: dict[str, int | None]
    """By task: 1 plus the number of pool methods that are strictly better; ``None`` without a score."""
    aup: float
    frozen_aup: float
    """With ratios and range of the pool as it was before: comparable between methods added one at a time."""
    shift: dict[str, float]
    """By method of the pool: what adding the method did to its AUP."""
    before: Scoreboard
    after: Scoreboard


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A method set beside the pool on a named suite."""

    method: str
    suite: Suite
    k: int
    protocol: ScoringProtocol
    mlgym_compatible: bool
    marks: tuple[Mark, ...]
    best_attempt: Placement
    best_submission: Placement


def add_method(
    pool: Pool,
    name: str,
    scores: Sequence[TaskRuns],
    *,
    tasks: Sequence[str] | None = None,
    protocol: ScoringProtocol = "verified",
) -> Comparison:
    """A method's BA@k, BS@k and AUP with it added to the pool on a named subset of tasks.

    The pool is first cut to the same tasks, so nothing here stands beside a figure of the full suite. With
    more than k runs of a task the method's score is the expected best of k of them, with fewer the best of
    what there is; both are marked. Wall time enters as ``score * published baseline / measured baseline``.

    Args:
        pool: as from `published_pool`; its ``mlgym_compatible`` says whether self-reported metrics enter.
        name: the method's name in tables; not one of the pool's.
        scores: its runs, in the unit of the published metrics, one item per task.
        tasks: the tasks to compare on, by id, MLGym id or label; by default all that ``scores`` has.
        protocol: the protocol under which the runs were scored.

    Raises:
        UnknownName: for an unknown task.
        BadSpecification: when the name is taken, a named task was not run or is not in the pool, a metric
            is not the published one, a wall time comes without its baseline, or no task is left.
    """
    if name in {*pool.attempt[0].scores, BASELINE}:
        raise BadSpecification("method", f"{name!r} is already in the pool; give the new one another name")
    runs = {facts_of(item.task).id: item for item in scores}
    if len(runs) < len(scores):
        raise BadSpecification("scores", "a task is there twice; put all its runs into one item")
    named = [facts_of(task) for task in (runs if tasks is None else tasks)]
    facts, left_out = _comparable(named, pool, runs)
    suite = suite_of([fact.id for fact in facts], left_out)
    values = {fact.id: _rescaled(runs[fact.id], fact) for fact in facts}

    def placed(tables: Sequence[TaskScores], kind: Kind) -> tuple[list[TaskScores], dict[str, float | None]]:
        by_task = {table.task: table for table in tables}
        at_k = best_attempt_at_k if kind == "attempt" else best_submission_at_k
        own = {fact.id: at_k(values[fact.id], fact.direction, k=pool.k) for fact in facts}
        return [by_task[fact.id] for fact in facts], own

    attempts, own_attempt = placed(pool.attempt, "attempt")
    submissions, own_submission = placed(pool.submission, "submission")
    before = scoreboards(attempts, submissions, suite=suite)
    joined = [
        [with_method(table, name, own[table.task]) for table in tables]
        for tables, own in ((attempts, own_attempt), (submissions, own_submission))
    ]
    after = scoreboards(joined[0], joined[1], suite=suite)
    return Comparison(
        method=name,
        suite=suite,
        k=pool.k,
        protocol=protocol,
        mlgym_compatible=pool.mlgym_compatible,
        marks=(
            *protocol_marks(protocol),
            *task_marks(facts, mlgym_compatible=pool.mlgym_compatible),
            *(mark for fact in facts for mark in run_marks(runs[fact.id], pool.k)),
        ),
        best_attempt=_placement(name, attempts, joined[0], before[0], after[0]),
        best_submission=_placement(name, submissions, joined[1], before[1], after[1]),
    )


def _placement(
    name: str,
    alone: Sequence[TaskScores],
    joined: Sequence[TaskScores],
    before: Scoreboard,
    after: Scoreboard,
) -> Placement:
    scales = {table.task: task_scale(table) for table in alone}
    frozen = area_under_profiles(joined, t_max=before.t_max, scales=scales)
    return Placement(
        scores={table.task: table.scores[name] for table in joined},
        position={table.task: _position(table, name) for table in joined},
        aup=after.aup[name],
        frozen_aup=frozen[name],
        shift=aup_shift(before, after),
        before=before,
        after=after,
    )


def _position(table: TaskScores, name: str) -> int | None:
    own = table.scores[name]
    if own is None:
        return None
    return 1 + sum(s is not None and is_better(s, own, table.direction) for s in table.scores.values())


def _comparable(
    named: Sequence[TaskFacts], pool: Pool, runs: Mapping[str, TaskRuns]
) -> tuple[list[TaskFacts], list[LeftOut]]:
    """The named tasks that may enter, in the order of MLGym's tables, and those that may not."""
    wanted = {facts.id for facts in named}
    entering: list[TaskFacts] = []
    left_out: list[LeftOut] = []
    for facts in task_facts():
        if facts.id not in wanted:
            continue
        if facts.id not in runs:
            raise BadSpecification(
                "tasks", f"{facts.id} was not run; name only tasks that the method has runs of"
            )
        told = facts.self_reported or runs[facts.id].self_reported
        if told and not pool.mlgym_compatible:
            left_out.append(self_reported(facts.id))
        elif facts.id not in pool.suite.tasks:
            raise BadSpecification(
                "tasks", f"{facts.id} is not in the pool; it has {', '.join(pool.suite.tasks)}"
            )
        else:
            entering.append(facts)
    if not entering:
        raise BadSpecification("tasks", "none is left to compare on; self-reported metrics do not enter")
    return entering, left_out


def _rescaled(runs: TaskRuns, facts: TaskFacts) -> list[tuple[float | None, ...]]:
    """The entries of the valid runs, wall time brought to the machine of the published baseline."""
    if (runs.metric, runs.direction) != (facts.metric, facts.direction):
        raise BadSpecification(
            f"scores of {facts.id}",
            f"are {runs.metric!r} ({runs.direction}); the pool's are {facts.metric!r} ({facts.direction})",
        )
    entries = runs.entries(valid_only=True)
    if not facts.wall_time:
        return entries
    if runs.measured_baseline is None or not runs.measured_baseline > 0:
        raise BadSpecification(
            f"scores of {facts.id}",
            "are wall times; measure the baseline beside them and give measured_baseline",
        )
    factor = facts.baseline / runs.measured_baseline
    return [tuple(None if entry is None else entry * factor for entry in run) for run in entries]
