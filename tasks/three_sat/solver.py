"""A trusted DPLL whose branching is decided elsewhere: it asks, and goes on when it is answered.

It makes exactly the decisions of MLGym's recursive solver, and shows its heuristic exactly the same position,
but is a generator without recursion, so thousands of searches advance together and their questions travel in
batches.

Sets of clauses are integers, one bit a clause; ``once``, ``twice`` and ``thrice`` hold the clauses with at
least so many assigned variables. Restoring a level is then one assignment. Only the *order* of the unresolved
clauses needs a list, because the heuristic sees it and unit clauses are taken in it.

Where the description of MLGym's solver leaves a choice (none touches the published number of decisions):
conflict counts are shared by all branches, also where propagation failed; the history gains a decision when
it is made and propagated variables when their propagation is committed; the level is the number of open
decisions.
"""

from collections.abc import Generator
from enum import StrEnum
from typing import Final, Literal, NamedTuple

import msgspec

from tasks.three_sat.instances import Instance

FaultKind = Literal["assigned-variable", "unknown-variable", "malformed-answer"]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of the heuristic that no search can go on from; it ends its instance as failed.

    MLGym's solver would assign such a variable anyway and go astray; here nothing is gained by trying.
    """

    kind: FaultKind
    detail: str


class Verdict(StrEnum):
    """How a search ended."""

    SATISFIABLE = "satisfiable"
    UNSATISFIABLE = "unsatisfiable"
    """No branch is left. Wrong only where the heuristic gave a branch up by answering no variable."""
    CAPPED = "capped"
    FAULTY = "faulty"


class Question(NamedTuple):
    """A position to branch in. The lists are the search's own: read them before answering."""

    clauses: list[int]
    """Indices of the unresolved clauses (no literal true yet), in the solver's order."""
    trail: list[int]
    """The true literals in the order of assignment; the heuristic sees them as a mapping."""
    conflict_counts: list[int]
    """By variable; entry 0 is unused."""
    history: list[int]
    """Every variable ever assigned on a branch that outlived its propagation; never shortened."""
    level: int
    """How many decisions are open."""


Answer = tuple[int | None, bool]
"""Variable and the value to try first; no variable gives the branch up."""


class _State(NamedTuple):
    """Sets of clauses."""

    unresolved: int
    once: int
    twice: int
    thrice: int


class _Level:
    """A decision that is open, and what it takes to undo it."""

    __slots__ = ("is_second", "moved", "saved", "trail", "value", "variable")

    def __init__(self, variable: int, value: bool, saved: _State, trail: int) -> None:
        self.variable, self.value, self.is_second = variable, value, False
        self.saved = saved  # before the decision
        self.trail = trail  # its length
        self.moved: list[int] = []  # the clauses that each assignment of this level satisfied, in order


class Search:
    """One formula's search, advanced by `start` and `answer`.

    Attributes:
        decisions: questions asked so far.
        propagations: variables assigned by unit propagation, also on branches that failed in it.
        conflicts: branches that ended in a false clause.
        gave_up: whether some branch was given up, so that unsatisfiable is no proof.
        verdict: how it ended; None while a question is open.
        model: true literals satisfying the formula, once it is found satisfiable.
        fault: what was wrong with the last answer, where that ended the search.
    """

    def __init__(self, instance: Instance, *, decision_cap: int) -> None:
        self.instance: Final = instance
        self.decision_cap: Final = decision_cap
        self.decisions = self.propagations = self.conflicts = 0
        self.gave_up = False
        self.verdict: Verdict | None = None
        self.model: tuple[int, ...] = ()
        self.fault: Fault | None = None
        self._run = self._search()

    def start(self) -> Question | None:
        """The first question; None where propagation alone decides."""
        return next(self._run, None)

    def answer(self, answer: Answer | Fault) -> Question | None:
        """The next question, after this answer to the last; None when the search has ended."""
        if isinstance(answer, Fault):
            self.fail(answer)
            return None
        try:
            return self._run.send(answer)
        except StopIteration:
            return None

    def fail(self, fault: Fault) -> None:
        """End the search as faulty."""
        self._run.close()
        self.verdict, self.fault = Verdict.FAULTY, fault

    def _search(self) -> Generator[Question, Answer, None]:  # noqa: PLR0912, PLR0915 - one loop is the recursion unrolled
        variables, clauses = self.instance.variables, self.instance.clauses
        # Indexed by literal: Python's negative indices make entry -v the one of the negated variable.
        holding = [0] * (2 * variables + 1)
        bit = 1
        for one, two, three in clauses:
            holding[one] |= bit
            holding[two] |= bit
            holding[three] |= bit
            bit <<= 1
        occurring = [holding[variable] | holding[-variable] for variable in range(variables + 1)]

        unresolved, once, twice, thrice = _State(bit - 1, 0, 0, 0)
        order = list(range(len(clauses)))  # resolved clauses keep their place among those resolved with them
        trail: list[int] = []
        assigned: set[int] = set()
        history: list[int] = []
        conflict_counts = [0] * (variables + 1)
        levels: list[_Level] = []

        while True:
            failed = False
            if not unresolved:
                self._succeed(trail)
                return
            if false := unresolved & thrice:
                self.conflicts += 1
                for index in _bits(false):
                    for literal in clauses[index]:
                        conflict_counts[abs(literal)] += 1
                failed = True
            else:
                # Unit propagation on copies of the state, committed only if no clause becomes false.
                left, some = unresolved, once
                most: int = twice  # annotated for pyright, which gives up on values that go round the loop
                full: int = thrice
                moved: list[int] = []
                propagated: list[int] = []
                new: set[int] = set()
                while not failed and (units := left & most & ~full):
                    indices = [i for i in order if units >> i & 1] if units & (units - 1) else _bits(units)
                    for index in indices:
                        if full >> index & 1:
                            continue  # an earlier unit clause of this pass assigned its last variable
                        for literal in clauses[index]:
                            variable = abs(literal)
                            if variable not in assigned and variable not in new:
                                break
                        else:  # pragma: no cover
                            raise AssertionError("a unit clause has an unassigned literal")
                        new.add(variable)
                        propagated.append(literal)
                        touched = occurring[variable]
                        full |= most & touched
                        most |= some & touched
                        some |= touched
                        satisfied = left & holding[literal]
                        moved.append(satisfied)
                        left ^= satisfied
                        if not left:
                            self.propagations += len(propagated)
                            self._succeed(trail + propagated)
                            return
                        if left & full:
                            self.conflicts += 1
                            conflict_counts[variable] += 1
                            failed = True
                            break
                self.propagations += len(propagated)
                if not failed:
                    if propagated:
                        unresolved, once, twice, thrice = left, some, most, full
                        trail += propagated
                        assigned |= new
                        history += map(abs, propagated)
                        levels[-1].moved += moved  # no clause is unit before the first decision
                    if self.decisions >= self.decision_cap:
                        self.verdict = Verdict.CAPPED
                        return
                    self.decisions += 1
                    visible = [i for i in order if unresolved >> i & 1]
                    chosen, value = yield Question(visible, trail, conflict_counts, history, len(levels))
                    if chosen is None:
                        self.gave_up = failed = True
                    elif chosen in assigned:
                        self.verdict = Verdict.FAULTY
                        self.fault = Fault(
                            kind="assigned-variable", detail=f"variable {chosen} has a value already"
                        )
                        return
                    elif not (1 <= chosen <= variables and occurring[chosen]):
                        self.verdict = Verdict.FAULTY
                        self.fault = Fault(kind="unknown-variable", detail=f"no clause has variable {chosen}")
                        return
                    else:
                        levels.append(
                            _Level(chosen, value, _State(unresolved, once, twice, thrice), len(trail))
                        )

            while failed:
                if not levels:
                    self.verdict = Verdict.UNSATISFIABLE
                    return
                level = levels[-1]
                unresolved, once, twice, thrice = level.saved
                for literal in trail[level.trail :]:
                    assigned.discard(abs(literal))
                del trail[level.trail :]
                order = _returned(order, level.moved)
                if level.is_second:
                    levels.pop()
                else:
                    level.is_second, level.value, level.moved = True, not level.value, []
                    failed = False

            level = levels[-1]
            literal = level.variable if level.value else -level.variable
            trail.append(literal)
            assigned.add(level.variable)
            history.append(level.variable)
            touched = occurring[level.variable]
            thrice |= twice & touched
            twice |= once & touched
            once |= touched
            satisfied = unresolved & holding[literal]
            level.moved.append(satisfied)
            unresolved ^= satisfied

    def _succeed(self, model: list[int]) -> None:
        self.verdict, self.model = Verdict.SATISFIABLE, tuple(model)


def _bits(mask: int) -> list[int]:
    """The indices of the set bits, ascending."""
    indices: list[int] = []
    while mask:
        low = mask & -mask
        indices.append(low.bit_length() - 1)
        mask ^= low
    return indices


def _returned(order: list[int], moved: list[int]) -> list[int]:
    """The order of clauses after those that each assignment moved have come back at the end, in turn."""
    gone = 0
    for satisfied in moved:
        gone |= satisfied
    if not gone:
        return order
    kept = [index for index in order if not gone >> index & 1]
    for satisfied in moved:
        if satisfied & (satisfied - 1):
            kept += [index for index in order if satisfied >> index & 1]
        elif satisfied:
            kept.append(satisfied.bit_length() - 1)
    return kept
