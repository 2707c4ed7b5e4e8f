"""An iterated match: a scored row player against a scripted column player, many games in lock step."""

from dataclasses import dataclass

import msgspec
import numpy as np

from arenas.arrays import FloatArray, MoveArray
from arenas.errors import NotLawful
from arenas.games import Game, MatrixGame
from arenas.players.interface import BatchPlayer, History, LawfulPlayer, ScriptedPlayer


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A mean and how far it can be trusted."""

    mean: float
    standard_error: float
    """0 where the mean is exact."""


@dataclass(frozen=True, slots=True, eq=False)
class MatchResult:
    """What a match came to, from the row player's side.

    Args:
        per_game: mean payoff a round of each game ``(games,)``, in points.
        rows: the row player's moves ``(rounds, games)`` or ``(rounds, games, fields)``.
        columns: the column player's, of the same shape.
        conditional: whether payoffs are expectations over the column player's move.
    """

    per_game: FloatArray
    rows: MoveArray
    columns: MoveArray
    conditional: bool

    @property
    def mean(self) -> float:
        """Mean payoff a round, in points."""
        return float(self.per_game.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of `mean` over games (which are independent); infinite with fewer than two games."""
        games = len(self.per_game)
        return float(self.per_game.std(ddof=1) / games**0.5) if games > 1 else float("inf")

    @property
    def estimate(self) -> Estimate:
        """Mean and standard error as a value."""
        return Estimate(mean=self.mean, standard_error=self.standard_error)


async def play(
    game: Game,
    row: BatchPlayer,
    column: ScriptedPlayer,
    *,
    games: int,
    rounds: int,
    generator: np.random.Generator,
    conditional: bool = False,
) -> MatchResult:
    """Play a batch of independent games and return the row player's payoffs.

    The column player moves after the row player's answer for the whole batch has arrived, from the history
    alone, with draws of ``generator``: nothing that the row player does can depend on or change them.

    With ``conditional``, each round's payoff is replaced by its expectation over the column player's move
    given the history and the row player's move. The mean stays unbiased and each round's variance can only
    fall (Rao 1945, Blackwell 1947). For the *sum* over rounds that is a rule and no theorem: the rounds
    condition on different histories, and a lucky payoff may be paid back later, which the plain sum nets out.
    It is a theorem where the column player's later moves do not depend on its own earlier ones and the row
    player does not react to them. Measured share of the plain variance that is left: see
    ``tests/arenas/test_match.py``.

    Args:
        game: what is played.
        row: the scored player.
        column: the opponent.
        games: number of games, at least 1.
        rounds: rounds a game, at least 1.
        generator: the opponent's draws; the row player must not share it.
        conditional: replace sampled by expected payoffs.

    Raises:
        PlayerFault: where a remote row player breaks the rules.
        IllegalMove: where an in-process row player does.
        NotLawful: with ``conditional`` and a column player or game without a two-move law.
    """
    law = _law(game, column) if conditional else None
    shape = (rounds, games, *game.move_shape)
    rows, columns = np.empty(shape, np.int8), np.empty(shape, np.int8)
    total = np.zeros(games)
    await row.begin(game, games=games, rounds=rounds)
    for round_index in range(rounds):
        moves = await row.moves(round_index, columns[round_index - 1] if round_index else None)
        game.check_row(moves, games=games)
        rows[round_index] = moves
        seen = History(own=columns[:round_index], other=rows[:round_index])
        columns[round_index] = column.sample(seen, generator)
        if law is None:
            total += game.row_payoffs(rows[round_index], columns[round_index])
        else:
            total += expected_payoffs(law[0], moves, law[1].probability_of_move(seen))
    return MatchResult(per_game=total / rounds, rows=rows, columns=columns, conditional=conditional)


def expected_payoffs(game: MatrixGame, row: MoveArray, probability: FloatArray) -> FloatArray:
    """Row payoffs ``(games,)`` in expectation over a column player who plays 1 with the probabilities given."""
    table = game.payoff_array()[row, :, 0]
    expected: FloatArray = (1 - probability) * table[:, 0] + probability * table[:, 1]
    return expected


def _law(game: Game, column: ScriptedPlayer) -> tuple[MatrixGame, LawfulPlayer]:
    if isinstance(game, MatrixGame) and game.actions[1] == 2 and isinstance(column, LawfulPlayer):
        return game, column
    raise NotLawful(f"{game.name} against {column!r} has no two-move law; play it with conditional=False")
