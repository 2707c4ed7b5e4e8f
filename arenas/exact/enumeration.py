"""A player of unknown law against every sequence of moves of a lawful opponent."""

import numpy as np

from arenas.arrays import FloatArray, IndexArray, MoveArray
from arenas.errors import NotLawful, TooLarge
from arenas.games import MatrixGame
from arenas.match import Estimate, expected_payoffs
from arenas.players.interface import History, LawfulPlayer, TreePlayer

_MOST_GAMES = 1 << 22


async def enumerate_opponent(
    game: MatrixGame, player: TreePlayer, opponent: LawfulPlayer, *, rounds: int, repetitions: int = 2
) -> Estimate:
    """Expected payoff a round of the player against the opponent, with the opponent's randomness summed out.

    The player meets every sequence of opponent moves once in each repetition. Sequences share their common
    past, so a repetition asks 2^rounds - 1 moves of the player (1,023 for ten rounds), less what has
    probability zero; the answers are weighted by the product of the opponent's conditional probabilities, and
    the last round by its law. The expectation over the player's own draws is right for any player, so the
    mean over repetitions is unbiased; for a player that is a function of the history all repetitions agree
    and the mean is exact, with standard error 0.

    For a *random* player prefer `arenas.match.play` with ``conditional``: the sequences of one repetition
    share their early draws, and their weights are uneven, so a sampled match is more precise for the same
    number of calls.

    Args:
        game: a two-column matrix game.
        player: asked for ``repetitions`` games that branch.
        opponent: the column player.
        rounds: rounds a game.
        repetitions: at least 2. Two suffice to tell that a player is deterministic, but a standard error from two
            values has one degree of freedom and can be far too small: ask for 20 or more of a random player.

    Raises:
        PlayerFault: where a remote player breaks the rules.
        NotLawful: where the game has other than two column moves.
        TooLarge: where the last round would hold more than 4,194,304 games.
    """
    if game.actions[1] != 2:
        raise NotLawful(f"{game.name} has {game.actions[1]} column moves; two are needed")
    if repetitions < 2 or repetitions << (rounds - 1) > _MOST_GAMES:
        raise TooLarge(
            f"{repetitions} repetitions of {rounds} rounds; ask for 2 to {_MOST_GAMES >> (rounds - 1)} repetitions"
        )
    totals = await _sum_over_sequences(game, player, opponent, rounds, repetitions)
    if np.ptp(totals) == 0:  # a function of the history: rounding of the mean would only blur it
        return Estimate(mean=float(totals[0]) / rounds, standard_error=0.0)
    values = totals / rounds
    return Estimate(mean=float(values.mean()), standard_error=float(values.std(ddof=1) / repetitions**0.5))


async def _sum_over_sequences(
    game: MatrixGame, player: TreePlayer, opponent: LawfulPlayer, rounds: int, repetitions: int
) -> FloatArray:
    """Expected payoffs ``(repetitions,)`` summed over rounds."""
    await player.begin(game, games=repetitions, rounds=rounds)
    moves = await player.moves(0, None)
    rows: MoveArray = np.empty((0, repetitions), np.int8)
    columns = rows
    origin, weights = np.arange(repetitions), np.ones(repetitions)
    totals = np.zeros(repetitions)
    for round_index in range(rounds):
        game.check_row(moves, games=len(weights))
        law = opponent.probability_of_move(History(own=columns, other=rows))
        totals += np.bincount(origin, weights * expected_payoffs(game, moves, law), minlength=repetitions)
        if round_index + 1 < rounds:
            parents, last, weights = _continuations(weights, law)
            rows = np.vstack([rows, moves])[:, parents]
            columns = np.vstack([columns[:, parents], last])
            origin = origin[parents]
            moves = await player.branch(round_index + 1, parents, last)
    return totals


def _continuations(weights: FloatArray, law: FloatArray) -> tuple[IndexArray, MoveArray, FloatArray]:
    """Parents, opponent moves and weights of the next round's games, without those of probability zero."""
    both = np.stack([weights * (1 - law), weights * law], axis=1).ravel()
    kept = np.flatnonzero(both)
    return kept // 2, (kept % 2).astype(np.int8), both[kept]
