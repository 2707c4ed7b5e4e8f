"""Players of the Battle of the Sexes: the published opponent, its held-out relatives, the row baseline.

Facts: MLGym-Bench's opponent means to follow the row player's last move and in fact follows its first.
"""

import numpy as np
import numpy.typing as npt

from arenas.arrays import FloatArray
from arenas.players.interface import History, LawfulPlayer


class FirstMoveFollower(LawfulPlayer, frozen=True, kw_only=True):
    """The published opponent: 1 in the first round, then the row player's *first* move more often than not."""

    faithfulness: float = 0.8
    """Probability of playing the followed move."""

    def probability_of_move(self, history: History) -> FloatArray:
        """Probability ``(games,)`` of 1."""
        if history.rounds == 0:
            return np.ones(history.games)
        return _follow(history.other[0], self.faithfulness)


class LastMoveFollower(LawfulPlayer, frozen=True, kw_only=True):
    """What the published opponent was meant to be: it follows the row player's *last* move."""

    faithfulness: float = 0.8
    """Probability of playing the followed move."""

    def probability_of_move(self, history: History) -> FloatArray:
        """Probability ``(games,)`` of 1."""
        if history.rounds == 0:
            return np.ones(history.games)
        return _follow(history.other[-1], self.faithfulness)


class MajorityFollower(LawfulPlayer, frozen=True, kw_only=True):
    """Follows the row player's more frequent move so far; a tie counts as 1. Slow to be convinced."""

    faithfulness: float = 0.8
    """Probability of playing the followed move."""

    def probability_of_move(self, history: History) -> FloatArray:
        """Probability ``(games,)`` of 1."""
        if history.rounds == 0:
            return np.ones(history.games)
        ones = history.other.sum(axis=0, dtype=np.int64)
        return _follow(2 * ones >= history.rounds, self.faithfulness)


class Stubborn(LawfulPlayer, frozen=True, kw_only=True):
    """Plays its own favourite, 1, whatever the row player does."""

    probability: float = 0.8
    """Probability of 1 in every round."""

    def probability_of_move(self, history: History) -> FloatArray:
        """Probability ``(games,)`` of 1."""
        return np.full(history.games, self.probability)


class TurnTaker(LawfulPlayer, frozen=True, kw_only=True):
    """Offers the two equilibria in turn: 1, 0, 1, 0 …, each with the probability given."""

    faithfulness: float = 0.9
    """Probability of the move whose turn it is."""

    def probability_of_move(self, history: History) -> FloatArray:
        """Probability ``(games,)`` of 1."""
        one = self.faithfulness if history.rounds % 2 == 0 else 1 - self.faithfulness
        return np.full(history.games, one)


class Reciprocator(LawfulPlayer, frozen=True, kw_only=True):
    """Gives way (0) after the row player has given way (1), and insists on 1 otherwise.

    Best met by taking turns with it; always 0, the best reply to the published opponent, does badly.
    """

    generosity: float = 0.9
    """Probability of 0 after the row player's 1."""
    insistence: float = 0.8
    """Probability of 1 after the row player's 0, and in the first round."""

    def probability_of_move(self, history: History) -> FloatArray:
        """Probability ``(games,)`` of 1."""
        if history.rounds == 0:
            return np.full(history.games, self.insistence)
        one: FloatArray = np.where(history.other[-1] == 1, 1 - self.generosity, self.insistence)
        return one


class BattleOfSexesBaseline(LawfulPlayer, frozen=True, kw_only=True):
    """The published row baseline: 0 first; then mostly the opponent's last move.

    Later rounds: 0 with probability 0.1, 1 with 0.1, the opponent's last move with 0.7, its own with 0.1.
    """

    def probability_of_move(self, history: History) -> FloatArray:
        """Probability ``(games,)`` of 1."""
        if history.rounds == 0:
            return np.zeros(history.games)
        one: FloatArray = 0.1 + 0.7 * history.other[-1] + 0.1 * history.own[-1]
        return one


BATTLE_OF_SEXES_OPPONENT = FirstMoveFollower()
"""The opponent of the published scoring."""

BATTLE_OF_SEXES_HELD_OUT: dict[str, LawfulPlayer] = {
    "last-move follower": LastMoveFollower(),
    "noisy follower": LastMoveFollower(faithfulness=0.6),
    "majority follower": MajorityFollower(),
    "stubborn": Stubborn(),
    "turn taker": TurnTaker(),
    "reciprocator": Reciprocator(),
}
"""Opponents that no feedback is taken from."""


def _follow(move: npt.NDArray[np.int8] | npt.NDArray[np.bool_], faithfulness: float) -> FloatArray:
    """Probability of 1 for one who plays ``move`` with that probability and the other move else."""
    one: FloatArray = np.where(move == 1, faithfulness, 1 - faithfulness)
    return one
