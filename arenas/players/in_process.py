"""A scripted player in the row player's seat."""

import numpy as np
import trio

from arenas.arrays import IndexArray, MoveArray
from arenas.games import Game
from arenas.players.interface import History, ScriptedPlayer


class InProcessPlayer:
    """Seats a scripted player as a `TreePlayer`, with a generator of its own.

    Args:
        script: what decides the moves.
        generator: this player's draws; never the one that the column player draws from.
    """

    def __init__(self, script: ScriptedPlayer, generator: np.random.Generator) -> None:
        self._script = script
        self._generator = generator
        self._own: MoveArray = np.empty((0, 0), np.int8)
        self._other: MoveArray = np.empty((0, 0), np.int8)

    async def begin(self, game: Game, *, games: int, rounds: int) -> None:
        """Start a batch with empty histories; a checkpoint."""
        shape = (rounds, games, *game.move_shape)
        self._own, self._other = np.empty(shape, np.int8), np.empty(shape, np.int8)
        await trio.lowlevel.checkpoint()

    async def moves(self, round_index: int, last: MoveArray | None) -> MoveArray:
        """The script's answer to the histories so far; a checkpoint."""
        if last is not None:
            self._other[round_index - 1] = last
        history = History(self._own[:round_index], self._other[:round_index])
        moves = self._script.sample(history, self._generator)
        self._own[round_index] = moves
        await trio.lowlevel.checkpoint()
        return moves

    async def branch(self, round_index: int, parents: IndexArray, last: MoveArray) -> MoveArray:
        """As `moves`, for continuations of the present games; a checkpoint."""
        self._own, self._other = self._own[:, parents], self._other[:, parents]
        return await self.moves(round_index, last)
