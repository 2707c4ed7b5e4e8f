"""A match: published baselines, independence of the two sides, conditional expectations.

Share of the plain variance that conditional payoffs leave, measured on the published baselines (10,000 games): 0.37 in
the Battle of the Sexes, 0.07 in the Prisoner's Dilemma, 0.42 there with a rule kept for each game.
"""

import numpy as np
import pytest

from arenas.errors import IllegalMove, NotLawful
from arenas.exact import expected_value
from arenas.games import BATTLE_OF_SEXES, COLONEL_BLOTTO, PRISONERS_DILEMMA, Game, MatrixGame
from arenas.match import MatchResult, play
from arenas.players.battle_of_sexes import BATTLE_OF_SEXES_OPPONENT, BattleOfSexesBaseline
from arenas.players.blotto import BLOTTO_OPPONENT, BlottoBaseline, BlottoPlayer
from arenas.players.in_process import InProcessPlayer
from arenas.players.interface import LawfulPlayer, ScriptedPlayer
from arenas.players.prisoners_dilemma import (
    PRISONERS_DILEMMA_HELD_OUT,
    PRISONERS_DILEMMA_OPPONENT,
    PrisonersDilemmaBaseline,
    RulePlayer,
    always_defect,
)

LAWFUL_PAIRS: list[tuple[MatrixGame, LawfulPlayer, LawfulPlayer]] = [
    (BATTLE_OF_SEXES, BattleOfSexesBaseline(), BATTLE_OF_SEXES_OPPONENT),
    (PRISONERS_DILEMMA, PrisonersDilemmaBaseline(), PRISONERS_DILEMMA_OPPONENT),
    (PRISONERS_DILEMMA, PrisonersDilemmaBaseline(), PRISONERS_DILEMMA_HELD_OUT["rule per game"]),
]


async def scripted(
    game: Game,
    row: ScriptedPlayer,
    column: ScriptedPlayer,
    *,
    games: int = 10_000,
    conditional: bool = False,
    seed: int = 11,
) -> MatchResult:
    seat = InProcessPlayer(row, np.random.default_rng(7))
    return await play(
        game,
        seat,
        column,
        games=games,
        rounds=10,
        generator=np.random.default_rng(seed),
        conditional=conditional,
    )


@pytest.mark.parametrize(
    ("game", "row", "column", "published", "published_error"),
    [
        (BATTLE_OF_SEXES, BattleOfSexesBaseline(), BATTLE_OF_SEXES_OPPONENT, 1.0226699, 0.0033),
        (PRISONERS_DILEMMA, PrisonersDilemmaBaseline(), PRISONERS_DILEMMA_OPPONENT, 2.3716302, 0.0049),
        (COLONEL_BLOTTO, BlottoBaseline(), BLOTTO_OPPONENT, -0.2479700, 0.0023),
    ],
)
async def test_baselines_score_as_published(
    game: Game,
    row: LawfulPlayer | BlottoPlayer,
    column: ScriptedPlayer,
    published: float,
    published_error: float,
) -> None:
    result = await scripted(game, row, column)

    assert abs(result.mean - published) <= 3 * np.hypot(result.standard_error, published_error)
    assert result.standard_error == pytest.approx(published_error, rel=0.05)


@pytest.mark.parametrize(("game", "row", "column"), LAWFUL_PAIRS)
async def test_conditional_payoffs_are_unbiased_and_less_spread(
    game: MatrixGame, row: LawfulPlayer, column: LawfulPlayer
) -> None:
    plain = await scripted(game, row, column)
    conditional = await scripted(game, row, column, conditional=True)

    exact = expected_value(game, row, column, rounds=10)
    assert abs(plain.mean - exact) <= 4 * plain.standard_error
    assert abs(conditional.mean - exact) <= 4 * conditional.standard_error
    assert conditional.standard_error < 0.75 * plain.standard_error


async def test_conditional_payoffs_leave_the_moves_as_they_are() -> None:
    plain = await scripted(*LAWFUL_PAIRS[1], games=100)
    conditional = await scripted(*LAWFUL_PAIRS[1], games=100, conditional=True)

    assert np.array_equal(plain.rows, conditional.rows)
    assert np.array_equal(plain.columns, conditional.columns)


async def test_a_constant_player_has_a_conditional_value_without_spread() -> None:
    """Against a player who looks at the first move only, every game has the same expectation."""
    class_of_zero = RulePlayer(rule=lambda own, _: np.zeros(own.shape[1]))

    result = await scripted(
        BATTLE_OF_SEXES, class_of_zero, BATTLE_OF_SEXES_OPPONENT, games=50, conditional=True
    )

    assert result.per_game == pytest.approx(np.full(50, 1.44))


async def test_a_match_repeats_with_its_seeds_and_differs_with_another() -> None:
    first, again, other = [await scripted(*LAWFUL_PAIRS[1], games=200, seed=seed) for seed in (1, 1, 2)]

    assert np.array_equal(first.per_game, again.per_game)
    assert not np.array_equal(first.columns, other.columns)


async def test_the_same_payoffs_follow_from_the_moves_on_record() -> None:
    result = await scripted(
        PRISONERS_DILEMMA, RulePlayer(rule=always_defect), PRISONERS_DILEMMA_OPPONENT, games=9
    )

    payoffs = PRISONERS_DILEMMA.row_payoffs(result.rows, result.columns)
    assert result.per_game == pytest.approx(payoffs.mean(axis=0))
    assert result.estimate.mean == result.mean


async def test_a_single_game_has_no_standard_error() -> None:
    result = await scripted(*LAWFUL_PAIRS[0], games=1)

    assert result.standard_error == float("inf")


async def test_blotto_has_no_two_move_law() -> None:
    with pytest.raises(NotLawful, match="conditional=False"):
        await scripted(COLONEL_BLOTTO, BlottoBaseline(), BLOTTO_OPPONENT, games=2, conditional=True)


async def test_an_in_process_player_outside_its_game_is_refused() -> None:
    class Rogue:
        def sample(self, history: object, generator: object) -> np.ndarray:
            return np.array([0, 2], np.int8)

    with pytest.raises(IllegalMove, match="0 to 1"):
        await scripted(PRISONERS_DILEMMA, Rogue(), PRISONERS_DILEMMA_OPPONENT, games=2)
