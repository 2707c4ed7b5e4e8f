"""What a match asks of its two sides.

The row player is the one being scored. It answers a whole batch of games at once and may live anywhere
(`BatchPlayer`). The column player is ours: vectorised, in process, drawing from the judge's generator
(`ScriptedPlayer`); where its law is known, expectations replace draws (`LawfulPlayer`).
"""

from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np

from arenas.arrays import FloatArray, IndexArray, MoveArray
from arenas.games import Game


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What one side has seen in a batch of games.

    Args:
        own: this side's past moves ``(rounds, games)`` or ``(rounds, games, fields)``, oldest first.
        other: the other side's, of the same shape.
    """

    own: MoveArray
    other: MoveArray

    @property
    def rounds(self) -> int:
        """Number of rounds played so far."""
        return int(self.own.shape[0])

    @property
    def games(self) -> int:
        """Number of games in the batch."""
        return int(self.own.shape[1])


class BatchPlayer(Protocol):
    """A row player of many games at once: in process, or in a sandbox."""

    async def begin(self, game: Game, *, games: int, rounds: int) -> None:
        """Forget everything and stand ready for so many games of at most so many rounds.

        Raises:
            PlayerFault: where the player cannot start.
        """
        ...

    async def moves(self, round_index: int, last: MoveArray | None) -> MoveArray:
        """Moves ``(games,)`` or ``(games, fields)`` of the round.

        Args:
            round_index: counted from 0; called once for each, in order.
            last: the column player's moves of the previous round; None in the first.

        Raises:
            PlayerFault: where the player breaks the rules.
        """
        ...


class TreePlayer(BatchPlayer, Protocol):
    """A batch player whose games can be continued in more than one way."""

    async def branch(self, round_index: int, parents: IndexArray, last: MoveArray) -> MoveArray:
        """Replace the batch by continuations of its games and answer for each, as in `BatchPlayer.moves`.

        Args:
            round_index: counted from 0.
            parents: for each new game, the position of the game that it continues ``(new games,)``.
            last: the column player's move in that game's previous round ``(new games,)``.
        """
        ...


class ScriptedPlayer(Protocol):
    """A trusted, vectorised player that keeps nothing between calls."""

    def sample(self, history: History, generator: np.random.Generator) -> MoveArray:
        """Moves of the next round, one draw a game: ``(games,)`` or ``(games, fields)``."""
        ...


class LawfulPlayer(msgspec.Struct, frozen=True, kw_only=True):
    """A scripted player of a two-move game whose law given the history is known; a base class.

    Randomness that is drawn once and then kept (a rule for each game, say) is integrated out: the law is that
    of the next move given what was seen, so drawing round by round from it has the same joint law and needs
    no state.
    """

    def probability_of_move(self, history: History) -> FloatArray:
        """Probability ``(games,)`` that the next move is 1."""
        raise NotImplementedError

    def sample(self, history: History, generator: np.random.Generator) -> MoveArray:
        """Moves ``(games,)``: 1 where a uniform draw falls below the law."""
        moves: MoveArray = (generator.random(history.games) < self.probability_of_move(history)).view(np.int8)
        return moves
