import itertools

import pytest
from hypothesis import given, settings
from test_three_sat_solver import formulas

from tasks.three_sat.instances import Instance, hard_instances
from tasks.three_sat.truth import is_satisfiable, satisfies


@settings(max_examples=100, deadline=None)
@given(instance=formulas())
def test_a_label_agrees_with_trying_every_assignment_one_by_one(instance: Instance) -> None:
    assignments = itertools.product((1, -1), repeat=instance.variables)
    models = ([sign * variable for variable, sign in enumerate(signs, start=1)] for signs in assignments)

    assert is_satisfiable(instance) == any(satisfies(instance, model) for model in models)


def test_all_eight_clauses_over_three_variables_are_unsatisfiable_and_any_seven_are_not() -> None:
    eight = tuple((a, 2 * b, 3 * c) for a, b, c in itertools.product((1, -1), repeat=3))

    assert not is_satisfiable(Instance(variables=3, clauses=eight))
    assert is_satisfiable(Instance(variables=3, clauses=eight[:3] + eight[4:]))


def test_an_assignment_that_contradicts_itself_satisfies_nothing() -> None:
    instance = Instance(variables=3, clauses=((1, 2, 3), (-1, 2, 3)))

    assert satisfies(instance, [2])
    assert not satisfies(instance, [1])
    assert not satisfies(instance, [1, -1])


def test_formulas_beyond_brute_force_are_refused_with_a_remedy() -> None:
    with pytest.raises(ValueError, match="trusted solver"):
        is_satisfiable(hard_instances(1, 1)[0])
