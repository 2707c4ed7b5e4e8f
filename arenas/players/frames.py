"""What the judge and a player's process say to each other, as bytes.

======  =========  ===========================================================================================
tag     direction  then
======  =========  ===========================================================================================
``S``   to player  JSON: games, seed, kind (``move`` with actions, ``allocation`` with fields, budget, exact)
``R``   to player  last moves of the column player (none in the first round)
``B``   to player  parents (32-bit little-endian, one a game), then last moves as in ``R``
``K``   to judge   nothing: loaded and ready
``M``   to judge   moves: a byte a game; allocations: a length byte a game, then all entries
``E``   to judge   JSON: kind (``bad_move`` or ``exception``), text
======  =========  ===========================================================================================

A move is a byte, an entry of an allocation is a byte: booleans, floats and array scalars have no form here,
so the driver has to refuse them, and a player that goes around the driver gains nothing by sending the number
it stands for. Everything from the player is untrusted; the decoders raise `PlayerFault` and nothing else.
"""

from typing import Annotated, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from arenas.arrays import IndexArray, MoveArray
from arenas.errors import ArenaError, PlayerFault
from arenas.games import NOT_CONTESTED, BlottoGame, Game

MOST_GAMES = 1 << 22
MOST_ENTRIES = 32
"""Longest allocation that is carried, where the game does not fix the length."""

ERROR_FRAME_BYTES = 8_192
"""Longest frame that is accepted as a report of an error."""

_JSON = msgspec.json.Encoder()


class ErrorReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the driver says when the player's code is at fault."""

    kind: Literal["bad_move", "exception"]
    text: Annotated[str, msgspec.Meta(max_length=4_096)]


_ERROR = msgspec.json.Decoder(ErrorReport)


def encode_start(game: Game, *, games: int, seed: int) -> bytes:
    """The frame that opens a batch.

    Raises:
        ArenaError: with a number of games outside 1 to `MOST_GAMES`, or more than 256 moves.
    """
    if not 1 <= games <= MOST_GAMES:
        raise ArenaError(f"{games} games in one batch; ask for 1 to {MOST_GAMES}")
    kind: dict[str, object]
    if isinstance(game, BlottoGame):
        kind = {
            "kind": "allocation",
            "fields": game.fields,
            "budget": game.budget,
            "exact": game.exact_length,
            "most_entries": MOST_ENTRIES,
        }
    elif game.actions[0] > 128:
        raise ArenaError(f"{game.name}: {game.actions[0]} row moves; at most 128 fit a byte of the batch")
    else:
        kind = {"kind": "move", "actions": game.actions[0]}
    return b"S" + _JSON.encode({"games": games, "seed": seed, **kind})


def encode_round(last: MoveArray | None) -> bytes:
    """The frame that asks for the next moves of every game."""
    return b"R" if last is None else b"R" + np.ascontiguousarray(last).tobytes()


def encode_branch(parents: IndexArray, last: MoveArray) -> bytes:
    """The frame that replaces the batch by continuations and asks for their moves."""
    return b"B" + parents.astype("<u4").tobytes() + np.ascontiguousarray(last).tobytes()


def answer_limit(game: Game, games: int) -> int:
    """Most bytes that an honest answer can have."""
    if isinstance(game, BlottoGame):
        entries = game.fields if game.exact_length else MOST_ENTRIES
        return max(1 + games * (1 + entries), ERROR_FRAME_BYTES)
    return max(1 + games, ERROR_FRAME_BYTES)


def decode_ready(payload: bytes) -> None:
    """Accept the answer to a start.

    Raises:
        PlayerFault: where it is anything but ``K``.
    """
    _raise_reported(payload)
    if payload != b"K":
        raise PlayerFault("bad_frame", f"no readiness but {payload[:20]!r} ({len(payload)} bytes)")


def decode_moves(payload: bytes, game: Game, games: int) -> MoveArray:
    """Moves ``(games,)`` or ``(games, fields)``, every one legal.

    Raises:
        PlayerFault: ``bad_move`` for a move the game does not allow, ``bad_frame`` for other bytes, and what
        the
            driver reported.
    """
    _raise_reported(payload)
    if payload[:1] != b"M":
        raise PlayerFault("bad_frame", f"no moves but {payload[:20]!r} ({len(payload)} bytes)")
    body = np.frombuffer(payload, np.uint8, offset=1)
    if isinstance(game, BlottoGame):
        return _allocations(body, game, games)
    if len(body) != games:
        raise PlayerFault("bad_frame", f"{len(body)} moves for {games} games")
    if (body >= game.actions[0]).any():
        where = int(np.argmax(body >= game.actions[0]))
        raise PlayerFault(
            "bad_move", f"game {where}: {body[where]} is not a move, 0 to {game.actions[0] - 1} are"
        )
    return body.astype(np.int8)


def _allocations(body: npt.NDArray[np.uint8], game: BlottoGame, games: int) -> MoveArray:
    lengths, entries = body[:games].astype(np.intp), body[games:]
    if len(lengths) != games or lengths.sum() != len(entries):
        raise PlayerFault("bad_frame", f"{len(body)} bytes do not hold {games} allocations")
    if game.exact_length and (lengths != game.fields).any():
        where = int(np.argmax(lengths != game.fields))
        raise PlayerFault("bad_move", f"game {where}: {lengths[where]} entries, {game.fields} expected")
    owner = np.repeat(np.arange(games), lengths)
    totals = np.bincount(owner, entries, minlength=games)
    if (totals > game.budget).any():
        where = int(np.argmax(totals > game.budget))
        raise PlayerFault(
            "bad_move", f"game {where}: {totals[where]:.0f} soldiers placed, {game.budget} are allowed"
        )
    if game.exact_length:
        return entries.reshape(games, game.fields).astype(np.int8)
    field = np.arange(len(entries)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    kept = field < game.fields
    moves = np.full((games, game.fields), NOT_CONTESTED, np.int8)
    moves[owner[kept], field[kept]] = entries[kept]
    return moves


def _raise_reported(payload: bytes) -> None:
    if payload[:1] != b"E":
        return
    if len(payload) > ERROR_FRAME_BYTES:
        raise PlayerFault("bad_frame", f"a report of {len(payload)} bytes")
    try:
        report = _ERROR.decode(payload[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PlayerFault("bad_frame", "a report that is no report") from error
    raise PlayerFault(report.kind, report.text)
