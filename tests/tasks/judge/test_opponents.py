"""Opponents that the tasks add to the arenas' own, and the constants that the cards state about them."""

import numpy as np
import pytest

from arenas.games import COLONEL_BLOTTO
from arenas.players.battle_of_sexes import LastMoveFollower, Stubborn
from arenas.players.interface import History
from tasks.baselines import exact_values
from tasks.colonel_blotto.opponents import HARDER, HELD_OUT, OPPONENTS
from tasks.drawn_per_game import DrawnPerGame
from tasks.registry import open_task


def test_the_cards_of_the_two_move_games_state_exact_values() -> None:
    for name, values in exact_values().items():
        card = open_task(name).card
        assert card.baseline == pytest.approx(values.baseline, abs=1e-12)
        assert card.optimum == pytest.approx(values.optimum, abs=1e-9)


def test_an_opponent_drawn_per_game_plays_as_one_that_is_drawn_and_kept() -> None:
    """Over three rounds against fixed moves, the sequences have the mixture's frequencies."""
    characters = (LastMoveFollower(faithfulness=0.9), Stubborn(probability=0.3))
    games, rows = 200_000, np.array([[0], [1], [1]], np.int8)
    generator = np.random.default_rng(1)

    moves = np.empty((3, games), np.int8)
    for number in range(3):
        seen = History(own=moves[:number], other=np.repeat(rows[:number], games, axis=1))
        moves[number] = DrawnPerGame(players=characters).sample(seen, generator)

    follower, stubborn = np.array([1.0, 0.1, 0.9]), np.array([0.3, 0.3, 0.3])
    for code in range(8):
        bits = np.array([code >> 2 & 1, code >> 1 & 1, code & 1])
        law = 0.5 * sum(np.prod(np.where(bits == 1, p, 1 - p)) for p in (follower, stubborn))
        share = np.mean((moves == bits[:, None]).all(axis=0))
        assert share == pytest.approx(law, abs=4 * (law * (1 - law) / games) ** 0.5 + 1e-9)


def test_the_mixed_commander_keeps_the_rules_and_treats_fields_alike() -> None:
    draws = HARDER.draw(50_000, np.random.default_rng(1))

    COLONEL_BLOTTO.check_row(draws, games=50_000)
    assert (draws.sum(axis=1, dtype=np.int64) == 120).all()
    assert np.ptp(draws.mean(axis=0)) < 0.5


def test_no_pool_holds_the_opponent_that_feedback_is_taken_from() -> None:
    for name, opponent in OPPONENTS.items():
        assert opponent not in HELD_OUT[name].values()
