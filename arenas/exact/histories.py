"""Expectation and optimum of a short two-move match, over all of its joint histories.

After ``t`` rounds there are 4^t joint histories; history ``h`` is followed by ``4 h + 2 (row move) + (column
move)``. Ten rounds hold at most 262,144 decision points, about 5 MB of moves a side.
"""

from dataclasses import dataclass

import numpy as np

from arenas.arrays import FloatArray, IndexArray, MoveArray
from arenas.errors import NotLawful, TooLarge
from arenas.games import MatrixGame
from arenas.match import expected_payoffs
from arenas.players.interface import History, LawfulPlayer

_MOST_ROUNDS = 11


class TablePlayer(LawfulPlayer, frozen=True, kw_only=True, eq=False):
    """A player given by a table over joint histories, seen from its own seat."""

    tables: tuple[FloatArray, ...]
    """For each round ``t``, the probability of 1 after each history ``(4**t,)``, own move the higher bit."""

    def probability_of_move(self, history: History) -> FloatArray:
        """Probability ``(games,)`` of 1."""
        index = np.zeros(history.games, np.intp)
        for own, other in zip(history.own, history.other, strict=True):
            index = 4 * index + 2 * own + other
        return self.tables[history.rounds][index]


@dataclass(frozen=True, slots=True, eq=False)
class OptimalPlay:
    """The best that any history-dependent row player can do against a known law.

    Args:
        value: expected payoff a round, in points.
        player: a deterministic player that attains it (0 where both moves are as good).
    """

    value: float
    player: TablePlayer


def expected_value(game: MatrixGame, row: LawfulPlayer, column: LawfulPlayer, *, rounds: int) -> float:
    """Exact expected payoff a round of the row player, by summing over all histories of positive probability.

    Raises:
        NotLawful: where the game is not two by two.
        TooLarge: with more than 11 rounds.
    """
    _check(game, rounds)
    rows, columns, weights = _no_moves(1), _no_moves(1), np.ones(1)
    total = 0.0
    for round_index in range(rounds):
        row_one = row.probability_of_move(History(own=rows, other=columns))
        column_one = column.probability_of_move(History(own=columns, other=rows))
        joint = _joint(row_one, column_one) * weights[:, None]
        total += float((joint @ game.payoff_array()[..., 0].ravel()).sum())
        if round_index + 1 < rounds:
            flat: FloatArray = joint.ravel()
            kept: IndexArray = np.flatnonzero(flat)
            rows, columns = _extend(rows, columns, kept)
            weights = flat[kept]
    return total / rounds


def optimal_play(game: MatrixGame, column: LawfulPlayer, *, rounds: int) -> OptimalPlay:
    """Best reply to a column player of known law, by backward induction (Bellman 1957).

    Raises:
        NotLawful: where the game is not two by two.
        TooLarge: with more than 11 rounds.
    """
    _check(game, rounds)
    laws = _column_laws(column, rounds)
    value = np.zeros(4**rounds)
    tables: list[FloatArray] = []
    for law in reversed(laws):
        later = value.reshape(len(law), 2, 2)
        by_move = np.stack(
            [
                expected_payoffs(game, np.full(len(law), move, np.int8), law)
                + (1 - law) * later[:, move, 0]
                + law * later[:, move, 1]
                for move in (0, 1)
            ],
            axis=1,
        )
        value = by_move.max(axis=1)
        tables.append((by_move[:, 1] > by_move[:, 0]).astype(np.float64))
    return OptimalPlay(float(value[0]) / rounds, TablePlayer(tables=tuple(reversed(tables))))


def _column_laws(column: LawfulPlayer, rounds: int) -> list[FloatArray]:
    """For each round, the probability of a column move 1 after every joint history ``(4**round,)``."""
    rows, columns = _no_moves(1), _no_moves(1)
    laws = [column.probability_of_move(History(own=columns, other=rows))]
    for round_index in range(1, rounds):
        every: IndexArray = np.arange(1 << 2 * round_index, dtype=np.intp)
        rows, columns = _extend(rows, columns, every)
        laws.append(column.probability_of_move(History(own=columns, other=rows)))
    return laws


def _no_moves(games: int) -> MoveArray:
    return np.empty((0, games), np.int8)


def _joint(row_one: FloatArray, column_one: FloatArray) -> FloatArray:
    """Probability of each pair of moves, ``(histories, 4)``."""
    row = np.stack([1 - row_one, row_one], axis=1)
    column = np.stack([1 - column_one, column_one], axis=1)
    return (row[:, :, None] * column[:, None, :]).reshape(-1, 4)


def _extend(rows: MoveArray, columns: MoveArray, kept: IndexArray) -> tuple[MoveArray, MoveArray]:
    """Histories one round longer; ``kept`` are the children's positions ``4 h + 2 row + column``."""
    parents = kept // 4
    row = (kept % 4 // 2).astype(np.int8)
    column = (kept % 2).astype(np.int8)
    return np.vstack([rows[:, parents], row]), np.vstack([columns[:, parents], column])


def _check(game: MatrixGame, rounds: int) -> None:
    if game.actions != (2, 2):
        raise NotLawful(f"{game.name} has {game.actions} moves; joint histories are kept for two by two only")
    if rounds > _MOST_ROUNDS:
        raise TooLarge(f"{rounds} rounds have 4^{rounds} joint histories; ask for at most {_MOST_ROUNDS}")
