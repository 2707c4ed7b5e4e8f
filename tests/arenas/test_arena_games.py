"""The rules of the games: payoffs, shapes, what is no move."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared

from arenas.errors import ArenaError, IllegalMove
from arenas.games import BATTLE_OF_SEXES, COLONEL_BLOTTO, PRISONERS_DILEMMA, BlottoGame

PAIRS = np.array([0, 0, 1, 1], np.int8), np.array([0, 1, 0, 1], np.int8)


def allocations(fields: int, budget: int) -> np.ndarray:
    """Every allocation that spends the whole budget, in lexicographic order."""
    if fields == 1:
        return np.array([[budget]], np.int8)
    parts = [np.insert(allocations(fields - 1, budget - n), 0, n, axis=1) for n in range(budget + 1)]
    return np.concatenate(parts)


def test_the_battle_of_the_sexes_pays_for_meeting() -> None:
    assert BATTLE_OF_SEXES.row_payoffs(*PAIRS).tolist() == [2, 0, 0, 1]
    assert BATTLE_OF_SEXES.payoff_array()[..., 1].ravel().tolist() == [1, 0, 0, 2]


def test_the_prisoners_dilemma_tempts_to_defect() -> None:
    assert PRISONERS_DILEMMA.row_payoffs(*PAIRS).tolist() == [3, 0, 5, 1]
    assert PRISONERS_DILEMMA.payoff_array()[..., 1].ravel().tolist() == [3, 5, 0, 1]


def test_the_mixed_equilibrium_of_the_battle_of_the_sexes_pays_two_thirds() -> None:
    row, column = np.array([2 / 3, 1 / 3]), np.array([1 / 3, 2 / 3])

    values = [row @ BATTLE_OF_SEXES.payoff_array()[..., side] @ column for side in (0, 1)]

    assert values == pytest.approx([2 / 3, 2 / 3])


@pytest.mark.parametrize("moves", [[0, 1], [[0]], [2], [-1]])
def test_moves_outside_a_matrix_game_are_refused(moves: list[int]) -> None:
    with pytest.raises(IllegalMove):
        PRISONERS_DILEMMA.check_row(np.array(moves, np.int8), games=1)


@pytest.mark.parametrize("moves", [[[20] * 5], [[-1] + [20] * 5], [[21] * 6], [[127] * 6]])
def test_allocations_outside_blotto_are_refused(moves: list[list[int]]) -> None:
    with pytest.raises(IllegalMove):
        COLONEL_BLOTTO.check_row(np.array(moves, np.int8), games=1)


def test_blotto_is_decided_by_the_number_of_fields_won() -> None:
    row = np.array([[3, 3, 0], [6, 0, 0], [2, 2, 2], [1, 2, 3]], np.int8)
    column = np.array([[2, 2, 2], [2, 2, 2], [2, 2, 2], [3, 2, 1]], np.int8)

    assert COLONEL_BLOTTO.row_payoffs(row, column).tolist() == [1, -1, 0, 0]


def test_a_field_that_is_not_contested_is_a_tie() -> None:
    row, column = np.array([3, 3, 0, -1, -1, -1], np.int8), np.array([1, 1, 8, 9, 9, 9], np.int8)

    assert COLONEL_BLOTTO.row_payoffs(row, column) == 1


def test_small_blotto_games_have_the_known_exploitability_of_uniform_play() -> None:
    """Uniform play over all allocations, against OpenSpiel's majority Blotto."""
    cases = json.loads(shared("oracles", "analytic_cases.json").read_text())["blotto"]
    cases = [case for case in cases if case.get("mode") == "majority"]
    for case in cases:
        moves = allocations(case["fields"], case["soldiers"])
        game = BlottoGame(fields=case["fields"], budget=case["soldiers"])
        replies = game.row_payoffs(moves[:, None, :], moves[None, :, :]).mean(axis=1)

        assert len(moves) == case["strategies"]
        assert replies.max() == pytest.approx(case["uniform_exploitability"], abs=1e-12)
        assert (
            moves[np.isclose(replies, replies.max())].tolist()[:4] == case["best_pure_replies_to_uniform"][:4]
        )
    assert len(cases) >= 6


@given(
    st.lists(st.integers(0, 20), min_size=6, max_size=6), st.lists(st.integers(0, 20), min_size=6, max_size=6)
)
def test_blotto_is_zero_sum(mine: list[int], theirs: list[int]) -> None:
    row, column = np.array(mine, np.int8), np.array(theirs, np.int8)

    assert COLONEL_BLOTTO.row_payoffs(row, column) == -COLONEL_BLOTTO.row_payoffs(column, row)


@pytest.mark.parametrize(
    ("allocation", "word"),
    [
        ([20] * 6, None),
        ((0, 0, 0, 0, 0, 0), None),
        ([20] * 5, "entries"),
        ([20.0] * 6, "float"),
        ([True] * 6, "bool"),
        ([np.int64(20)] * 6, "int64"),
        ([-1, 0, 0, 0, 0, 0], "negative"),
        ([10**30, 0, 0, 0, 0, 0], "more than 120"),
        ("202020", "str"),
        (None, "NoneType"),
    ],
)
def test_an_allocation_is_judged_as_a_python_object(allocation: object, word: str | None) -> None:
    fault = COLONEL_BLOTTO.allocation_fault(allocation)

    assert fault is None if word is None else word in str(fault)


def test_without_exact_length_a_short_allocation_is_one() -> None:
    assert BlottoGame(exact_length=False).allocation_fault([60, 60]) is None


@pytest.mark.parametrize("budget", [-1, 128])
def test_a_budget_that_does_not_fit_a_byte_is_refused(budget: int) -> None:
    with pytest.raises(ArenaError, match="0 to 127"):
        BlottoGame(budget=budget)
