"""The baseline heuristic on our own side: its decisions on a set of formulas, found once for each set.

It makes the decisions of `heuristics.BASELINE` exactly. That file reseeds the global generator with 10 at each call and
chooses from n variables, so its choice depends on n alone; here it is looked up, and no global generator is touched.
"""

import random
from collections.abc import Container, Iterable, Sequence
from functools import cache

import msgspec
import trio

from engine.errors import EngineDefect
from tasks.three_sat.instances import Instance
from tasks.three_sat.solver import Answer, Question, Search, Verdict

_UNBOUNDED = 1 << 40
_BETWEEN_CHECKPOINTS = 16


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """What the baseline came to, formula by formula."""

    decisions: tuple[int, ...]
    satisfiable: tuple[bool, ...]
    """It never gives a branch up, so these are the labels."""


async def solve_by_baseline(instances: Sequence[Instance]) -> Reference:
    """Solve all formulas with the baseline heuristic; holds the loop for a few milliseconds at a stretch."""
    decisions: list[int] = []
    satisfiable: list[bool] = []
    for number, instance in enumerate(instances):
        search = Search(instance, decision_cap=_UNBOUNDED)
        question = search.start()
        while question is not None:
            question = search.answer(_choose(instance, question))
        if search.verdict not in {Verdict.SATISFIABLE, Verdict.UNSATISFIABLE}:
            raise EngineDefect(f"the baseline heuristic ended as {search.verdict}")
        decisions.append(search.decisions)
        satisfiable.append(search.verdict is Verdict.SATISFIABLE)
        if number % _BETWEEN_CHECKPOINTS == 0:
            await trio.lowlevel.checkpoint()
    return Reference(decisions=tuple(decisions), satisfiable=tuple(satisfiable))


def _choose(instance: Instance, question: Question) -> Answer:
    assigned = {abs(literal) for literal in question.trail}
    return choose([instance.clauses[index] for index in question.clauses], assigned)


def choose(unresolved: Iterable[Iterable[int]], assigned: Container[int]) -> Answer:
    """The baseline's answer to a position."""
    free: set[int] = set()
    # Filled in the order of the heuristic's own loop: the order of a set's elements can depend on it.
    for clause in unresolved:
        for literal in clause:
            if abs(literal) not in assigned:
                free.add(abs(literal))
    return (list(free)[_position(len(free))], True) if free else (None, True)


@cache
def _position(count: int) -> int:
    return random.Random(10).choice(range(count))  # noqa: S311 - it is the baseline's generator
