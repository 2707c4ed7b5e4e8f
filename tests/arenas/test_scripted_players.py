"""Scripted players do what their descriptions say, on every game of a batch by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from arenas.errors import ArenaError
from arenas.players import battle_of_sexes as bos
from arenas.players import prisoners_dilemma as pd
from arenas.players.blotto import (
    BLOTTO_HELD_OUT,
    BLOTTO_OPPONENT,
    BlottoBaseline,
    BlottoPlayer,
    ScaledUniform,
    scale_to_budget,
)
from arenas.players.interface import History, LawfulPlayer
from arenas.players.memory_one import MemoryOne

LAWFUL: dict[str, LawfulPlayer] = {
    "bos published": bos.BATTLE_OF_SEXES_OPPONENT,
    "bos baseline": bos.BattleOfSexesBaseline(),
    **{f"bos {name}": player for name, player in bos.BATTLE_OF_SEXES_HELD_OUT.items()},
    "pd published": pd.PRISONERS_DILEMMA_OPPONENT,
    "pd baseline": pd.PrisonersDilemmaBaseline(),
    **{f"pd {name}": player for name, player in pd.PRISONERS_DILEMMA_HELD_OUT.items()},
    **{f"pd {rule.__name__}": pd.RulePlayer(rule=rule) for rule in pd.RULES},
    "extortioner": MemoryOne(after=(8 / 9, 0.5, 1 / 3, 0.0)),
}


def past(rounds: int, games: int, seed: int = 0) -> History:
    generator = np.random.default_rng(seed)
    own, other = generator.integers(0, 2, (2, rounds, games), dtype=np.int8)
    return History(own=own, other=other)


def of_text(own: str, other: str) -> History:
    """One game from moves written as digits."""
    return History(
        *(np.array([[int(move)] for move in text], np.int8).reshape(-1, 1) for text in (own, other))
    )


@pytest.mark.parametrize("name", LAWFUL)
def test_every_law_is_a_probability_for_each_game_by_itself(name: str) -> None:
    for rounds in (0, 1, 2, 5):
        history = past(rounds, 7)
        law = LAWFUL[name].probability_of_move(history)
        alone = History(own=history.own[:, 3:4], other=history.other[:, 3:4])

        assert law.shape == (7,)
        assert ((law >= 0) & (law <= 1)).all()
        assert LAWFUL[name].probability_of_move(alone)[0] == pytest.approx(law[3], abs=1e-15)


@pytest.mark.parametrize("name", LAWFUL)
def test_samples_follow_the_law(name: str) -> None:
    history = History(
        *(np.repeat(side[:, :1], 40_000, axis=1) for side in (past(4, 1).own, past(4, 1).other))
    )
    law = LAWFUL[name].probability_of_move(history)[0]

    moves = LAWFUL[name].sample(history, np.random.default_rng(1))

    assert set(np.unique(moves)) <= {0, 1}
    assert moves.mean() == pytest.approx(law, abs=0.0125)  # 5 standard errors of a fair coin


@pytest.mark.parametrize(("other", "one"), [("", 1.0), ("0", 0.2), ("1", 0.8), ("0111", 0.2), ("1000", 0.8)])
def test_the_published_column_player_follows_the_first_move(other: str, one: float) -> None:
    law = bos.BATTLE_OF_SEXES_OPPONENT.probability_of_move(of_text("0" * len(other), other))

    assert law[0] == pytest.approx(one)


@pytest.mark.parametrize(("other", "one"), [("", 1.0), ("0111", 0.8), ("1000", 0.2)])
def test_the_intended_column_player_follows_the_last_move(other: str, one: float) -> None:
    law = bos.LastMoveFollower().probability_of_move(of_text("0" * len(other), other))

    assert law[0] == pytest.approx(one)


@pytest.mark.parametrize(
    ("rule", "own", "other", "defects"),
    [
        (pd.mixed, "", "", 1.0),
        (pd.mixed, "0", "0", 0.2667),
        (pd.mixed, "1", "1", 0.5667),
        (pd.mixed, "0", "1", 0.1667),
        (pd.tit_for_tat, "", "", 0.0),
        (pd.tit_for_tat, "00", "01", 1.0),
        (pd.always_cooperate, "1", "1", 0.0),
        (pd.always_defect, "", "", 1.0),
        (pd.coin, "0", "1", 0.5),
        (pd.grim, "", "", 0.0),
        (pd.grim, "0000", "0100", 1.0),
        (pd.grim, "1111", "0000", 0.0),
        (pd.pavlov, "", "", 0.0),
        (pd.pavlov, "01", "01", 0.0),
        (pd.pavlov, "01", "00", 1.0),
        (pd.tit_for_two_tats, "0", "1", 0.0),
        (pd.tit_for_two_tats, "00", "11", 1.0),
        (pd.tit_for_two_tats, "000", "101", 0.0),
        (pd.suspicious_tit_for_tat, "", "", 1.0),
        (pd.suspicious_tit_for_tat, "1", "0", 0.0),
        (pd.forgiving, "", "", 0.0),
        (pd.forgiving, "0", "1", 1.0),
        (pd.forgiving, "00", "11", 0.0),
        (pd.forgiving, "00", "01", 1.0),
        (pd.forgiving, "00", "10", 0.0),
    ],
)
def test_a_rule_defects_as_described(rule: pd.Rule, own: str, other: str, defects: float) -> None:
    history = of_text(own, other)

    assert rule(history.own, history.other)[0] == pytest.approx(defects)


def test_a_rule_kept_for_a_game_is_integrated_out_exactly() -> None:
    """The law is that of players who each drew one rule: compared with a simulation of such players."""
    generator, games, rounds = np.random.default_rng(2), 220_000, 4
    drawn = generator.integers(len(pd.RULES), size=games)
    own, other = np.zeros((rounds, games), np.int8), generator.integers(0, 2, (rounds, games), dtype=np.int8)
    for now in range(rounds):
        laws = np.stack([rule(own[:now], other[:now]) for rule in pd.RULES])
        own[now] = generator.random(games) < laws[drawn, np.arange(games)]

    law = pd.RuleMixture(redrawn="every game").probability_of_move(History(own=own[:3], other=other[:3]))

    surprise = own[3] - law
    for group in range(64):  # every history of three rounds
        code = sum((own[r] + 2 * other[r]).astype(int) << 2 * r for r in range(3))
        chosen = surprise[code == group]
        assert abs(chosen.sum()) <= 4.5 * max(len(chosen), 1) ** 0.5 / 2


def test_a_history_that_no_rule_explains_still_has_a_finite_law() -> None:
    only_cooperators = pd.RuleMixture(weights=(0, 0, 1) + (0,) * 8, redrawn="every game")

    assert only_cooperators.probability_of_move(of_text("1", "0"))[0] == 0


@pytest.mark.parametrize("weights", [(1.0,), (0.0,) * 11, (-1.0,) + (1.0,) * 10])
def test_weights_that_are_no_mixture_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(ArenaError, match="11 non-negative weights"):
        pd.RuleMixture(weights=weights)


@given(
    hnp.arrays(np.int32, st.tuples(st.integers(1, 20), st.integers(1, 9)), elements=st.integers(0, 16_384)),
    st.integers(0, 127),
    st.integers(0, 2**32),
)
def test_scaling_spends_the_budget_exactly(raw: np.ndarray, budget: int, seed: int) -> None:
    scaled = scale_to_budget(raw, budget, np.random.default_rng(seed))

    assert (scaled >= 0).all()
    assert (scaled.sum(axis=1, dtype=int) == budget).all()


@given(st.lists(st.integers(0, 120), min_size=6, max_size=6).filter(any), st.integers(0, 2**32))
def test_scaling_floors_and_puts_the_rest_on_one_field(raw: list[int], seed: int) -> None:
    floors = np.array([int(x * 120 / sum(raw)) for x in raw])

    scaled = scale_to_budget(np.array([raw], np.int32), 120, np.random.default_rng(seed))[0]

    extra = scaled - floors
    assert (extra >= 0).all()
    assert np.count_nonzero(extra) <= 1


@pytest.mark.parametrize("name", ["published", "baseline", *BLOTTO_HELD_OUT])
def test_every_blotto_player_spends_its_budget(name: str) -> None:
    players: dict[str, BlottoPlayer] = {
        "published": BLOTTO_OPPONENT,
        "baseline": BlottoBaseline(),
        **BLOTTO_HELD_OUT,
    }

    moves = players[name].draw(2_000, np.random.default_rng(3))

    assert moves.shape == (2_000, 6)
    assert moves.min() >= 0
    assert (moves.sum(axis=1, dtype=int) == 120).all()


@pytest.mark.parametrize("name", ["published", *BLOTTO_HELD_OUT])
def test_opponents_treat_the_fields_alike(name: str) -> None:
    players: dict[str, BlottoPlayer] = {"published": BLOTTO_OPPONENT, **BLOTTO_HELD_OUT}

    moves = players[name].draw(40_000, np.random.default_rng(4)).astype(float)

    error = moves.std(axis=0) / 200
    assert (np.abs(moves.mean(axis=0) - 20) <= 4.5 * error).all()


def test_the_published_blotto_opponent_has_the_law_of_its_description() -> None:
    """Against a game-by-game draw as described, compared by the mean of each sorted entry."""
    generator, expected = np.random.default_rng(5), []
    for _ in range(20_000):
        raw = [int(x) for x in generator.integers(0, 121, 6)]
        scaled = [int(x * 120 / sum(raw)) for x in raw]
        scaled[int(generator.integers(6))] += 120 - sum(scaled)
        expected.append(sorted(scaled))

    moves = np.sort(ScaledUniform().draw(200_000, np.random.default_rng(6)), axis=1)

    error = np.std(expected, axis=0) / 20_000**0.5
    assert (np.abs(moves.mean(axis=0) - np.mean(expected, axis=0)) <= 4.5 * error).all()
