"""Borda, Plackett-Luce and MLGym's mean rank."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ranks import (
    NoMaximum,
    Ranking,
    borda,
    mlgym_mean_rank,
    plackett_luce,
    task_order,
    task_ranking,
)
from benchmarks.scores import TaskScores
from engine.errors import BadSpecification


def ranking(*order: str, unplaced: tuple[str, ...] = ()) -> Ranking:
    return Ranking(placed=tuple((name,) for name in order), unplaced=unplaced)


def test_a_table_is_ordered_in_its_direction_with_unscored_methods_last() -> None:
    scores: dict[str, float | None] = {"a": None, "b": 2.0, "c": 1.0, "d": 2.0}

    assert task_order(TaskScores(task="t", direction="max", scores=scores)) == ("b", "d", "c", "a")
    assert task_order(TaskScores(task="t", direction="min", scores=scores)) == ("c", "b", "d", "a")
    assert task_ranking(TaskScores(task="t", direction="max", scores=scores)) == Ranking(
        placed=(("b", "d"), ("c",)), unplaced=("a",)
    )


def test_borda_gives_a_point_for_each_method_beaten_and_half_for_a_tie() -> None:
    points = borda([Ranking(placed=(("a",), ("b", "c")), unplaced=("d", "e"))])

    assert points == {"a": 4.0, "b": 2.5, "c": 2.5, "d": 0.5, "e": 0.5}


def test_borda_does_not_depend_on_the_order_in_which_unscored_methods_are_listed() -> None:
    one = borda([ranking("a", unplaced=("b", "c")), ranking("c", "b", "a")])
    other = borda([ranking("a", unplaced=("c", "b")), ranking("c", "b", "a")])

    assert one == other


def test_mlgyms_two_names_are_one_order() -> None:
    tables = [
        TaskScores(task="t", direction="max", scores={"a": 1.0, "b": 2.0, "c": None}),
        TaskScores(task="u", direction="min", scores={"a": 3.0, "b": 1.0, "c": 2.0}),
    ]

    ranks = mlgym_mean_rank(tables)

    assert ranks.order == ("b", "a", "c")
    assert ranks.points == {"a": 3.0, "b": 6.0, "c": 3.0}
    assert ranks.mean_position == {"a": 1.5, "b": 0.0, "c": 1.5}


def test_worths_of_two_methods_are_their_shares_of_wins() -> None:
    fit = plackett_luce([ranking("a", "b")] * 3 + [ranking("b", "a")])

    assert fit.converged
    assert fit.worths == pytest.approx({"a": 0.75, "b": 0.25})


def test_duels_give_the_bradley_terry_worths() -> None:
    """Closed form on a chain: each pair's wins are in the ratio of its worths, 4 : 2 and 2 : 1."""
    duels = [ranking("a", "b")] * 2 + [ranking("b", "a")] + [ranking("b", "c")] * 2 + [ranking("c", "b")]

    fit = plackett_luce(duels)

    assert fit.worths == pytest.approx({"a": 4 / 7, "b": 2 / 7, "c": 1 / 7})


def test_worths_sum_to_one_and_come_best_first() -> None:
    fit = plackett_luce([ranking("b", "a", "c"), ranking("c", "b", "a"), ranking("a", "b", "c")])

    assert sum(fit.worths.values()) == pytest.approx(1)
    assert list(fit.worths.values()) == sorted(fit.worths.values(), reverse=True)
    assert fit.order == tuple(fit.worths)


def test_the_fit_maximises_the_likelihood_written_out_by_hand() -> None:
    rankings = [
        ranking("b", "a", "c"),
        ranking("c", "b", "a"),
        ranking("a", "b"),
        ranking("a", unplaced=("c", "b")),
    ]
    sets = [("b", "bac"), ("a", "ac"), ("c", "cba"), ("b", "ba"), ("a", "ab"), ("a", "acb")]

    def log_likelihood(worths: dict[str, float]) -> float:
        return sum(float(np.log(worths[best] / sum(worths[m] for m in left))) for best, left in sets)

    fit = plackett_luce(rankings)

    assert fit.log_likelihood == pytest.approx(log_likelihood(fit.worths))
    for name in "abc":
        for factor in (0.99, 1.01):
            moved = {**fit.worths, name: fit.worths[name] * factor}
            assert log_likelihood(moved) < fit.log_likelihood


def test_tied_methods_get_equal_worths_however_they_are_listed() -> None:
    tied = [Ranking(placed=(("a", "b"), ("c",))), ranking("c", "a"), ranking("c", "b")]
    listed_otherwise = [Ranking(placed=(("b", "a"), ("c",))), *tied[1:]]

    fit, other = plackett_luce(tied), plackett_luce(listed_otherwise)

    assert fit.worths["a"] == pytest.approx(fit.worths["b"])
    assert other.worths == pytest.approx(fit.worths)


def test_a_method_that_always_wins_has_no_finite_worth() -> None:
    with pytest.raises(NoMaximum, match=r"ghost=0\.5"):
        plackett_luce([ranking("a", "b", "c"), ranking("a", "c", "b")])


def test_a_ghost_gives_such_a_method_a_finite_worth_and_the_fit_says_so() -> None:
    fit = plackett_luce([ranking("a", "b", "c"), ranking("a", "c", "b")], ghost=0.5)

    assert fit.converged
    assert fit.ghost == 0.5
    assert fit.order[0] == "a"
    assert fit.worths["b"] == pytest.approx(fit.worths["c"])


def test_an_exhausted_bound_is_said() -> None:
    fit = plackett_luce([ranking("b", "a", "c"), ranking("c", "b", "a"), ranking("a", "b")], max_iterations=1)

    assert not fit.converged


def test_nothing_to_rank_is_refused() -> None:
    with pytest.raises(BadSpecification, match="at least one ranking"):
        plackett_luce([])


@settings(max_examples=20, deadline=None)
@given(centre=st.permutations("abcd"), phi=st.floats(0.2, 0.8))
def test_where_every_majority_agrees_plackett_luce_and_borda_give_one_order(
    centre: list[str], phi: float
) -> None:
    """Every permutation, as often as a Mallows model around ``centre`` would have it."""
    rankings: list[Ranking] = []
    for order in permutations(centre):
        places = {name: place for place, name in enumerate(order)}
        discordant = sum(places[x] > places[y] for x, y in combinations(centre, 2))
        rankings += [ranking(*order)] * max(1, round(20 * phi**discordant))

    assert list(plackett_luce(rankings).order) == list(borda(rankings)) == centre


def test_known_worths_are_recovered_from_sampled_partial_rankings() -> None:
    """Tolerance: about four standard errors at 4,000 rankings (some hundredths, relative)."""
    generator = np.random.default_rng(7)
    names, worths = np.array(list("abcde")), np.array([0.4, 0.25, 0.2, 0.1, 0.05])
    rankings: list[Ranking] = []
    for _ in range(4000):
        order = names[np.argsort(-(np.log(worths) + generator.gumbel(size=5)))].tolist()
        seen = int(generator.integers(1, 6))
        rankings.append(ranking(*order[:seen], unplaced=tuple(order[seen:])))

    fit = plackett_luce(rankings)

    assert fit.converged
    assert [fit.worths[name] for name in names] == pytest.approx(worths, rel=0.1)
