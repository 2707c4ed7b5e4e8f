"""Memory-one players of a two-move game, in the field's notation (Press and Dyson 2012)."""

import numpy as np

from arenas.arrays import FloatArray
from arenas.players.interface import History, LawfulPlayer


class MemoryOne(LawfulPlayer, frozen=True, kw_only=True):
    """Cooperates (move 0) with a probability that depends on the last round only."""

    first: float = 1.0
    """Probability of cooperating in the first round."""
    after: tuple[float, float, float, float]
    """Probability of cooperating after CC, CD, DC, DD; own move first."""

    def probability_of_move(self, history: History) -> FloatArray:
        """Probability ``(games,)`` of defecting (move 1)."""
        if history.rounds == 0:
            return np.full(history.games, 1 - self.first)
        after: FloatArray = np.array(self.after)
        defects: FloatArray = 1 - after[2 * history.own[-1] + history.other[-1]]
        return defects
