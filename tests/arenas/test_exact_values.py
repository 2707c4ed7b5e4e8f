"""Values that are known: by hand, by dynamic programming, from the oracles; and that all ways to them agree."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_data import shared

from arenas.errors import ArenaError, NotLawful, TooLarge
from arenas.exact import (
    TablePlayer,
    enumerate_opponent,
    expected_value,
    memory_one_outcomes,
    optimal_play,
    player_value,
)
from arenas.games import BATTLE_OF_SEXES, PRISONERS_DILEMMA, MatrixGame
from arenas.players.battle_of_sexes import (
    BATTLE_OF_SEXES_HELD_OUT,
    BATTLE_OF_SEXES_OPPONENT,
    BattleOfSexesBaseline,
    LastMoveFollower,
    Reciprocator,
)
from arenas.players.in_process import InProcessPlayer
from arenas.players.interface import LawfulPlayer
from arenas.players.memory_one import MemoryOne
from arenas.players.prisoners_dilemma import (
    PRISONERS_DILEMMA_HELD_OUT,
    PRISONERS_DILEMMA_OPPONENT,
    PrisonersDilemmaBaseline,
    RulePlayer,
    always_cooperate,
    always_defect,
    tit_for_tat,
)

ROCK_PAPER = MatrixGame(name="three by three", payoffs=(((0.0, 0.0),) * 3,) * 3)


def seated(player: LawfulPlayer, seed: int = 1) -> InProcessPlayer:
    return InProcessPlayer(player, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("game", "row", "column", "value"),
    [
        (BATTLE_OF_SEXES, BattleOfSexesBaseline(), BATTLE_OF_SEXES_OPPONENT, 1.02103703712),
        (BATTLE_OF_SEXES, RulePlayer(rule=always_cooperate), BATTLE_OF_SEXES_OPPONENT, 1.44),
        (BATTLE_OF_SEXES, RulePlayer(rule=always_defect), BATTLE_OF_SEXES_OPPONENT, 0.82),
        (PRISONERS_DILEMMA, PrisonersDilemmaBaseline(), PRISONERS_DILEMMA_OPPONENT, 2.377517),
        (PRISONERS_DILEMMA, RulePlayer(rule=always_cooperate), PRISONERS_DILEMMA_OPPONENT, 2.247821),
        (PRISONERS_DILEMMA, RulePlayer(rule=tit_for_tat), PRISONERS_DILEMMA_OPPONENT, 2.343127),
        (PRISONERS_DILEMMA, RulePlayer(rule=always_defect), PRISONERS_DILEMMA_OPPONENT, 2.625138),
    ],
)
def test_known_players_have_their_known_values(
    game: MatrixGame, row: LawfulPlayer, column: LawfulPlayer, value: float
) -> None:
    assert expected_value(game, row, column, rounds=10) == pytest.approx(value, abs=5e-7)


def test_one_rule_a_game_gives_the_simulated_values() -> None:
    """Simulation said 2.362 and 2.602; three decimals are all it is good for."""
    column = PRISONERS_DILEMMA_HELD_OUT["rule per game"]

    baseline = expected_value(PRISONERS_DILEMMA, PrisonersDilemmaBaseline(), column, rounds=10)
    defector = expected_value(PRISONERS_DILEMMA, RulePlayer(rule=always_defect), column, rounds=10)

    assert (baseline, defector) == pytest.approx((2.362, 2.602), abs=0.002)


@pytest.mark.parametrize(
    ("game", "column", "value"),
    [
        (BATTLE_OF_SEXES, BATTLE_OF_SEXES_OPPONENT, 1.44),
        (BATTLE_OF_SEXES, LastMoveFollower(), 1.44),
        (BATTLE_OF_SEXES, Reciprocator(), 1.3),  # five times: give way (0.8), then take (1.8)
        (PRISONERS_DILEMMA, PRISONERS_DILEMMA_OPPONENT, 2.625138),
    ],
)
async def test_optimal_play_attains_the_known_optimum(
    game: MatrixGame, column: LawfulPlayer, value: float
) -> None:
    best = optimal_play(game, column, rounds=10)

    enumerated = await enumerate_opponent(game, seated(best.player), column, rounds=10)
    assert best.value == pytest.approx(value, abs=5e-7)
    assert expected_value(game, best.player, column, rounds=10) == pytest.approx(best.value, abs=1e-12)
    assert enumerated.mean == pytest.approx(best.value, abs=1e-12)
    assert enumerated.standard_error == 0


@pytest.mark.parametrize("name", [*BATTLE_OF_SEXES_HELD_OUT, *PRISONERS_DILEMMA_HELD_OUT])
def test_no_simple_player_beats_the_optimum(name: str) -> None:
    in_first = name in BATTLE_OF_SEXES_HELD_OUT
    game = BATTLE_OF_SEXES if in_first else PRISONERS_DILEMMA
    column = BATTLE_OF_SEXES_HELD_OUT[name] if in_first else PRISONERS_DILEMMA_HELD_OUT[name]

    best = optimal_play(game, column, rounds=6).value

    for rule in (always_cooperate, always_defect, tit_for_tat):
        assert expected_value(game, RulePlayer(rule=rule), column, rounds=6) <= best + 1e-12


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 1.0]))
async def test_enumeration_of_any_table_agrees_with_the_sum_over_histories(seed: int, sharp: float) -> None:
    """Deterministic tables exactly; the opponent is random, so every branch counts."""
    generator = np.random.default_rng(seed)
    row = TablePlayer(tables=tuple(np.round(generator.random(4**t)) for t in range(5)))
    column = TablePlayer(tables=tuple(generator.random(4**t) ** (1 + 9 * sharp) for t in range(5)))

    estimate = await enumerate_opponent(PRISONERS_DILEMMA, seated(row), column, rounds=5)

    assert estimate.standard_error == 0
    assert estimate.mean == pytest.approx(expected_value(PRISONERS_DILEMMA, row, column, rounds=5), abs=1e-12)


async def test_enumeration_of_a_random_player_is_unbiased() -> None:
    row, column = PrisonersDilemmaBaseline(), PRISONERS_DILEMMA_OPPONENT

    estimate = await enumerate_opponent(PRISONERS_DILEMMA, seated(row), column, rounds=6, repetitions=2_000)

    exact = expected_value(PRISONERS_DILEMMA, row, column, rounds=6)
    assert 0 < estimate.standard_error < 0.005
    assert abs(estimate.mean - exact) <= 4 * estimate.standard_error


async def test_the_value_of_a_deterministic_player_is_exact() -> None:
    generator = np.random.default_rng(3)

    value = await player_value(
        BATTLE_OF_SEXES,
        seated(RulePlayer(rule=always_cooperate)),
        BATTLE_OF_SEXES_OPPONENT,
        rounds=10,
        generator=generator,
    )

    assert value.mean == pytest.approx(1.44, abs=1e-12)
    assert value.standard_error == 0


async def test_the_value_of_a_random_player_comes_with_the_error_asked_for() -> None:
    generator = np.random.default_rng(3)

    value = await player_value(
        BATTLE_OF_SEXES,
        seated(BattleOfSexesBaseline()),
        BATTLE_OF_SEXES_OPPONENT,
        rounds=10,
        generator=generator,
    )

    assert 0 < value.standard_error < 0.001
    assert abs(value.mean - 1.02103703712) <= 4 * value.standard_error


async def test_sampling_stops_at_the_most_games_allowed() -> None:
    value = await player_value(
        BATTLE_OF_SEXES,
        seated(BattleOfSexesBaseline()),
        BATTLE_OF_SEXES_OPPONENT,
        rounds=10,
        generator=np.random.default_rng(3),
        most_games=500,
    )

    assert value.standard_error > 0.005


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_memory_one_pairs_match_the_oracle(noise: float) -> None:
    oracle = json.loads(shared("oracles", "memory_one_exact.json").read_text())
    players = {
        name: MemoryOne(first=oracle["initial"][name], after=tuple(vector))
        for name, vector in oracle["vectors"].items()
    }
    pairs = [pair for pair in oracle["pairs"] if pair["noise"] == noise]

    rows, columns = ([players[pair[side]] for pair in pairs] for side in ("row", "col"))
    outcome = memory_one_outcomes(PRISONERS_DILEMMA, rows, columns, rounds=200, noise=noise)

    assert len(pairs) == 39
    assert outcome.row_payoff == pytest.approx([pair["row_payoff"] for pair in pairs], abs=1e-9)
    assert outcome.column_payoff == pytest.approx([pair["col_payoff"] for pair in pairs], abs=1e-9)
    occupancy = np.array([pair["occupancy_CC_CD_DC_DD"] for pair in pairs])
    assert np.abs(outcome.occupancy - occupancy).max() < 1e-9


def test_chains_and_histories_agree_on_a_short_match() -> None:
    row, column = MemoryOne(after=(8 / 9, 0.5, 1 / 3, 0.0)), MemoryOne(first=0.5, after=(0.9, 0.0, 0.9, 0.1))

    outcome = memory_one_outcomes(PRISONERS_DILEMMA, [row], [column], rounds=7)

    exact = expected_value(PRISONERS_DILEMMA, row, column, rounds=7)
    assert outcome.row_payoff[0] == pytest.approx(exact, abs=1e-12)


async def test_exact_work_beyond_its_means_is_refused() -> None:
    row = RulePlayer(rule=tit_for_tat)

    with pytest.raises(TooLarge):
        expected_value(PRISONERS_DILEMMA, row, row, rounds=12)
    with pytest.raises(TooLarge):
        await enumerate_opponent(PRISONERS_DILEMMA, seated(row), row, rounds=24)
    with pytest.raises(NotLawful):
        optimal_play(ROCK_PAPER, row, rounds=2)
    with pytest.raises(NotLawful):
        await enumerate_opponent(ROCK_PAPER, seated(row), row, rounds=2)
    with pytest.raises(ArenaError, match="one column for each row"):
        memory_one_outcomes(PRISONERS_DILEMMA, [], [MemoryOne(after=(1, 0, 1, 0))], rounds=2)
