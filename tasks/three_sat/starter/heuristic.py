"""Branch on a random variable and try true first."""

import random


def heuristic(unresolved_clauses, assignments, conflict_count, assignment_history, level):
    """Return the variable to branch on and the value to try first."""
    random.seed(10)
    unassigned = set()
    for clause in unresolved_clauses:
        for literal in clause:
            if abs(literal) not in assignments:
                unassigned.add(abs(literal))
    if not unassigned:
        return None, True
    return random.choice(list(unassigned)), True
