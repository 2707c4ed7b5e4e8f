"""Expected payoffs of memory-one players over a finite match, by stepping the chain on CC, CD, DC, DD."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arenas.arrays import FloatArray
from arenas.errors import ArenaError
from arenas.games import MatrixGame
from arenas.players.memory_one import MemoryOne


@dataclass(frozen=True, slots=True, eq=False)
class MemoryOneOutcome:
    """What pairs of memory-one players come to in expectation.

    Args:
        occupancy: share of rounds spent in CC, CD, DC, DD (row's move first), ``(pairs, 4)``.
        row_payoff: mean payoff a round ``(pairs,)``.
        column_payoff: the same of the column player.
    """

    occupancy: FloatArray
    row_payoff: FloatArray
    column_payoff: FloatArray


def memory_one_outcomes(
    game: MatrixGame,
    rows: Sequence[MemoryOne],
    columns: Sequence[MemoryOne],
    *,
    rounds: int,
    noise: float = 0.0,
) -> MemoryOneOutcome:
    """Exact outcomes of row ``i`` against column ``i``, over the finite match and not its stationary limit.

    Args:
        game: a two by two game.
        rows: row players, one a pair.
        columns: column players, as many.
        rounds: length of the match, at least 1.
        noise: probability with which an executed move is flipped, each side independently.

    Raises:
        ArenaError: with unequal numbers of rows and columns.
    """
    if len(rows) != len(columns):
        raise ArenaError(f"{len(rows)} rows and {len(columns)} columns; give one column for each row")
    row_first, row_after = _cooperation(rows, noise)
    column_first, column_after = _cooperation(columns, noise)
    column_after = column_after[
        :, [0, 2, 1, 3]
    ]  # its own move comes first in its vector, second in the state
    state = _joint(row_first, column_first)
    step = _joint(row_after, column_after)  # (pairs, from, to)
    occupancy = np.zeros_like(state)
    for _ in range(rounds):
        occupancy += state
        state = (state[:, None, :] @ step)[:, 0]
    occupancy /= rounds
    payoffs = game.payoff_array().reshape(4, 2)
    return MemoryOneOutcome(occupancy, occupancy @ payoffs[:, 0], occupancy @ payoffs[:, 1])


def _cooperation(players: Sequence[MemoryOne], noise: float) -> tuple[FloatArray, FloatArray]:
    """Executed cooperation: first round ``(pairs,)`` and after each state ``(pairs, 4)``."""
    first = np.array([player.first for player in players], dtype=np.float64)
    after = np.array([player.after for player in players], dtype=np.float64).reshape(-1, 4)
    return first * (1 - noise) + (1 - first) * noise, after * (1 - noise) + (1 - after) * noise


def _joint(row: FloatArray, column: FloatArray) -> FloatArray:
    """Probabilities of CC, CD, DC, DD on a new last axis."""
    pairs = [row * column, row * (1 - column), (1 - row) * column, (1 - row) * (1 - column)]
    return np.stack(pairs, axis=-1)
