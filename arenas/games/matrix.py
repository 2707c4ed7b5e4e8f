"""Two-player games in normal form, played by a row and a column player who move at the same time.

=================  ==========================================================================
Battle of Sexes    both 0: (2, 1); both 1: (1, 2); apart: (0, 0)
Prisoner's Dilemma 0 cooperates, 1 defects: (0,0) (3,3); (0,1) (0,5); (1,0) (5,0); (1,1) (1,1)
=================  ==========================================================================
"""

from functools import lru_cache

import msgspec
import numpy as np

from arenas.arrays import FloatArray, MoveArray
from arenas.errors import IllegalMove


class MatrixGame(msgspec.Struct, frozen=True, kw_only=True):
    """A bimatrix game; a move is the index of a row or of a column."""

    name: str
    payoffs: tuple[tuple[tuple[float, float], ...], ...]
    """Payoffs ``(rows, columns, 2)`` in points: by row move, column move, then (row player's, column player's)."""

    @property
    def actions(self) -> tuple[int, int]:
        """Number of moves of the row and of the column player."""
        return len(self.payoffs), len(self.payoffs[0])

    @property
    def move_shape(self) -> tuple[int, ...]:
        """Shape of one move: a scalar."""
        return ()

    def payoff_array(self) -> FloatArray:
        """Payoffs as a read-only array ``(rows, columns, 2)``."""
        return _payoff_array(self)

    def row_payoffs(self, row: MoveArray, column: MoveArray) -> FloatArray:
        """Payoffs ``(games,)`` of the row player for moves ``(games,)`` of both."""
        table: FloatArray = self.payoff_array()[..., 0]
        return table[row, column]

    def check_row(self, moves: MoveArray, *, games: int) -> None:
        """Check moves of the row player.

        Raises:
            IllegalMove: with another shape than ``(games,)`` or a move outside ``0 … rows - 1``.
        """
        rows = self.actions[0]
        if moves.shape != (games,):
            raise IllegalMove(f"{self.name}: moves of shape {moves.shape}, expected ({games},)")
        if games and not (moves.min() >= 0 and moves.max() < rows):
            raise IllegalMove(f"{self.name}: a move outside 0 to {rows - 1}; return one of the game's moves")


@lru_cache(maxsize=64)
def _payoff_array(game: MatrixGame) -> FloatArray:
    table = np.array(game.payoffs, dtype=np.float64)
    table.flags.writeable = False
    return table


BATTLE_OF_SEXES = MatrixGame(
    name="battle of the sexes",
    payoffs=(((2.0, 1.0), (0.0, 0.0)), ((0.0, 0.0), (1.0, 2.0))),
)

PRISONERS_DILEMMA = MatrixGame(
    name="prisoner's dilemma",
    payoffs=(((3.0, 3.0), (0.0, 5.0)), ((5.0, 0.0), (1.0, 1.0))),
)
