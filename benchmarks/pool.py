"""The pool of published methods, from the facts or from a folder of released runs, and its scoreboards.

Metrics that the scored code reports itself, and runs known to be invalid, stay out unless
``mlgym_compatible=True`` is asked for, which is what the published tables did: else the suite is partial.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from benchmarks.attempts import Entries, best_attempt_at_k, best_submission_at_k
from benchmarks.marks import Mark, task_marks
from benchmarks.records import PublishedRuns, load_published_runs, load_rank_table
from benchmarks.reference import (
    Kind,
    TaskFacts,
    facts_of,
    published_methods,
    published_score,
    reference,
    task_facts,
)
from benchmarks.scoreboard import LeftOut, Scoreboard, Suite, scoreboards, suite_of
from benchmarks.scores import BASELINE, TaskScores
from engine.errors import BadSpecification
from engine.task import Direction

AtK: TypeAlias = Callable[[Sequence[Entries], Direction], float | None]


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """Methods and the baseline with one best attempt@k and one best submission@k per task."""

    source: str
    k: int
    mlgym_compatible: bool
    suite: Suite
    attempt: tuple[TaskScores, ...]
    submission: tuple[TaskScores, ...]


class PublishedScores(msgspec.Struct, frozen=True, kw_only=True):
    """The scoreboards of a folder of released runs."""

    source: str
    k: int
    mlgym_compatible: bool
    suite: Suite
    tasks: tuple[TaskFacts, ...]
    marks: tuple[Mark, ...]
    best_attempt: Scoreboard
    best_submission: Scoreboard


def published_pool(*, mlgym_compatible: bool = False) -> Pool:
    """The fixed pool: the 12 models of MLGym's tables and the baseline, from ``reference.toml``."""
    return _pool(
        reference().source,
        mlgym_compatible=mlgym_compatible,
        tables={
            "attempt": [_published_table(facts, "attempt", mlgym_compatible) for facts in task_facts()],
            "submission": [_published_table(facts, "submission", mlgym_compatible) for facts in task_facts()],
        },
    )


def pool_of_runs(
    published: PublishedRuns, *, methods: Sequence[str] | None = None, mlgym_compatible: bool = False
) -> Pool:
    """The pool that released runs make.

    Args:
        published: the runs.
        methods: those to enter, in this order; by default those of MLGym's tables that have runs.
        mlgym_compatible: let self-reported metrics and runs known to be invalid in.
    """
    chosen = [m for m in published_methods() if m in published.methods] if methods is None else methods
    by_key = {(runs.task, runs.method): runs for runs in published.runs}
    present = [f for f in task_facts() if any((f.id, method) in by_key for method in chosen)]

    def table(facts: TaskFacts, at_k: AtK) -> TaskScores:
        scores: dict[str, float | None] = {BASELINE: published.baselines.get(facts.id)}
        for method in chosen:
            runs = by_key.get((facts.id, method))
            scores[method] = (
                None if runs is None else at_k(runs.entries(valid_only=not mlgym_compatible), facts.direction)
            )
        return TaskScores(task=facts.id, direction=facts.direction, scores=scores)

    return _pool(
        published.source,
        mlgym_compatible=mlgym_compatible,
        tables={
            "attempt": [table(facts, best_attempt_at_k) for facts in present],
            "submission": [table(facts, best_submission_at_k) for facts in present],
        },
    )


def score_published(folder: Path, *, mlgym_compatible: bool = False) -> PublishedScores:
    """Scoreboards of the released runs in a folder.

    Args:
        folder: holds ``results.jsonl.gz`` and, if wanted, MLGym's rank tables.
        mlgym_compatible: score as the published tables do: all 13 tasks, self-reported metric and invalid
            runs included, methods without a score in the arbitrary order that the rank tables (when they are
            there) preserve. By default these stay out, and the suite is partial.

    Raises:
        BadSpecification: when a file is missing or damaged, with file and line.
    """
    pool = pool_of_runs(load_published_runs(folder), mlgym_compatible=mlgym_compatible)
    attempt, submission = pool.attempt, pool.submission
    if mlgym_compatible:
        attempt = in_published_order(attempt, _rank_table(folder / "best_ranks_aggregate_results.csv"))
        submission = in_published_order(submission, _rank_table(folder / "last_ranks_aggregate_results.csv"))
    best_attempt, best_submission = scoreboards(attempt, submission, suite=pool.suite)
    facts = tuple(facts_of(task) for task in pool.suite.tasks)
    return PublishedScores(
        source=pool.source,
        k=pool.k,
        mlgym_compatible=mlgym_compatible,
        suite=pool.suite,
        tasks=facts,
        marks=tuple(task_marks(facts, mlgym_compatible=mlgym_compatible)),
        best_attempt=best_attempt,
        best_submission=best_submission,
    )


def _pool(source: str, *, mlgym_compatible: bool, tables: Mapping[Kind, Sequence[TaskScores]]) -> Pool:
    entering = [t.task for t in tables["attempt"] if mlgym_compatible or not facts_of(t.task).self_reported]
    if not entering:
        raise BadSpecification(source, "holds no task whose metric may enter a comparison")
    absent = [table.task for table in tables["attempt"] if table.task not in entering]
    return Pool(
        source=source,
        k=reference().k,
        mlgym_compatible=mlgym_compatible,
        suite=suite_of(entering, [self_reported(task) for task in absent]),
        attempt=tuple(table for table in tables["attempt"] if table.task in entering),
        submission=tuple(table for table in tables["submission"] if table.task in entering),
    )


def _published_table(facts: TaskFacts, kind: Kind, mlgym_compatible: bool) -> TaskScores:
    scores: dict[str, float | None] = {BASELINE: facts.baseline}
    for method in published_methods():
        scores[method] = published_score(facts.id, method, kind, valid_only=not mlgym_compatible)
    return TaskScores(task=facts.id, direction=facts.direction, scores=scores)


def in_published_order(
    tables: Sequence[TaskScores], orders: Mapping[str, Sequence[str]]
) -> tuple[TaskScores, ...]:
    """The tables with each task's methods in a published order, as from `load_rank_table`.

    Scores decide every order but that of methods without one, which is arbitrary in the published tables and
    yet counts in their mean positions: this is where it is taken from.
    """
    ordered: list[TaskScores] = []
    for table in tables:
        listed = [method for method in orders.get(table.task, ()) if method in table.scores]
        names = dict.fromkeys((*listed, *table.scores))
        ordered.append(msgspec.structs.replace(table, scores={name: table.scores[name] for name in names}))
    return tuple(ordered)


def _rank_table(path: Path) -> dict[str, tuple[str, ...]]:
    return load_rank_table(path) if path.exists() else {}


def self_reported(task: str) -> LeftOut:
    """A task left out because the scored code makes up its metric."""
    return LeftOut(
        task=task, reason="the scored code reports the metric itself; ask for mlgym_compatible to see it"
    )
