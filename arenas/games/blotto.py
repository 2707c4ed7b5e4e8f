"""Majority Colonel Blotto: two sides divide soldiers over fields; who holds more fields wins the round."""

from collections.abc import Sequence

import msgspec
import numpy as np

from arenas.arrays import FloatArray, MoveArray
from arenas.errors import ArenaError, IllegalMove

NOT_CONTESTED = -1
"""An allocation's entry for a field it does not name (only without `BlottoGame.exact_length`): a tie there."""

_LARGEST_BUDGET = 127
"""Allocations travel and are compared as 8-bit integers: a sixth of the time of 64-bit ones."""


class BlottoGame(msgspec.Struct, frozen=True, kw_only=True):
    """Colonel Blotto decided by the number of fields won: +1 for more, -1 for fewer, 0 for as many.

    Raises:
        ArenaError: on construction, without fields or with a budget outside 0 to 127.
    """

    name: str = "colonel blotto"
    fields: int = 6
    budget: int = 120
    """Soldiers that may be placed; fewer are allowed."""
    exact_length: bool = True
    """Whether an allocation must name every field.

    Published scoring does not check the length. Comparing fields pairwise then ignores surplus entries (they
    still count towards the budget) and leaves missing fields uncontested.
    """

    def __post_init__(self) -> None:
        if self.fields < 1 or not 0 <= self.budget <= _LARGEST_BUDGET:
            raise ArenaError(
                f"{self.name}: {self.fields} fields and {self.budget} soldiers; "
                f"choose at least 1 field and 0 to {_LARGEST_BUDGET} soldiers"
            )

    @property
    def move_shape(self) -> tuple[int, ...]:
        """Shape of one move."""
        return (self.fields,)

    def row_payoffs(self, row: MoveArray, column: MoveArray) -> FloatArray:
        """Payoffs of the row player, in {-1, 0, +1}.

        Args:
            row: allocations ``(…, fields)``; `NOT_CONTESTED` makes a tie of its field.
            column: allocations ``(…, fields)`` that broadcast against them.
        """
        won = (row > column).sum(axis=-1, dtype=np.int8)
        lost = ((row < column) & (row != NOT_CONTESTED)).sum(axis=-1, dtype=np.int8)
        payoffs: FloatArray = np.sign(won - lost).astype(np.float64)
        return payoffs

    def check_row(self, moves: MoveArray, *, games: int) -> None:
        """Check allocations of the row player.

        Raises:
            IllegalMove: with another shape than ``(games, fields)``, a negative entry or a sum over the
            budget.
        """
        if moves.shape != (games, self.fields):
            raise IllegalMove(f"{self.name}: moves of shape {moves.shape}, expected ({games}, {self.fields})")
        lowest = 0 if self.exact_length else NOT_CONTESTED
        if games and moves.min() < lowest:
            raise IllegalMove(f"{self.name}: a negative allocation; place 0 or more soldiers on each field")
        if games and np.maximum(moves, 0).sum(axis=1, dtype=np.int64).max() > self.budget:
            raise IllegalMove(f"{self.name}: more than {self.budget} soldiers placed")

    def allocation_fault(self, allocation: object) -> str | None:
        """Why an answer is no allocation of this game, or None where it is one.

        Entries are exact Python integers: no booleans, no floats, no array scalars.
        """
        if type(allocation) not in {list, tuple}:
            return f"a list of {self.fields} integers is expected, not {type(allocation).__name__}"
        entries: Sequence[object] = allocation  # type: ignore[assignment]  # a list or a tuple, checked above
        if self.exact_length and len(entries) != self.fields:
            return f"{self.fields} entries are expected, not {len(entries)}"
        total = 0
        for entry in entries:
            if type(entry) is not int:
                return f"every entry must be a Python int, not {type(entry).__name__}"
            if entry < 0:
                return "an entry is negative"
            total += entry
        return f"more than {self.budget} soldiers placed" if total > self.budget else None


COLONEL_BLOTTO = BlottoGame()
