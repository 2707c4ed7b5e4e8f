"""The final value of a player of unknown law: exact where it can be, else to a standard error that is asked for."""

import numpy as np

from arenas.errors import ArenaError
from arenas.exact.enumeration import enumerate_opponent
from arenas.games import MatrixGame
from arenas.match import Estimate, play
from arenas.players.interface import LawfulPlayer, TreePlayer

_REPETITIONS = 4
_BATCH_GAMES = 20_000


async def player_value(
    game: MatrixGame,
    player: TreePlayer,
    opponent: LawfulPlayer,
    *,
    rounds: int,
    generator: np.random.Generator,
    target_error: float = 0.001,
    most_games: int = 1_000_000,
) -> Estimate:
    """Expected payoff a round of the player: exact for a deterministic one, sampled for a random one.

    Four enumerations that agree show a player that is a function of the history, or so rarely random that its value
    is not changed by more than a few times 10^-4; their value is returned with standard error 0. Otherwise
    conditional matches of 20,000 games are added until their standard error falls below the target. (When to stop
    depends on the spread alone, which biases the mean by far less than the error asked for.)

    Keeping state between games does not lift a player's value above the optimum: what it learns in one game is
    independent of the opponent's moves in every other.

    Args:
        game: a two-column matrix game.
        player: the row player.
        opponent: of known law.
        rounds: rounds a game; enumeration asks for ``4 * (2**rounds - 1)`` moves.
        generator: the opponent's draws.
        target_error: standard error to come below, in points a round.
        most_games: games after which the error is returned as it stands; at least 2.

    Raises:
        PlayerFault: where a remote player breaks the rules.
        NotLawful: where the game has other than two column moves.
        ArenaError: with fewer than two games.
    """
    if most_games < 2:
        raise ArenaError(f"{most_games} games have no standard error; allow 2 or more")
    exact = await enumerate_opponent(game, player, opponent, rounds=rounds, repetitions=_REPETITIONS)
    if exact.standard_error == 0:
        return exact
    per_game = np.empty(0)
    error = float("inf")
    while error >= target_error and len(per_game) < most_games:
        games = min(_BATCH_GAMES, max(2, most_games - len(per_game)))
        result = await play(
            game, player, opponent, games=games, rounds=rounds, generator=generator, conditional=True
        )
        per_game = np.concatenate([per_game, result.per_game])
        error = float(per_game.std(ddof=1) / len(per_game) ** 0.5)
    return Estimate(mean=float(per_game.mean()), standard_error=error)
