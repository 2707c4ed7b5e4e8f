"""Server-sent events, cut anywhere."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.models.http_events import EventSplitter, EventTooLong

STREAM = (
    b": a comment\r\n\r\n"
    b"event: greeting\r\ndata: hello\r\ndata:  world\r\nid: 7\r\nretry: 10\r\n\r\n"
    b"event: nothing\n\n"
    b'data:{"x":1}\r\r'
    b"data\n\n"
    b"data: never ended"
)
EVENTS = [("greeting", b"hello\n world"), ("", b'{"x":1}'), ("", b"")]


def split(pieces: list[bytes], *, limit: int = 1000) -> list[tuple[str, bytes]]:
    splitter = EventSplitter(max_event_bytes=limit)
    return [event for piece in pieces for event in splitter.feed(piece)]


def test_events_are_read_as_the_standard_says() -> None:
    assert split([STREAM]) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=30).map(sorted))
def test_where_a_stream_is_cut_does_not_matter(cuts: list[int]) -> None:
    places = [0, *cuts, len(STREAM)]

    assert split([STREAM[start:end] for start, end in pairwise(places)]) == EVENTS


def test_every_byte_may_come_alone() -> None:
    assert split([bytes([byte]) for byte in STREAM]) == EVENTS


@pytest.mark.parametrize(
    "pieces", [[b"data: " + b"x" * 200], [b"x" * 60, b"x" * 60], [b"data: 12345678\n"] * 20], ids=str
)
def test_an_event_beyond_the_bound_is_refused_before_it_is_whole(pieces: list[bytes]) -> None:
    with pytest.raises(EventTooLong):
        split(pieces, limit=100)


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_no_bytes_break_it(pieces: list[bytes]) -> None:
    assert all(isinstance(data, bytes) for _, data in split(pieces, limit=10_000))
