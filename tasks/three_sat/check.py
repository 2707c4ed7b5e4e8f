"""Self-check of a branching heuristic: does it keep the rules? It says nothing of how many decisions it saves.

Run it in the folder of `heuristic.py`. Exit status 0: it does; else the last line says what is wrong. Positions are
random formulas with some variables assigned, as the solver would show them.
"""

import importlib
import random
import sys
from collections.abc import Callable
from typing import cast

POSITIONS = 100
CALLS_A_POSITION = 2_000  # on average; counted, not timed, so that the verdict is the same on every machine

Clauses = list[list[int]]
Heuristic = Callable[[Clauses, dict[int, bool], dict[int, int], list[int], int], object]


class TooSlow(Exception):
    """The heuristic made more calls than it may."""


def position(draws: random.Random) -> tuple[Clauses, dict[int, bool]] | None:
    """Unresolved clauses and assignments; None where nothing would be left to decide."""
    variables = draws.randrange(3, 11)
    chosen = [draws.sample(range(1, variables + 1), 3) for _ in range(draws.randrange(2, 12) * variables)]
    clauses = [[variable * draws.choice((1, -1)) for variable in clause] for clause in chosen]
    assigned = draws.sample(range(1, variables + 1), draws.randrange(variables))
    assignments = {variable: draws.random() < 0.5 for variable in assigned}
    unresolved = [
        clause for clause in clauses if not any(assignments.get(abs(each)) == (each > 0) for each in clause)
    ]
    free = [sum(abs(each) not in assignments for each in clause) for clause in unresolved]
    return (unresolved, assignments) if free and min(free) > 0 else None


def fault(answer: object, clauses: Clauses, assignments: dict[int, bool]) -> str:
    """What is wrong with an answer; empty when nothing is."""
    if not isinstance(answer, tuple | list) or len(cast("list[object]", answer)) != 2:
        return f"{answer!r} is no pair of a variable and a bool"
    variable, value = cast("list[object]", answer)
    if type(variable) is not int:
        return f"the variable {variable!r} is no int, although there is a free one"
    if not isinstance(value, bool):
        return f"the value {value!r} is no bool"
    if variable in assignments:
        return f"variable {variable} has a value already"
    if not any(variable in (each, -each) for clause in clauses for each in clause):
        return f"no unresolved clause has variable {variable}"
    return ""


def main() -> str:
    """What is wrong; empty when nothing is."""
    sys.path.insert(0, ".")
    random.seed(1)  # so that what the code under test draws repeats, and the record with it
    try:
        heuristic: Heuristic = importlib.import_module("heuristic").heuristic
    except BaseException as error:  # noqa: BLE001 - the code under test may raise anything, SystemExit too
        return f"heuristic.py cannot be imported: {type(error).__name__}: {error}"
    draws = random.Random(1)  # noqa: S311 - no secret hangs on it
    shown = calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")
        if calls > CALLS_A_POSITION * (shown + 20):
            sys.setprofile(None)
            raise TooSlow

    while shown < POSITIONS:
        found = position(draws)
        if found is None:
            continue
        clauses, assignments = found
        largest = max(abs(each) for clause in clauses for each in clause)
        counts = dict.fromkeys(range(1, max(largest, *assignments, 1) + 1), shown % 3)
        sys.setprofile(count)
        try:
            answer = heuristic(
                [*map(list, clauses)], dict(assignments), counts, list(assignments), len(assignments)
            )
        except TooSlow:
            return f"too slow: more than {CALLS_A_POSITION} calls for a decision, on average"
        except BaseException as error:  # noqa: BLE001 - as above
            return f"{type(error).__name__} at position {shown + 1}: {error}"
        finally:
            sys.setprofile(None)
        if problem := fault(answer, clauses, assignments):
            return f"the answer to position {shown + 1} is wrong: {problem}"
        shown += 1
    return ""


if __name__ == "__main__":
    problem = main()
    print(problem or "keeps the rules")  # noqa: T201 - its answer
    sys.exit(1 if problem else 0)
