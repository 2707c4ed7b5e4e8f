"""A submitted player in a process of its own, seen from the judge's side."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import trio

from arenas.arrays import IndexArray, MoveArray
from arenas.errors import ArenaError, PlayerFault
from arenas.games import Game
from arenas.players.channel import Channel
from arenas.players.frames import (
    answer_limit,
    decode_moves,
    decode_ready,
    encode_branch,
    encode_round,
    encode_start,
)

T = TypeVar("T")

DRIVER = Path(__file__).with_name("driver.py")
"""The program that runs inside the sandbox: one file, standard library only."""

DRIVER_ENVIRONMENT = {"PYTHONHASHSEED": "0"}
"""What the driver's environment must hold, so that sets and dictionaries of strings repeat."""


def driver_command(
    strategy: str, function: str, *, driver: str = str(DRIVER), python: str = sys.executable
) -> tuple[str, ...]:
    """Command line of a player's process; the paths are those inside its sandbox.

    Not isolated mode (``-I``): that would ignore the hash seed.
    """
    return (python, "-s", "-P", "-B", driver, strategy, function)


class RemotePlayer:
    """A `TreePlayer` whose moves come from another process, batch by batch.

    The process is asked for each round's moves of all games at once and learns the opponent's moves of a
    round only after its own have arrived. Its function must be a function of the history and of randomness:
    games are interleaved, so what it keeps in globals is shared by all of them.

    After a fault the player is lost, and every further call raises the same fault. After a cancelled call it is lost
    too (its answer may be half read), and further calls raise `ArenaError`.

    Args:
        channel: to the process, started with `driver_command` and `DRIVER_ENVIRONMENT`.
        seed: for the player's own global generators (``random``, and numpy's where it is used).
        start_seconds: limit for loading the player's file.
        round_seconds: limit for all moves of one round.
    """

    def __init__(
        self, channel: Channel, *, seed: int, start_seconds: float = 30.0, round_seconds: float = 60.0
    ) -> None:
        self._channel = channel
        self._seed = seed
        self._start_seconds = start_seconds
        self._round_seconds = round_seconds
        self._game: Game | None = None
        self._games = 0
        self._fault: PlayerFault | None = None
        self._unanswered = False

    async def begin(self, game: Game, *, games: int, rounds: int) -> None:  # noqa: ARG002 - the driver need not know
        """Load the player (the first time), seed it and open a batch of games; a checkpoint.

        Raises:
            PlayerFault: where its file does not load in time, or it answers anything but readiness.
        """
        frame = encode_start(game, games=games, seed=self._seed)
        self._game, self._games = game, games
        limit = answer_limit(game, games)
        await self._guarded(lambda: self._ask(frame, limit, self._start_seconds, decode_ready))

    async def moves(self, round_index: int, last: MoveArray | None) -> MoveArray:  # noqa: ARG002 - it counts itself
        """Moves of every game; a checkpoint.

        Raises:
            PlayerFault: where the player breaks the rules.
        """
        return await self._answer(encode_round(last))

    async def branch(self, round_index: int, parents: IndexArray, last: MoveArray) -> MoveArray:  # noqa: ARG002 - same
        """Moves of continuations of the present games; a checkpoint.

        Raises:
            PlayerFault: where the player breaks the rules.
        """
        self._games = len(parents)
        return await self._answer(encode_branch(parents, last))

    async def _answer(self, frame: bytes) -> MoveArray:
        game, games = self._game, self._games
        if game is None:
            raise ArenaError("this player has not begun; call begin before moves")
        limit = answer_limit(game, games)
        return await self._guarded(
            lambda: self._ask(
                frame, limit, self._round_seconds, lambda answer: decode_moves(answer, game, games)
            )
        )

    async def _guarded(self, ask: Callable[[], Awaitable[T]]) -> T:
        if self._fault is not None:
            raise self._fault
        if self._unanswered:
            raise ArenaError(
                "the last question was cancelled before its answer; start a new process for this player"
            )
        self._unanswered = True
        try:
            answer = await ask()
        except PlayerFault as fault:
            self._fault = fault
            raise
        self._unanswered = False
        return answer

    async def _ask(self, frame: bytes, limit_bytes: int, seconds: float, decode: Callable[[bytes], T]) -> T:
        with trio.move_on_after(seconds) as scope:
            try:
                await self._channel.send_frame(frame)
                answer = await self._channel.receive_frame(limit_bytes)
            except EOFError as error:
                raise PlayerFault("early_exit", str(error)) from error
            except ValueError as error:
                raise PlayerFault("bad_frame", str(error)) from error
            return decode(answer)
        assert scope.cancelled_caught
        raise PlayerFault("too_late", f"no answer within {seconds:g} s")
