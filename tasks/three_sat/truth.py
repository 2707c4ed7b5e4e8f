"""What is true of a formula, worked out without the solver: brute force and substitution."""

from collections.abc import Sequence
from functools import cache

from tasks.three_sat.instances import Clause, Instance

LARGEST_BRUTE_FORCE = 10
"""Variables up to which every assignment is tried (as one bit each of a 1,024-bit integer)."""


def is_satisfiable(instance: Instance) -> bool:
    """Whether some assignment makes every clause true, by trying them all at once.

    Bit ``a`` of an integer stands for assignment ``a``; variable ``v`` is true in it where its bit ``v - 1``
    is set.

    Raises:
        ValueError: with more than `LARGEST_BRUTE_FORCE` variables.
    """
    if instance.variables > LARGEST_BRUTE_FORCE:
        raise ValueError(
            f"brute force reaches {LARGEST_BRUTE_FORCE} variables, not {instance.variables}; "
            "label larger formulas with the trusted solver"
        )
    falsified = 0
    for clause in set(instance.clauses):
        falsified |= _falsifying(instance.variables, clause)
    return falsified != _all_assignments(instance.variables)


def satisfies(instance: Instance, literals: Sequence[int]) -> bool:
    """Whether these true literals, each variable at most once, make every clause true."""
    true = set(literals)
    if any(-literal in true for literal in true):
        return False
    return all(not true.isdisjoint(clause) for clause in instance.clauses)


def _all_assignments(variables: int) -> int:
    return (1 << (1 << variables)) - 1


@cache
def _making_true(variables: int, literal: int) -> int:
    """The assignments of this many variables in which the literal is true."""
    half = 1 << (abs(literal) - 1)  # the variable's bit changes every `half` assignments
    period = ((1 << half) - 1) << half
    true = 0
    for start in range(0, 1 << variables, 2 * half):
        true |= period << start
    return true if literal > 0 else _all_assignments(variables) & ~true


@cache
def _falsifying(variables: int, clause: Clause) -> int:
    """The assignments that make the clause false. 3 to 10 variables have 15,840 in all."""
    first, second, third = clause
    return (
        _making_true(variables, -first) & _making_true(variables, -second) & _making_true(variables, -third)
    )
