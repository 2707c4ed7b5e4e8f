"""An opponent who is one of several, drawn anew for each game and never told."""

import numpy as np

from arenas.arrays import FloatArray
from arenas.players.interface import History, LawfulPlayer


class DrawnPerGame(LawfulPlayer, frozen=True, kw_only=True):
    """Each game is played by one of ``players``, all as likely; which one is integrated out.

    The law of the next move is the players' laws weighted by how likely each was to play as it was seen (Bayes), so
    drawing round by round has the joint law of a player drawn once and kept.
    """

    players: tuple[LawfulPlayer, ...]

    def probability_of_move(self, history: History) -> FloatArray:
        """Probability ``(games,)`` of 1."""
        joint = np.ones((len(self.players), history.games))
        for past in range(history.rounds):
            laws = self._laws(History(own=history.own[:past], other=history.other[:past]))
            joint *= np.where(history.own[past] == 1, laws, 1 - laws)
        laws, evidence = self._laws(history), joint.sum(axis=0)
        # A history that no player can produce has weight 0 wherever it is summed; the mean law keeps it finite.
        seen = evidence > 0
        mixed: FloatArray = (joint * laws).sum(axis=0) / np.where(seen, evidence, 1.0)
        return np.where(seen, mixed, laws.mean(axis=0))

    def _laws(self, history: History) -> FloatArray:
        return np.stack([player.probability_of_move(history) for player in self.players])
