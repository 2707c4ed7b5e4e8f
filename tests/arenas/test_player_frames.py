"""Frames between judge and player: what is sent comes back, and garbage is a fault and nothing else."""

import json

import numpy as np
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from arenas.errors import ArenaError, PlayerFault
from arenas.games import COLONEL_BLOTTO, PRISONERS_DILEMMA, BlottoGame, Game, MatrixGame
from arenas.players.channel import StreamChannel
from arenas.players.frames import (
    answer_limit,
    decode_moves,
    decode_ready,
    encode_branch,
    encode_round,
    encode_start,
)
from arenas.players.remote import RemotePlayer

GAMES: tuple[Game, ...] = (PRISONERS_DILEMMA, COLONEL_BLOTTO, BlottoGame(exact_length=False))
allocation = st.lists(st.integers(0, 20), min_size=6, max_size=6)


class Recorded:
    """A channel that answers from a list, then is closed."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)

    async def send_frame(self, payload: bytes) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_frame(self, limit_bytes: int) -> bytes:
        await trio.lowlevel.checkpoint()
        if not self.answers:
            raise EOFError("closed")
        if len(self.answers[0]) > limit_bytes:
            raise ValueError("too long")
        return self.answers.pop(0)


@given(st.lists(st.integers(0, 1), min_size=1))
def test_moves_come_back_as_sent(moves: list[int]) -> None:
    decoded = decode_moves(b"M" + bytes(moves), PRISONERS_DILEMMA, len(moves))

    assert decoded.tolist() == moves
    assert decoded.dtype == np.int8


@given(st.lists(allocation, min_size=1))
def test_allocations_come_back_as_sent(moves: list[list[int]]) -> None:
    frame = b"M" + bytes([6]) * len(moves) + b"".join(map(bytes, moves))

    assert decode_moves(frame, COLONEL_BLOTTO, len(moves)).tolist() == moves


@given(st.lists(st.lists(st.integers(0, 9), max_size=12), min_size=1))
def test_allocations_of_any_length_are_cut_or_left_uncontested(moves: list[list[int]]) -> None:
    frame = b"M" + bytes(map(len, moves)) + b"".join(map(bytes, moves))

    decoded = decode_moves(frame, BlottoGame(exact_length=False), len(moves))

    assert decoded.tolist() == [(move + [-1] * 6)[:6] for move in moves]


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"M" + tail), st.integers(1, 12))
def test_garbage_is_moves_or_a_fault(payload: bytes, games: int) -> None:
    for game in GAMES:
        try:
            moves = decode_moves(payload, game, games)
        except PlayerFault as fault:
            assert fault.kind in {"bad_frame", "bad_move", "exception"}  # noqa: PT017 - moves are as good
        else:
            game.check_row(moves, games=games)


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: b"E" + tail))
def test_no_garbage_is_readiness(payload: bytes) -> None:
    if payload == b"K":
        return
    with pytest.raises(PlayerFault):
        decode_ready(payload)


@given(st.lists(st.binary(max_size=80), max_size=4))
async def test_a_player_that_answers_garbage_is_a_fault_from_begin_to_end(answers: list[bytes]) -> None:
    player = RemotePlayer(Recorded(b"K", *answers), seed=1)
    await player.begin(PRISONERS_DILEMMA, games=100, rounds=10)

    with pytest.raises(PlayerFault):  # no garbage of 80 bytes is 100 moves
        await player.moves(0, None)
    with pytest.raises(PlayerFault):
        await player.moves(1, np.zeros(100, np.int8))


@pytest.mark.parametrize(
    "payload",
    [
        b"E",
        b"E{}",
        b'E{"kind": "early_exit", "text": "x"}',
        b'E{"kind": "exception", "text": 5}',
        b'E{"kind": "exception", "text": "x", "score": 5}',
        b"E" + b"[" * 5_000,
        b'E{"kind": "exception", "text": "\xff"}',
        b'E{"kind": "exception", "text": "' + b"x" * 9_000 + b'"}',
    ],
)
def test_a_report_that_is_none_is_a_bad_frame(payload: bytes) -> None:
    with pytest.raises(PlayerFault) as caught:
        decode_moves(payload, PRISONERS_DILEMMA, 3)

    assert caught.value.kind == "bad_frame"


def test_a_report_is_cut_and_stripped_of_escapes() -> None:
    report = json.dumps({"kind": "exception", "text": "\x1b[2J\n" + "y" * 3_000}).encode()

    with pytest.raises(PlayerFault) as caught:
        decode_ready(b"E" + report)

    assert caught.value.kind == "exception"
    assert "\x1b" not in str(caught.value)
    assert len(caught.value.detail) == 2_000


def test_a_legal_looking_frame_over_budget_is_a_bad_move() -> None:
    frame = b"M" + bytes([6, 6]) + bytes([20] * 6) + bytes([255] * 6)

    with pytest.raises(PlayerFault, match="game 1: 1530 soldiers") as caught:
        decode_moves(frame, COLONEL_BLOTTO, 2)

    assert caught.value.kind == "bad_move"


def test_questions_have_their_documented_form() -> None:
    last = np.array([0, 1, 1], np.int8)

    assert encode_round(None) == b"R"
    assert encode_round(last) == b"R\0\1\1"
    assert (
        encode_branch(np.array([0, 0, 258]), last)
        == b"B" + b"\0\0\0\0" + b"\0\0\0\0" + b"\2\1\0\0" + b"\0\1\1"
    )
    assert json.loads(encode_start(PRISONERS_DILEMMA, games=3, seed=5)[1:]) == {
        "games": 3,
        "seed": 5,
        "kind": "move",
        "actions": 2,
    }


def test_an_honest_answer_is_within_its_limit() -> None:
    frame = b"M" + bytes([6]) * 5_000 + bytes([20] * 30_000)

    assert len(frame) == answer_limit(COLONEL_BLOTTO, 5_000)


def test_a_batch_beyond_what_is_carried_is_refused() -> None:
    wide = MatrixGame(name="wide", payoffs=(((0.0, 0.0),),) * 200)

    with pytest.raises(ArenaError, match="ask for 1 to"):
        encode_start(PRISONERS_DILEMMA, games=0, seed=1)
    with pytest.raises(ArenaError, match="at most 128"):
        encode_start(wide, games=1, seed=1)


async def test_an_answer_that_does_not_come_is_too_late(autojump_clock: trio.testing.MockClock) -> None:
    class Silent(Recorded):
        async def receive_frame(self, limit_bytes: int) -> bytes:
            if self.answers:
                return await super().receive_frame(limit_bytes)
            await trio.sleep_forever()
            raise AssertionError

    player = RemotePlayer(Silent(b"K"), seed=1, round_seconds=60)
    await player.begin(PRISONERS_DILEMMA, games=1, rounds=1)

    with pytest.raises(PlayerFault, match="60 s") as caught:
        await player.moves(0, None)

    assert caught.value.kind == "too_late"


async def test_a_cancelled_question_is_cancelled_and_no_fault() -> None:
    class Silent(Recorded):
        async def receive_frame(self, limit_bytes: int) -> bytes:
            await trio.sleep_forever()
            raise AssertionError

    player = RemotePlayer(Silent(), seed=1)
    with trio.move_on_after(0) as scope:
        await player.begin(PRISONERS_DILEMMA, games=1, rounds=1)

    assert scope.cancelled_caught
    with pytest.raises(ArenaError, match="new process"):
        await player.begin(PRISONERS_DILEMMA, games=1, rounds=1)


@given(st.binary(min_size=1, max_size=40), st.integers(1, 9))
async def test_frames_are_put_together_from_pieces(payload: bytes, piece: int) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    sender, receiver = StreamChannel(theirs, theirs), StreamChannel(ours, ours)
    wire = len(payload).to_bytes(4, "big") + payload
    for start in range(0, len(wire), piece):
        await theirs.send_all(wire[start : start + piece])
    await sender.send_frame(b"second")

    assert await receiver.receive_frame(100) == payload
    assert await receiver.receive_frame(100) == b"second"


async def test_a_frame_over_the_limit_is_refused_before_it_is_read() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.send_all((2**32 - 1).to_bytes(4, "big"))

    with pytest.raises(ValueError, match="at most 10"):
        await StreamChannel(ours, ours).receive_frame(10)


async def test_the_end_of_the_stream_is_an_end_in_both_directions() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    channel = StreamChannel(ours, ours)
    await theirs.send_all(b"\0\0\0\5abc")
    await theirs.aclose()

    with pytest.raises(EOFError):
        await channel.receive_frame(10)
    with pytest.raises(EOFError):
        await channel.send_frame(b"x")
