"""Two hundred calls at once against a server that fails half of them, in every dialect."""

import random
from collections import Counter
from dataclasses import replace

import pytest
import trio
from dialect_spelling import Spelling, spell_event
from dialect_suite import each_dialect, either_way, open_asked
from fault_server import Asked, Wire

from engine.models import FixedLimiter, ModelCallError, RetryPolicy, Timeouts, UserMessage
from engine.models.interface import Model

CALLS = 200
RETRIES = RetryPolicy(max_attempts=5, max_elapsed_seconds=60.0, base_seconds=0.01, cap_seconds=0.05)
TIMEOUTS = Timeouts(connect=20.0, read=1.0, attempt=20.0)


def misbehave(spelling: Spelling, asked: Asked, *, streams: bool) -> Wire:
    """A good answer that names its call, or one of the faults."""
    draw = random.Random(f"{asked.call} {asked.ordinal}")
    good = (spelling.stream if streams else spelling.answer)(f"answer to {asked.call}")
    faults = [
        spelling.failure(429, "slow down", "rate_limit").with_headers(retry_after_ms="5"),
        spelling.failure(429, "slow down", "rate_limit").with_headers(retry_after="0"),
        spelling.failure(503, "busy", "overloaded"),
        good.cut(0.5),
        good.cut(0.5, "reset"),
        Wire(raw=b""),
        Wire(raw=b"nonsense\r\n\r\n"),
        spelling.failure(400, "this call is refused"),
        Wire(pieces=(b"<html>",), content_type="text/html"),
        Wire(pieces=(b'{"broken',)),
    ]
    if streams:
        faults.append(good.cut(0.5, "proper"))
        if spelling.error_event is not None:
            event = spell_event(spelling.error_event(529, "busy", "overloaded"))
            faults.append(replace(good, pieces=(*good.pieces[:1], event)))
    if draw.random() < 0.02:
        return good.cut(0.3, "hang")
    return draw.choice(faults) if draw.random() < 0.4 else replace(good, delay_seconds=draw.random() * 0.05)


@pytest.mark.slow
@either_way
@each_dialect
async def test_no_call_is_lost_or_sent_twice_unrecorded_and_each_gets_its_own_answer(
    spelling: Spelling, streams: bool
) -> None:
    said: dict[str, str] = {}
    attempts: dict[str, int] = {}

    async def ask(model: Model, number: int) -> None:
        name = f"call-{number}"
        try:
            completion, measured = await model.generate((UserMessage(text=f"this is {name}, answer it"),))
        except ModelCallError as error:
            said[name], attempts[name] = type(error).__name__, error.measured.attempts
        else:
            said[name], attempts[name] = completion.message.text, measured.attempts

    limiter, at_once = FixedLimiter(CALLS), list[int]()

    def script(asked: Asked) -> Wire:
        at_once.append(limiter.in_flight)
        return misbehave(spelling, asked, streams=streams)

    async with open_asked(
        spelling,
        script,
        streams=streams,
        retries=RETRIES,
        timeouts=TIMEOUTS,
        limiter=limiter,
    ) as (model, server):
        with trio.fail_after(120):
            async with trio.open_nursery() as nursery:
                for number in range(CALLS):
                    nursery.start_soon(ask, model, number)
    sent = Counter(asked.call for asked in server.requests)

    assert len(said) == CALLS
    answers = {name: text for name, text in said.items() if text.startswith("answer")}
    assert all(text == f"answer to {name}" for name, text in answers.items())
    assert len(answers) > CALLS / 2
    # A request that met a connection which the server had just closed counts as an attempt and never arrived.
    assert all(1 <= sent[name] <= attempts[name] for name in said)
    assert sum(sent.values()) > 0.9 * sum(attempts.values())
    assert max(at_once) > CALLS / 2
