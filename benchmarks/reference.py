"""Facts about MLGym-Bench: its 13 tasks, and the fixed pool of what its released runs scored on them.

Start with `task_facts`; the figures themselves are in ``reference.toml`` beside this file, with their source
(arXiv 2502.14499). Tasks answer to their id here, their MLGym id, or the label of MLGym's tables.
"""

from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from benchmarks.scores import best_of, is_better
from engine.errors import EngineDefect, UnknownName
from engine.task import Direction

Kind = Literal["attempt", "submission"]
"""Best attempt@4 or best submission@4."""


class TaskFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a task, in the unit of its published metric."""

    id: str
    mlgym_id: str
    label: str
    """Its name in MLGym's tables."""
    metric: str
    direction: Direction
    baseline: float
    """As published; the 3-SAT one is seconds on an unknown machine."""
    optimum: float | None = None
    """Best reachable (or best known) expected score, where it is known."""
    wall_time: bool = False
    """The metric is wall time: comparable only when scaled by a baseline measured beside it."""
    self_reported: bool = False
    """The scored code makes up the metric itself: it decides nothing unless a caller asks for it."""
    note: str = ""


class PublishedMethod(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model whose runs were released."""

    name: str
    title: str
    in_tables: bool = True
    """Whether MLGym's tables list it."""


class InvalidRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A released run known not to have earned its score, and what the method has without it."""

    task: str
    method: str
    run: int
    reason: str
    attempt: float | None = None
    submission: float | None = None


class BestPublished(msgspec.Struct, frozen=True, kw_only=True):
    """The best valid published score of a task."""

    task: str
    kind: Kind
    method: str
    score: float
    self_reported: bool
    """The scored code wrote the metric itself: a figure to print with that mark, not to compare with."""
    wall_time: bool
    beyond_optimum: bool
    """Better than the best expected score: the luckiest of many noisy evaluations."""


class _Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    attempt: dict[str, float]
    submission: dict[str, float]


class Reference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of ``reference.toml``."""

    version: Literal[1]
    source: str
    k: int
    methods: tuple[PublishedMethod, ...]
    tasks: tuple[TaskFacts, ...]
    invalid: tuple[InvalidRun, ...]
    published: dict[str, _Published]


@cache
def reference() -> Reference:
    """The facts, read once."""
    path = Path(__file__).with_name("reference.toml")
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Reference)
    except (OSError, msgspec.DecodeError) as error:
        raise EngineDefect(
            f"{path.name} of this installation cannot be read ({error}); install again"
        ) from error


def task_facts() -> tuple[TaskFacts, ...]:
    """The 13 tasks, in the order of MLGym's tables."""
    return reference().tasks


def facts_of(name: str) -> TaskFacts:
    """The facts of one task, by id, MLGym id or table label.

    Raises:
        UnknownName: when no task answers to the name.
    """
    for facts in task_facts():
        if name in (facts.id, facts.mlgym_id, facts.label):
            return facts
    raise UnknownName("MLGym-Bench task", name, [facts.id for facts in task_facts()])


def published_methods(*, in_tables_only: bool = True) -> tuple[str, ...]:
    """The models of the published tables, in their order; all with released runs when asked."""
    return tuple(m.name for m in reference().methods if m.in_tables or not in_tables_only)


def invalid_run(task: str, method: str) -> InvalidRun | None:
    """The known invalid run of a method on a task (by its id here), if there is one."""
    found = (run for run in reference().invalid if (run.task, run.method) == (task, method))
    return next(found, None)


def published_score(task: str, method: str, kind: Kind, *, valid_only: bool = True) -> float | None:
    """Best attempt@4 or best submission@4 of a published model; ``None`` where it had no usable run.

    Args:
        task: a task's id, MLGym id or label.
        method: the model's name.
        kind: which of the two.
        valid_only: leave out the runs known to be invalid, as published tables do not.

    Raises:
        UnknownName: for an unknown task or model.
    """
    facts = facts_of(task)
    known = published_methods(in_tables_only=False)
    if method not in known:
        raise UnknownName("published method", method, known)
    invalid = invalid_run(facts.id, method) if valid_only else None
    if invalid is not None:
        return invalid.attempt if kind == "attempt" else invalid.submission
    cells = reference().published[facts.id]
    return (cells.attempt if kind == "attempt" else cells.submission).get(method)


def best_published_valid(task: str, kind: Kind = "submission") -> BestPublished:
    """The best score of a task in the published tables that no known invalid run made, with its marks.

    Raises:
        UnknownName: when no task answers to the name.
    """
    facts = facts_of(task)
    methods = published_methods()
    scores = {method: published_score(facts.id, method, kind) for method in methods}
    best = best_of(scores.values(), facts.direction)
    if best is None:
        raise EngineDefect(f"reference.toml holds no published score of {facts.id}; install again")
    return BestPublished(
        task=facts.id,
        kind=kind,
        method=next(method for method, score in scores.items() if score == best),
        score=best,
        self_reported=facts.self_reported,
        wall_time=facts.wall_time,
        beyond_optimum=facts.optimum is not None and is_better(best, facts.optimum, facts.direction),
    )
