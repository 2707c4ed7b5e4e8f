"""Every way in which an endpoint of ours misbehaves has a defined outcome, in every dialect."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import trio
from dialect_spelling import Spelling, spell_event
from dialect_suite import ASKED, each_dialect, either_way, failure_of, open_asked, open_asking
from fault_server import Wire, open_fault_server

from engine.models import (
    BadResponse,
    ContextOverflow,
    ModelCallError,
    RateLimited,
    Rejected,
    RetryPolicy,
    Timeouts,
    Transient,
)

QUICK = RetryPolicy(max_attempts=4, base_seconds=0.001)
BOUND = 20_000
"""Most bytes of an answer in these tests."""

Fault = tuple[Callable[[Spelling], Wire], type[ModelCallError]]


def html(_: Spelling) -> Wire:
    return Wire(pieces=(b"<html>oops</html>",), content_type="text/html")


def raw(content: bytes) -> Callable[[Spelling], Wire]:
    return lambda _: Wire(raw=content)


def body(content: bytes, packing: str | None = None) -> Callable[[Spelling], Wire]:
    headers = () if packing is None else (("content-encoding", packing),)
    return lambda _: Wire(pieces=(content,), headers=headers)


STATUSES: dict[str, Fault] = {
    "400": (lambda s: s.failure(400), Rejected),
    "401": (lambda s: s.failure(401, "who are you?", "auth"), Rejected),
    "403": (lambda s: s.failure(403), Rejected),
    "404": (lambda s: s.failure(404), Rejected),
    "302": (lambda s: s.failure(302).with_headers(location="http://elsewhere/"), Rejected),
    "408": (lambda s: s.failure(408), Transient),
    "429": (lambda s: s.failure(429, "slow down", "rate_limit"), RateLimited),
    "500": (lambda s: s.failure(500, "oops", "overloaded"), Transient),
    "500, a page": (lambda s: replace(html(s), status=500), Transient),
    "500, empty": (lambda _: Wire(status=500), Transient),
    "503": (lambda s: s.failure(503, "busy", "overloaded"), Transient),
    "529": (lambda s: s.failure(529, "busy", "overloaded"), Transient),
    "too long": (lambda s: s.failure(*s.overflow), ContextOverflow),
    "413": (lambda s: s.failure(413), ContextOverflow),
}
BODIES: dict[str, Fault] = {
    "cut off": (lambda s: s.answer("never whole").cut(0.5), Transient),
    "reset": (lambda s: s.answer("never whole").cut(0.5, "reset"), Transient),
    "chunks cut off": (lambda s: replace(s.answer("x"), framing="chunked").cut(0.5), Transient),
    "closed without a word": (raw(b""), Transient),
    "half a head": (raw(b"HTTP/1.1 200 OK\r\ncontent-ty"), Transient),
    "not HTTP": (raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), Transient),
    "a broken chunk": (
        raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
        Transient,
    ),
    "broken JSON": (body(b'{"id": "x", "cho'), BadResponse),
    "empty": (body(b""), BadResponse),
    "null": (body(b"null"), BadResponse),
    "a list": (body(b"[1, 2]"), BadResponse),
    "a number": (body(b"3"), BadResponse),
    "deep": (body(b"[" * 5_000), BadResponse),
    "not UTF-8": (body(b"\xff\xfe\x00"), BadResponse),
    "a web page": (html, BadResponse),
    "nothing in it": (lambda s: Wire(pieces=(spelt(s.nothing),)), BadResponse),
    "wrong fields": (body(b'{"choices": 3, "output": 3, "content": 3, "candidates": 3}'), BadResponse),
    "too large, and says so": (lambda s: s.answer("x" * 2 * BOUND), BadResponse),
    "too large": (lambda s: replace(s.answer("x" * 2 * BOUND), framing="chunked"), BadResponse),
    "a bomb": (body(gzip.compress(b" " * 9_000_000), packing="gzip"), BadResponse),
    "an unknown packing": (body(b"{}", packing="br"), BadResponse),
}
STREAMS: dict[str, Fault] = {
    "cut off": (lambda s: s.stream("never whole").cut(0.6), Transient),
    "reset": (lambda s: s.stream("never whole").cut(0.6, "reset"), Transient),
    "ends early": (lambda s: s.stream("never whole").cut(0.6, "proper"), Transient),
    "ends at once": (lambda s: s.stream("x").cut(0.0, "proper"), Transient),
    "only comments": (lambda s: with_pieces(s, b": hello\n\n"), Transient),
    "broken JSON": (lambda s: with_pieces(s, b'data: {"a": \n\n'), BadResponse),
    "not UTF-8": (lambda s: with_pieces(s, b'data: "\xff\xfe"\n\n'), BadResponse),
    "not an object": (lambda s: with_pieces(s, b"data: [1]\n\n"), BadResponse),
    "wrong fields": (
        lambda s: with_pieces(s, b'data: {"choices": 3, "type": 3, "candidates": 3}\n\n'),
        BadResponse,
    ),
    "a line without an end": (lambda s: endless(s, b"x" * 1000), BadResponse),
    "an event without an end": (lambda s: endless(s, b"data: " + b"x" * 100 + b"\n"), BadResponse),
    "comments without an end": (lambda s: endless(s, b": " + b"x" * 1000 + b"\n\n"), BadResponse),
    "packed, a bomb": (
        lambda s: with_pieces(s, gzip.compress(b": \n" * 3_000_000)).with_headers(content_encoding="gzip"),
        BadResponse,
    ),
}


def spelt(content: object) -> bytes:
    return spell_event(("", content)).removeprefix(b"data: ").strip()


def with_pieces(spelling: Spelling, *pieces: bytes | float) -> Wire:
    return replace(spelling.stream("x"), pieces=pieces)


def endless(spelling: Spelling, piece: bytes) -> Wire:
    return replace(with_pieces(spelling, piece), ending="endless")


@pytest.mark.parametrize("fault", [*STATUSES, *BODIES])
@either_way
@each_dialect
async def test_an_answer_that_is_none_is_named_for_what_can_be_done(
    spelling: Spelling, streams: bool, fault: str
) -> None:
    make, kind = {**STATUSES, **BODIES}[fault]

    with trio.fail_after(10):
        error = await failure_of(spelling, make(spelling), streams=streams, max_body_bytes=BOUND)

    assert type(error) is kind
    assert error.model == "asked/model"
    assert len(str(error)) < 700


@pytest.mark.parametrize("fault", STREAMS)
@each_dialect
async def test_a_stream_that_is_none_is_named_for_what_can_be_done(spelling: Spelling, fault: str) -> None:
    make, kind = STREAMS[fault]

    with trio.fail_after(10):
        error = await failure_of(spelling, make(spelling), streams=True, max_body_bytes=BOUND)

    assert type(error) is kind


@pytest.mark.parametrize(
    ("status", "kind", "means"),
    [(429, "rate_limit", RateLimited), (529, "overloaded", Transient), (400, "bad_request", Rejected)],
)
@each_dialect
async def test_an_error_in_mid_stream_is_what_it_would_have_been_before(
    spelling: Spelling, status: int, kind: str, means: type[ModelCallError]
) -> None:
    if spelling.error_event is None:
        pytest.skip("this dialect has no error events")
    begun = spelling.stream("half").pieces[:2]
    wire = with_pieces(spelling, *begun, spell_event(spelling.error_event(status, "as told \x1b[31m", kind)))

    error = await failure_of(spelling, wire, streams=True)

    assert type(error) is means
    assert "as told" in str(error)
    assert "\x1b" not in str(error)


@each_dialect
async def test_an_error_under_a_success_is_an_error(spelling: Spelling) -> None:
    wire = replace(spelling.failure(429, "busy inside", "rate_limit"), status=200)

    error = await failure_of(spelling, wire)

    assert isinstance(error, ModelCallError)
    assert not isinstance(error, BadResponse)
    assert "busy inside" in str(error)


@pytest.mark.parametrize(
    ("wire", "timeouts", "says"),
    [
        (lambda s: replace(s.answer("x"), delay_seconds=60.0), Timeouts(first_byte=0.05), "did not begin"),
        (lambda s: replace(s.answer("x"), delay_seconds=60.0), Timeouts(read=0.05), "connection failed"),
        (lambda s: replace(s.answer("x"), delay_seconds=60.0), Timeouts(attempt=0.05), "no whole answer"),
        (lambda s: s.answer("x").cut(0.5, "hang"), Timeouts(read=0.05), "stood still"),
        (lambda s: s.stream("x").cut(0.5, "hang"), Timeouts(read=0.05), "stood still"),
        (lambda s: s.stream("x").cut(0.5, "hang"), Timeouts(read=0.05, first_byte=9.0), "stood still"),
        (lambda s: endless(s, b": ping\n\n"), Timeouts(read=5.0, attempt=0.2), "no whole answer"),
    ],
    ids=["no head", "no head, read", "no head, attempt", "body", "stream", "stream, patient", "pings"],
)
@each_dialect
async def test_every_phase_has_an_end(
    spelling: Spelling, wire: Callable[[Spelling], Wire], timeouts: Timeouts, says: str
) -> None:
    with trio.fail_after(10):
        error = await failure_of(spelling, wire(spelling), timeouts=timeouts)

    assert type(error) is Transient
    assert says in str(error)


@pytest.mark.parametrize("form", ["seconds", "milliseconds", "date"])
@each_dialect
async def test_how_long_to_wait_is_read_in_every_form(spelling: Spelling, form: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    headers = {
        "seconds": {"retry_after": "7"},
        "milliseconds": {"retry_after_ms": "7000"},
        "date": {"retry_after": format_datetime(now + timedelta(seconds=7)), "date": format_datetime(now)},
    }[form]

    error = await failure_of(spelling, spelling.failure(429, "no", "rate_limit").with_headers(**headers))

    assert error.retry_after_seconds == 7.0


@pytest.mark.parametrize("fault", ["cut off", "reset", "ends early"])
@each_dialect
async def test_a_stream_cut_off_is_asked_again_and_counted(spelling: Spelling, fault: str) -> None:
    script = [STREAMS[fault][0](spelling), spelling.stream("at last")]

    async with open_asked(spelling, script, streams=True, retries=QUICK) as (model, server):
        answer, measured = await model.generate(ASKED)

    assert (answer.message.text, measured.attempts, len(server.requests)) == ("at last", 2, 2)


@each_dialect
async def test_what_may_be_paid_for_is_not_asked_again(spelling: Spelling) -> None:
    script = [with_pieces(spelling, b"data: {oops\n\n"), spelling.stream("never")]

    async with open_asked(spelling, script, streams=True, retries=QUICK) as (model, server):
        with pytest.raises(BadResponse) as caught:
            await model.generate(ASKED)

    assert (caught.value.measured.attempts, len(server.requests)) == (1, 1)


@either_way
@each_dialect
async def test_cancelled_at_any_point_a_call_leaves_nothing_behind(spelling: Spelling, streams: bool) -> None:
    wire = (spelling.stream if streams else spelling.answer)("x")
    slow = replace(wire, pieces=tuple(part for piece in wire.pieces for part in (piece, 0.002)))

    async with open_fault_server([slow]) as server:
        async with open_asking(spelling, server, streams=streams) as model:
            for number in range(12):
                with trio.move_on_after(number * 0.002):
                    await model.generate(ASKED)
            answer, _ = await model.generate(ASKED)
        with trio.fail_after(5):
            await server.wait_until_left()

    assert answer.message.text == "x"
