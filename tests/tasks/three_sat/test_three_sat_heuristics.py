import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from three_sat_players import load_source, solve

from engine.errors import BadSpecification
from engine.messages import Value
from engine.task import Parameter
from tasks.three_sat.heuristics import BASELINE, BASELINE_POINT, FAMILY, NULL, render
from tasks.three_sat.instances import verified_instances
from tasks.three_sat.solver import Verdict
from tasks.three_sat.truth import is_satisfiable

INSTANCES = verified_instances(7, 80)


def values(parameter: Parameter) -> st.SearchStrategy[Value]:
    if parameter.choices:
        return st.sampled_from(parameter.choices)
    assert parameter.low is not None
    assert parameter.high is not None
    if parameter.integer:
        return st.integers(int(parameter.low), int(parameter.high))
    return st.floats(parameter.low, parameter.high)


points = st.fixed_dictionaries({parameter.name: values(parameter) for parameter in FAMILY.parameters})


@settings(max_examples=80, deadline=None)
@given(point=points, where=st.integers(0, 79))
def test_every_point_is_a_heuristic_that_solves_formulas(point: dict[str, Value], where: int) -> None:
    heuristic = load_source(render(point))

    search = solve(INSTANCES[where], heuristic)

    assert search.fault is None
    assert not search.gave_up
    assert (search.verdict is Verdict.SATISFIABLE) == is_satisfiable(INSTANCES[where])


def test_the_baseline_point_is_written_as_the_starter_file() -> None:
    assert render(BASELINE_POINT) == BASELINE


@pytest.mark.parametrize("source", [BASELINE, NULL, render({**BASELINE_POINT, "rule": "lookahead"})])
def test_a_position_with_nothing_free_is_given_up(source: str) -> None:
    """The solver never asks such a thing; the contract says what is answered."""
    assert load_source(source)(
        [[1, 2, 3]], {1: False, 2: False, 3: False}, {1: 0, 2: 0, 3: 0}, [1, 2, 3], 3
    ) == (
        None,
        True,
    )


def test_the_baseline_reseeds_at_every_call() -> None:
    position: tuple[object, ...] = ([[1, -2, 3], [4, 5, -6]], {}, dict.fromkeys(range(1, 7), 0), [], 0)
    baseline = load_source(BASELINE)
    random.seed(10)
    expected = random.choice([1, 2, 3, 4, 5, 6])

    assert [baseline(*position) for _ in range(3)] == [(expected, True)] * 3


POSITION = (
    [[1, 2, -3], [1, -2, 4], [-4, 5, 6], [-4, 2, 5], [7, 5, -4]],
    {7: False},
    {1: 0, 2: 0, 3: 9, 4: 0, 5: 0, 6: 0, 7: 0},
    [7, 6],
    1,
)
"""Occurrences: 4 five times no, four (1+, 3-); 2 three (2+, 1-); 5 three (+); 1 two (+). Short clause: [7, 5, -4]."""


@pytest.mark.parametrize(
    ("choices", "answer"),
    [
        ({"rule": "first", "polarity": "true"}, (1, True)),
        ({"rule": "conflicts", "polarity": "majority"}, (3, False)),
        ({"rule": "dlis", "polarity": "majority"}, (4, False)),
        ({"rule": "dlis", "polarity": "majority", "tie": "highest"}, (5, True)),
        ({"rule": "dlcs", "polarity": "minority"}, (4, True)),
        ({"rule": "dlcs", "polarity": "majority", "conflict_weight": 1.0}, (3, False)),
        ({"rule": "balanced", "base": 1.0, "balance": 8.0, "polarity": "heavier"}, (4, False)),
        (
            {"rule": "balanced", "base": 1.0, "balance": 8.0, "polarity": "heavier", "tie": "recent"},
            (4, False),
        ),
        ({"rule": "moms", "moms_k": 0, "polarity": "majority", "tie": "highest"}, (5, True)),
        ({"rule": "jeroslow-wang", "base": 32.0, "polarity": "lighter"}, (4, True)),
    ],
)
def test_a_rule_chooses_by_its_definition(choices: dict[str, Value], answer: tuple[int, bool]) -> None:
    heuristic = load_source(render({**BASELINE_POINT, "conflict_weight": 0.0, **choices}))

    assert heuristic(*POSITION) == answer


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rule": "cdcl"}, "rule: 'cdcl' is none of random, first"),
        ({"rule": "balanced", "base": 0.5}, "base: '0.5' is not a number from 1 to 32"),
        ({"rule": "balanced", "base": "2); import os"}, "base"),
        ({"rule": "balanced", "balance": float("nan")}, "balance"),
        ({"rule": "moms", "moms_k": 2.5}, "moms_k: '2.5' is not an integer"),
        ({"rule": "moms", "moms_k": True}, "moms_k"),
    ],
)
def test_a_point_outside_the_family_is_refused_by_name(change: dict[str, Value], named: str) -> None:
    with pytest.raises(BadSpecification, match=r".*") as caught:
        render({**BASELINE_POINT, **change})

    assert named in str(caught.value)


def test_a_missing_live_axis_is_refused_and_an_idle_one_is_not_missed() -> None:
    assert render({"rule": "first", "polarity": "true"})
    with pytest.raises(BadSpecification, match="moms_k"):
        render({"rule": "moms", "polarity": "true"})
