"""What a study came to, as one array: a value for every method, task and seed, with what failed and what is missing.

A *block* is one task with one seed: all methods met the same draws of the task there. Blocks are the units of every
interval and test in this package; the runs inside a block are never treated as independent of each other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from engine.errors import BadSpecification, UnknownName

FloatArray: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
FailureRule: TypeAlias = Literal["count", "exclude", "worst"]
"""``count``: a failure scores what its task states (intention to treat); ``exclude``: failures are left out;
``worst``: a failure scores the worst value seen on its task by any method (or the task's floor, if that is worse)."""


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    method: str
    task: str
    block: str
    """Name of the seed: runs of one task with one block's name belong together."""
    score: float | None
    """More is better; None: the agent failed (a run that the outside let down is no observation at all)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes:
    """Values of several methods on several tasks over seeds.

    Attributes:
        methods: their names.
        tasks: their names.
        values: shape ``(methods, tasks, seeds)``, more is better; what a run counts as under intention to treat: a
            failed run holds its task's floor. NaN: no such run (not run, or let down by the outside).
        failed: same shape; whether the agent failed there.
        floors: shape ``(tasks,)``; what a failure scores.
    """

    methods: tuple[str, ...]
    tasks: tuple[str, ...]
    values: FloatArray
    failed: BoolArray
    floors: FloatArray

    def __post_init__(self) -> None:
        shape = (len(self.methods), len(self.tasks))
        if self.values.ndim != 3 or self.values.shape[:2] != shape or self.failed.shape != self.values.shape:
            raise BadSpecification(
                "outcomes",
                f"values and failed need the shape (methods, tasks, seeds), here {shape} and seeds",
            )
        if self.floors.shape != shape[1:]:
            raise BadSpecification("outcomes", "floors need one value per task")

    def index(self, method: str) -> int:
        """Where a method stands.

        Raises:
            UnknownName: it is not there.
        """
        if method not in self.methods:
            raise UnknownName("method", method, self.methods)
        return self.methods.index(method)

    def of(self, method: str) -> FloatArray:
        """The values of one method, shape ``(tasks, seeds)``."""
        mine: FloatArray = self.values[self.index(method)]
        return mine

    @property
    def seeds(self) -> int:
        """Smallest number of blocks on any task: what decides whether an interval may be shown."""
        return int(np.min(np.sum(np.any(~np.isnan(self.values), axis=0), axis=1)))

    def under(self, rule: FailureRule) -> "Outcomes":
        """The same runs with failures counted by another rule."""
        values = self.values.copy()
        if rule == "exclude":
            values[self.failed] = np.nan
        elif rule == "worst":
            seen = np.where(np.isnan(values), np.inf, values).min(axis=(0, 2))
            worst = np.broadcast_to(np.minimum(seen, self.floors)[None, :, None], values.shape)
            values = np.where(self.failed, worst, values)
        return Outcomes(
            methods=self.methods, tasks=self.tasks, values=values, failed=self.failed, floors=self.floors
        )

    def only(self, *, methods: Sequence[str] | None = None, tasks: Sequence[str] | None = None) -> "Outcomes":
        """The outcomes of some methods or tasks, in the order asked for.

        Raises:
            UnknownName: one of them is not there.
        """
        for task in tasks or ():
            if task not in self.tasks:
                raise UnknownName("task", task, self.tasks)
        rows = [self.index(method) for method in methods or self.methods]
        columns = [self.tasks.index(task) for task in tasks or self.tasks]
        return Outcomes(
            methods=tuple(self.methods[row] for row in rows),
            tasks=tuple(self.tasks[column] for column in columns),
            values=self.values[np.ix_(rows, columns)],
            failed=self.failed[np.ix_(rows, columns)],
            floors=self.floors[columns],
        )


def make_outcomes(observations: Iterable[Observation], *, floors: dict[str, float] | None = None) -> Outcomes:
    """Outcomes from single runs; methods and tasks in the order in which they first appear, blocks sorted by name.

    Args:
        observations: at most one for each method, task and block.
        floors: by task, what a failure scores there; 0 (the baseline of a normalised score) where none is stated.

    Raises:
        BadSpecification: no observation, one twice, or a score that is not finite.
    """
    given = list(observations)
    if not given:
        raise BadSpecification("outcomes", "there is no observation; run the study first")
    methods = tuple(dict.fromkeys(each.method for each in given))
    tasks = tuple(dict.fromkeys(each.task for each in given))
    blocks = {task: _blocks([each for each in given if each.task == task]) for task in tasks}
    shape = (len(methods), len(tasks), max(map(len, blocks.values())))
    floor = np.array([(floors or {}).get(task, 0.0) for task in tasks])
    values, failed, seen = (
        np.full(shape, np.nan),
        np.zeros(shape, dtype=np.bool_),
        set[tuple[int, int, int]](),
    )
    for each in given:
        where = (methods.index(each.method), tasks.index(each.task), blocks[each.task][each.block])
        if where in seen:
            raise BadSpecification(
                "outcomes", f"{each.method} on {each.task}, block {each.block} is there twice"
            )
        if each.score is not None and not np.isfinite(each.score):
            raise BadSpecification(
                "outcomes",
                f"{each.method} on {each.task}, block {each.block} scores {each.score}; mark it failed",
            )
        seen.add(where)
        failed[where] = each.score is None
        values[where] = floor[where[1]] if each.score is None else each.score
    return Outcomes(methods=methods, tasks=tasks, values=values, failed=failed, floors=floor)


def _blocks(observations: Sequence[Observation]) -> dict[str, int]:
    names = sorted({each.block for each in observations}, key=lambda name: (len(name), name))
    return {name: place for place, name in enumerate(names)}
