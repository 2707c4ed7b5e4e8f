"""Where players meet: games, players, matches and their exact values. Imports only `engine`.

What belongs here: games as frozen descriptions with vectorised payoffs, scripted and isolated players behind one
interface, the match code, expectations and optima. What does not: briefs, scores and starter files (`tasks`), and
whatever starts a sandbox (whoever owns one hands in a `Channel`).

Start reading in `match`; then `players.interface`, `players.remote` for submitted code, `exact` for values.
"""

from arenas.errors import ArenaError, IllegalMove, NotLawful, PlayerFault, TooLarge
from arenas.games import BATTLE_OF_SEXES, COLONEL_BLOTTO, PRISONERS_DILEMMA, BlottoGame, Game, MatrixGame
from arenas.match import Estimate, MatchResult, play
from arenas.players.channel import Channel, StreamChannel
from arenas.players.in_process import InProcessPlayer
from arenas.players.interface import BatchPlayer, History, LawfulPlayer, ScriptedPlayer, TreePlayer
from arenas.players.remote import DRIVER, DRIVER_ENVIRONMENT, RemotePlayer, driver_command

__all__ = [
    "BATTLE_OF_SEXES",
    "COLONEL_BLOTTO",
    "DRIVER",
    "DRIVER_ENVIRONMENT",
    "PRISONERS_DILEMMA",
    "ArenaError",
    "BatchPlayer",
    "BlottoGame",
    "Channel",
    "Estimate",
    "Game",
    "History",
    "IllegalMove",
    "InProcessPlayer",
    "LawfulPlayer",
    "MatchResult",
    "MatrixGame",
    "NotLawful",
    "PlayerFault",
    "RemotePlayer",
    "ScriptedPlayer",
    "StreamChannel",
    "TooLarge",
    "TreePlayer",
    "driver_command",
    "play",
]
