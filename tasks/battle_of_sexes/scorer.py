"""Scores a row player of the Battle of the Sexes."""

from typing import Final

from arenas.games import BATTLE_OF_SEXES
from arenas.players.battle_of_sexes import (
    BATTLE_OF_SEXES_HELD_OUT,
    BATTLE_OF_SEXES_OPPONENT,
    FirstMoveFollower,
    LastMoveFollower,
    MajorityFollower,
    Stubborn,
    TurnTaker,
)
from tasks.drawn_per_game import DrawnPerGame
from tasks.game_settings import GameSettings, read_settings
from tasks.matrix_scorer import MatrixScorer
from tasks.package import Settings

HARDER_OPPONENT: Final = DrawnPerGame(
    players=(LastMoveFollower(faithfulness=0.9), Stubborn(probability=0.95), TurnTaker())
)
"""One who gives in, one who does not, and one who takes turns: the row player has to find out whom it met."""

_OPPONENTS: Final = {"published": BATTLE_OF_SEXES_OPPONENT, "one of three": HARDER_OPPONENT}
_HELD_OUT: Final = {
    "published": BATTLE_OF_SEXES_HELD_OUT,
    "one of three": {
        "first-move follower": FirstMoveFollower(),
        "noisy follower": LastMoveFollower(faithfulness=0.6),
        "majority follower": MajorityFollower(),
        "stubborn at times": Stubborn(probability=0.7),
        "one of two": DrawnPerGame(players=(MajorityFollower(faithfulness=0.9), Stubborn(probability=0.9))),
    },
}


def make_scorer(settings: Settings) -> MatrixScorer:
    """The scorer of a variant."""
    return MatrixScorer(
        BATTLE_OF_SEXES, read_settings(settings, GameSettings), opponents=_OPPONENTS, held_out=_HELD_OUT
    )
