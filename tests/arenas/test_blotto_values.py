"""Expected payoffs of allocations against one large sample, with errors that say what they should."""

import numpy as np
import pytest

from arenas.arrays import MoveArray
from arenas.errors import ArenaError, IllegalMove
from arenas.exact import OpponentSample, allocations_value, opponent_sample
from arenas.games import COLONEL_BLOTTO, BlottoGame
from arenas.players.blotto import (
    BLOTTO_HELD_OUT,
    BLOTTO_OPPONENT,
    BLOTTO_TEMPLATES,
    BlottoBaseline,
    ShuffledTemplates,
)


@pytest.mark.parametrize(
    ("allocation", "value", "accuracy"),
    [
        ((20, 20, 20, 20, 20, 20), -0.004, 0.002),
        ((0, 24, 24, 24, 24, 24), 0.118, 0.004),
        ((0, 0, 30, 30, 30, 30), 0.247, 0.003),
        ((1, 1, 29, 29, 30, 30), 0.229, 0.004),
        ((0, 0, 0, 40, 40, 40), -0.091, 0.002),
    ],
)
def test_known_allocations_have_their_known_values(
    allocation: tuple[int, ...], value: float, accuracy: float
) -> None:
    mean, error = opponent_sample(BLOTTO_OPPONENT, 7).value(allocation)

    assert mean == pytest.approx(value, abs=accuracy)
    assert error < 0.001


def test_the_order_of_the_fields_does_not_matter() -> None:
    sample = opponent_sample(BLOTTO_OPPONENT, 7)

    assert sample.value((30, 0, 30, 0, 30, 30)) == sample.value((0, 0, 30, 30, 30, 30))


def test_a_sample_is_drawn_once() -> None:
    assert opponent_sample(BLOTTO_OPPONENT, 7) is opponent_sample(BLOTTO_OPPONENT, 7)


def test_a_value_is_the_mean_payoff_over_the_sample() -> None:
    draws = BLOTTO_OPPONENT.draw(200_000, np.random.default_rng(1))
    payoffs = COLONEL_BLOTTO.row_payoffs(np.array((0, 0, 30, 30, 30, 30), np.int8), draws)

    mean, error = OpponentSample(draws).value((0, 0, 30, 30, 30, 30))

    assert mean == pytest.approx(payoffs.mean(), abs=1e-12)
    assert error == pytest.approx(payoffs.std() / 200_000**0.5, rel=1e-6)


def test_a_player_of_one_allocation_has_no_error_of_its_own() -> None:
    moves = np.tile(np.array((0, 0, 30, 30, 30, 30), np.int8), (10, 50, 1))

    value = allocations_value(COLONEL_BLOTTO, moves, opponent_sample(BLOTTO_OPPONENT, 7))

    assert (value.allocation_error, value.distinct) == (0, 1)
    assert value.standard_error < 0.001
    assert value.mean == opponent_sample(BLOTTO_OPPONENT, 7).value((0, 0, 30, 30, 30, 30))[0]


def test_the_baseline_has_its_known_value() -> None:
    """-0.2461 with standard error 0.0020 by an independent simulation."""
    moves = BlottoBaseline().draw(100_000, np.random.default_rng(2)).reshape(10, 10_000, 6)

    value = allocations_value(COLONEL_BLOTTO, moves, opponent_sample(BLOTTO_OPPONENT, 7))

    assert value.standard_error < 0.001
    assert value.distinct > 10_000
    assert abs(value.mean + 0.2461) <= 4 * np.hypot(value.standard_error, 0.002)


@pytest.mark.parametrize("kinds", [4, 400])
def test_stated_errors_are_those_seen_over_repetitions(kinds: int) -> None:
    """Both ways of valuing (few allocations, many), against the spread of 60 independent repetitions."""
    generator = np.random.default_rng(3)
    templates = BlottoBaseline().draw(kinds, generator)
    player = ShuffledTemplates(templates=tuple(tuple(int(x) for x in row) for row in templates))

    values = []
    for _ in range(60):
        moves = player.draw(3_000, generator).reshape(3, 1_000, 6)
        values.append(
            allocations_value(COLONEL_BLOTTO, moves, OpponentSample(BLOTTO_OPPONENT.draw(4_000, generator)))
        )

    seen = np.std([value.mean for value in values], ddof=1)
    stated = np.mean([value.standard_error for value in values])
    assert 0.7 < seen / stated < 1.3  # the standard deviation of 60 has a relative error of 0.09


def test_rounds_of_a_game_that_repeat_each_other_are_not_independent() -> None:
    generator = np.random.default_rng(4)
    once = BlottoBaseline().draw(4_000, generator).reshape(1, 4_000, 6)
    sample = opponent_sample(BLOTTO_OPPONENT, 7)

    repeated = allocations_value(COLONEL_BLOTTO, np.tile(once, (10, 1, 1)), sample)
    single = allocations_value(COLONEL_BLOTTO, once, sample)

    assert repeated.allocation_error == pytest.approx(single.allocation_error, rel=0.1)


def test_the_template_hunter_beats_the_templates() -> None:
    templates = opponent_sample(ShuffledTemplates(templates=BLOTTO_TEMPLATES), 5, 1 << 18)
    hunter = BLOTTO_HELD_OUT["template hunter"]
    moves: MoveArray = hunter.draw(2_000, np.random.default_rng(6)).reshape(1, 2_000, 6)

    assert allocations_value(COLONEL_BLOTTO, moves, templates).mean > 0.6


def test_uncontested_fields_are_ties_in_every_way_of_valuing() -> None:
    game = BlottoGame(exact_length=False)
    draws = BLOTTO_OPPONENT.draw(8_000, np.random.default_rng(7))
    generator = np.random.default_rng(8)
    few = np.tile(np.array((-1, 0, 30, 30, 30, 30), np.int8), (1, 8, 1))
    many = np.where(generator.random((1, 200, 6)) < 0.3, -1, BlottoBaseline().draw(200, generator)).astype(
        np.int8
    )

    for moves in (few, many):
        value = allocations_value(game, moves, OpponentSample(draws))
        plain = game.row_payoffs(moves[0][:, None], draws[None]).mean()

        assert abs(value.mean - plain) <= 4 * value.standard_error


def test_bad_allocations_are_refused() -> None:
    sample = OpponentSample(BLOTTO_OPPONENT.draw(100, np.random.default_rng(9)))

    with pytest.raises(IllegalMove):
        allocations_value(COLONEL_BLOTTO, np.full((1, 2, 6), 21, np.int8), sample)
    with pytest.raises(ArenaError, match="2 games or more"):
        allocations_value(COLONEL_BLOTTO, np.full((1, 1, 6), 20, np.int8), sample)
