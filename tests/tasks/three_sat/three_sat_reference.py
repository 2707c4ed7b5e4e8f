"""A slow recursive DPLL, written from the description of MLGym's solver, to hold the fast one against."""

from collections.abc import Callable, Sequence

Position = tuple[
    tuple[tuple[int, ...], ...],
    tuple[tuple[int, bool], ...],
    tuple[tuple[int, int], ...],
    tuple[int, ...],
    int,
]
"""What a heuristic sees: clauses, assignments in order, conflict counts, history, level."""


class ReferenceSolver:
    def __init__(
        self,
        variables: int,
        clauses: Sequence[tuple[int, int, int]],
        heuristic: Callable[[Position], tuple[int | None, bool]],
    ) -> None:
        self.heuristic = heuristic
        self.unresolved = [list(clause) for clause in clauses]
        self.resolved: list[list[int]] = []
        self.assignments: dict[int, bool] = {}
        self.levels: list[list[int]] = []
        self.conflict_counts = dict.fromkeys(range(1, variables + 1), 0)
        self.history: list[int] = []
        self.decisions = self.propagations = self.conflicts = 0

    def solve(self) -> bool:
        if all(any(self._is_true(literal) for literal in clause) for clause in self.unresolved):
            return True
        false = [clause for clause in self.unresolved if all(self._is_false(literal) for literal in clause)]
        if false:
            self.conflicts += 1
            for clause in false:
                for literal in clause:
                    self.conflict_counts[abs(literal)] += 1
            return False
        outcome = self._propagate()
        if outcome is not None:
            return outcome
        variable, value = self._ask()
        if variable is None:
            return False
        for tried in (value, not value):
            self._decide(variable, tried)
            if self.solve():
                return True
            self._undo()
        return False

    def _propagate(self) -> bool | None:
        assignments = dict(self.assignments)
        unresolved, resolved = list(self.unresolved), list(self.resolved)
        propagated: list[int] = []

        def free(clause: list[int]) -> list[int]:
            return [literal for literal in clause if abs(literal) not in assignments]

        while units := [clause for clause in unresolved if len(free(clause)) == 1 and len(clause) > 1]:
            for unit in units:
                if not free(unit):
                    continue
                (literal,) = free(unit)
                assignments[abs(literal)] = literal > 0
                propagated.append(abs(literal))
                self.propagations += 1
                resolved += [clause for clause in unresolved if literal in clause]
                unresolved = [clause for clause in unresolved if literal not in clause]
                if not unresolved:
                    return True
                if any(
                    all(assignments.get(abs(other)) == (other < 0) for other in clause)
                    for clause in unresolved
                ):
                    self.conflicts += 1
                    self.conflict_counts[abs(literal)] += 1
                    return False
        self.assignments, self.unresolved, self.resolved = assignments, unresolved, resolved
        self.history += propagated
        if propagated:
            self.levels[-1] += propagated
        return None

    def _ask(self) -> tuple[int | None, bool]:
        self.decisions += 1
        return self.heuristic(
            (
                tuple(map(tuple, self.unresolved)),
                tuple(self.assignments.items()),
                tuple(self.conflict_counts.items()),
                tuple(self.history),
                len(self.levels),
            )
        )

    def _decide(self, variable: int, value: bool) -> None:
        self.levels.append([variable])
        self.assignments[variable] = value
        self.history.append(variable)
        literal = variable if value else -variable
        self.resolved += [clause for clause in self.unresolved if literal in clause]
        self.unresolved = [clause for clause in self.unresolved if literal not in clause]

    def _undo(self) -> None:
        for variable in self.levels.pop():
            del self.assignments[variable]
        open_again = [clause for clause in self.resolved if not any(map(self._is_true, clause))]
        self.resolved = [clause for clause in self.resolved if any(map(self._is_true, clause))]
        self.unresolved += open_again

    def _is_true(self, literal: int) -> bool:
        return self.assignments.get(abs(literal)) == (literal > 0)

    def _is_false(self, literal: int) -> bool:
        return self.assignments.get(abs(literal)) == (literal < 0)
