"""Games: frozen descriptions with vectorised payoffs. Start reading in `matrix`."""

from arenas.games.blotto import COLONEL_BLOTTO, NOT_CONTESTED, BlottoGame
from arenas.games.matrix import BATTLE_OF_SEXES, PRISONERS_DILEMMA, MatrixGame

Game = MatrixGame | BlottoGame
"""Every kind of game that a match can be played in."""

__all__ = [
    "BATTLE_OF_SEXES",
    "COLONEL_BLOTTO",
    "NOT_CONTESTED",
    "PRISONERS_DILEMMA",
    "BlottoGame",
    "Game",
    "MatrixGame",
]
