import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from three_sat_players import load_source, solve
from three_sat_reference import Position, ReferenceSolver

from tasks.three_sat import instances as instances_module
from tasks.three_sat.heuristics import BASELINE
from tasks.three_sat.instances import MLGYM_SKIPPED, Clause, Instance, mlgym_instances, verified_instances
from tasks.three_sat.solver import Fault, Search, Verdict
from tasks.three_sat.truth import is_satisfiable, satisfies


@st.composite
def formulas(draw: st.DrawFn) -> Instance:
    variables = draw(st.integers(3, 8))
    triples = list(itertools.permutations(range(1, variables + 1), 3))
    signs = st.tuples(*(st.sampled_from((1, -1)),) * 3)
    drawn = draw(st.lists(st.tuples(st.sampled_from(triples), signs), min_size=1, max_size=60))
    clauses: tuple[Clause, ...] = tuple(
        (triple[0] * sign[0], triple[1] * sign[1], triple[2] * sign[2]) for triple, sign in drawn
    )
    return Instance(variables=variables, clauses=clauses)


def choose(position: Position, seed: int, give_up_share: float) -> tuple[int | None, bool]:
    """An answer that is a function of the whole position, so that any difference in it shows."""
    stream = random.Random(repr((position, seed)))
    free = sorted({abs(x) for clause in position[0] for x in clause} - dict(position[1]).keys())
    if stream.random() < give_up_share:
        return None, True
    return stream.choice(free), stream.random() < 0.5


@settings(max_examples=400, deadline=None)
@given(instance=formulas(), seed=st.integers(0, 9), give_up_share=st.sampled_from((0.0, 0.0, 0.1)))
def test_it_asks_what_the_recursive_solver_asks_and_ends_as_it_ends(
    instance: Instance, seed: int, give_up_share: float
) -> None:
    expected: list[Position] = []
    seen: list[Position] = []

    def for_reference(position: Position) -> tuple[int | None, bool]:
        expected.append(position)
        return choose(position, seed, give_up_share)

    def for_search(clauses, assignments, counts, history, level):  # type: ignore[no-untyped-def]  # the agents' form
        seen.append(
            (
                tuple(map(tuple, clauses)),
                tuple(assignments.items()),
                tuple(counts.items()),
                tuple(history),
                level,
            )
        )
        return choose(seen[-1], seed, give_up_share)

    reference = ReferenceSolver(instance.variables, instance.clauses, for_reference)
    satisfiable = reference.solve()
    search = solve(instance, for_search)

    assert seen == expected
    assert search.verdict is (Verdict.SATISFIABLE if satisfiable else Verdict.UNSATISFIABLE)
    assert (search.decisions, search.propagations, search.conflicts) == (
        reference.decisions,
        reference.propagations,
        reference.conflicts,
    )


@settings(max_examples=200, deadline=None)
@given(instance=formulas(), seed=st.integers(0, 9))
def test_it_is_right_whatever_the_heuristic_chooses(instance: Instance, seed: int) -> None:
    search = solve(
        instance, lambda c, a, k, h, n: choose((c, tuple(a.items()), tuple(k.items()), tuple(h), n), seed, 0)
    )

    assert (search.verdict is Verdict.SATISFIABLE) == is_satisfiable(instance)
    assert search.verdict is not Verdict.SATISFIABLE or satisfies(instance, search.model)
    assert not search.gave_up


def test_the_baseline_takes_1057_decisions_on_formulas_4_to_503_of_the_mlgym_set() -> None:
    drawn = itertools.islice(instances_module._draw_mlgym(), MLGYM_SKIPPED, MLGYM_SKIPPED + 500)
    baseline = load_source(BASELINE)

    searches = [solve(instance, baseline) for instance in drawn]

    assert sum(search.decisions for search in searches) == 1057
    assert sum(search.verdict is Verdict.SATISFIABLE for search in searches) == 497


@pytest.mark.slow
def test_the_baseline_takes_86_097_decisions_on_the_whole_mlgym_set(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The number in the published records; about 20 s, half of it to make the set."""
    evaluated = mlgym_instances(tmp_path_factory.mktemp("cache"))[MLGYM_SKIPPED:]
    baseline = load_source(BASELINE)

    searches = [solve(instance, baseline) for instance in evaluated]

    assert len(searches) == 23_997
    assert sum(search.decisions for search in searches) == 86_097
    verdicts = [search.verdict is Verdict.SATISFIABLE for search in searches]
    assert verdicts == [is_satisfiable(instance) for instance in evaluated]
    assert sum(verdicts) == 10_275


def test_giving_up_at_once_reads_as_unsatisfiable_without_a_proof() -> None:
    search = solve(verified_instances(1, 1)[0], lambda *_: (None, True))

    assert search.verdict is Verdict.UNSATISFIABLE
    assert search.gave_up
    assert search.decisions == 1


def test_a_formula_that_needs_more_decisions_than_the_cap_ends_as_capped() -> None:
    instance = verified_instances(1, 1, first=7)[0]
    needed = solve(instance, load_source(BASELINE)).decisions

    assert needed > 1
    assert solve(instance, load_source(BASELINE), decision_cap=needed).verdict is not Verdict.CAPPED
    capped = solve(instance, load_source(BASELINE), decision_cap=needed - 1)
    assert (capped.verdict, capped.decisions) == (Verdict.CAPPED, needed - 1)


@pytest.mark.parametrize("variable", [-1, 0, 11, 2**40])
def test_a_variable_that_no_clause_has_ends_the_search(variable: int) -> None:
    search = solve(verified_instances(1, 1)[0], lambda *_: (variable, True))

    assert search.verdict is Verdict.FAULTY
    assert search.fault is not None
    assert search.fault.kind == "unknown-variable"


def test_a_variable_that_has_a_value_ends_the_search() -> None:
    instance = Instance(variables=5, clauses=((1, 2, 3), (-1, 4, 5), (3, 4, 5)))

    search = solve(instance, lambda *_: (1, True))

    assert search.verdict is Verdict.FAULTY
    assert search.fault is not None
    assert search.fault.kind == "assigned-variable"


def test_a_fault_found_outside_ends_the_search_and_keeps_the_counts() -> None:
    search = Search(verified_instances(1, 1)[0], decision_cap=9)
    search.start()
    fault = Fault(kind="malformed-answer", detail="no pair")

    assert search.answer(fault) is None
    assert (search.verdict, search.fault, search.decisions) == (Verdict.FAULTY, fault, 1)


def test_a_formula_without_clauses_is_satisfiable_without_a_question() -> None:
    search = Search(Instance(variables=3, clauses=()), decision_cap=9)

    assert search.start() is None
    assert (search.verdict, search.decisions) == (Verdict.SATISFIABLE, 0)
