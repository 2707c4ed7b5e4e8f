"""Scores a row player of the iterated Prisoner's Dilemma."""

from typing import Final

from arenas.games import PRISONERS_DILEMMA
from arenas.players.prisoners_dilemma import (
    PRISONERS_DILEMMA_HELD_OUT,
    PRISONERS_DILEMMA_OPPONENT,
    RuleMixture,
)
from tasks.game_settings import GameSettings, read_settings
from tasks.matrix_scorer import MatrixScorer
from tasks.package import Settings

_PER_GAME: Final = "rule per game"

_OPPONENTS: Final = {"published": PRISONERS_DILEMMA_OPPONENT, _PER_GAME: RuleMixture(redrawn="every game")}
"""The published opponent draws a rule in every round; the harder one keeps its rule for a game."""
_HELD_OUT: Final = {
    "published": PRISONERS_DILEMMA_HELD_OUT,
    _PER_GAME: {name: player for name, player in PRISONERS_DILEMMA_HELD_OUT.items() if name != _PER_GAME},
}


def make_scorer(settings: Settings) -> MatrixScorer:
    """The scorer of a variant."""
    return MatrixScorer(
        PRISONERS_DILEMMA, read_settings(settings, GameSettings), opponents=_OPPONENTS, held_out=_HELD_OUT
    )
