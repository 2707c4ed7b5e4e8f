"""Waiting between attempts, in virtual time."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import numpy as np
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from engine.models import (
    FixedLimiter,
    Latency,
    Model,
    RateLimited,
    RetryPolicy,
    Scripted,
    Transient,
    UserMessage,
    log_normal_delay,
    open_model,
)
from engine.models.retry import Tally, call_with_retries, retry_after_seconds

ASKED = (UserMessage(text="hello"),)
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


def answering(*responses: httpx.Response) -> httpx.MockTransport:
    """A network that gives these responses in order, the last one for ever."""
    left = list(responses)
    return httpx.MockTransport(lambda _: left.pop(0) if len(left) > 1 else left[0])


def answer() -> httpx.Response:
    return httpx.Response(200, json={"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]})


async def seconds_until_answered(
    transport: httpx.MockTransport, *, policy: RetryPolicy, seed: int = 0
) -> float:
    started = trio.current_time()
    async with open_model(
        "local/m", generator=np.random.default_rng(seed), retries=policy, environ={}, transport=transport
    ) as model:
        await model.generate(ASKED)
    return trio.current_time() - started


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        (
            {
                "retry-after": format_datetime(NOON + timedelta(seconds=9), usegmt=True),
                "date": format_datetime(NOON),
            },
            9.0,
        ),
    ],
)
async def test_what_the_endpoint_asks_is_waited(
    headers: dict[str, str], seconds: float, autojump_clock: MockClock
) -> None:
    policy = RetryPolicy(base_seconds=0.25)

    took = await seconds_until_answered(
        answering(httpx.Response(429, headers=headers), answer()), policy=policy
    )

    assert seconds <= took <= seconds + 0.25


async def test_a_wait_beyond_the_bound_is_not_begun(autojump_clock: MockClock) -> None:
    transport = answering(httpx.Response(429, headers={"retry-after": "3600"}))
    started = trio.current_time()

    with pytest.raises(RateLimited) as caught:
        await seconds_until_answered(transport, policy=RetryPolicy(max_elapsed_seconds=60.0))

    assert trio.current_time() == started
    assert caught.value.retry_after_seconds == 3600.0


async def test_asking_again_ends_at_the_elapsed_time(autojump_clock: MockClock) -> None:
    policy = RetryPolicy(max_attempts=10_000, max_elapsed_seconds=100.0, cap_seconds=10.0)
    started = trio.current_time()

    with pytest.raises(Transient) as caught:
        await seconds_until_answered(answering(httpx.Response(503)), policy=policy)

    assert 80.0 <= trio.current_time() - started <= 100.0
    assert caught.value.measured.backoff_seconds == trio.current_time() - started


async def test_waits_repeat_with_the_generator(autojump_clock: MockClock) -> None:
    async def took(seed: int) -> float:
        transport = answering(*[httpx.Response(500)] * 4, answer())
        return await seconds_until_answered(transport, policy=RetryPolicy(), seed=seed)

    first, again, other = await took(1), await took(1), await took(2)

    assert first == pytest.approx(again)
    assert first != pytest.approx(other)


async def test_cancelling_a_wait_gives_the_place_back(autojump_clock: MockClock) -> None:
    limiter = FixedLimiter(1)
    transport = answering(httpx.Response(429, headers={"retry-after": "50"}))

    async with open_model(
        "local/m", generator=np.random.default_rng(0), environ={}, transport=transport, limiter=limiter
    ) as model:
        with trio.move_on_after(10) as scope:
            await model.generate(ASKED)

    assert scope.cancelled_caught
    assert limiter.in_flight == 0


async def test_places_are_given_in_the_order_of_asking(autojump_clock: MockClock) -> None:
    limiter, order = FixedLimiter(2), list[tuple[int, float]]()

    async def call(number: int) -> None:
        await trio.sleep(number * 0.001)
        async with limiter.slot() as waited:
            order.append((number, round(waited)))
            await trio.sleep(10)

    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(call, number)

    assert order == [(0, 0), (1, 0), (2, 10), (3, 10), (4, 20), (5, 20)]


async def test_a_delay_passes_on_the_clock_and_is_measured(autojump_clock: MockClock) -> None:
    model: Model = Latency(
        Scripted(lambda _: "ok"), delay=log_normal_delay(30.0, sigma=0.5), generator=np.random.default_rng(5)
    )
    started = trio.current_time()

    _, first = await model.generate(ASKED)
    _, second = await model.generate(ASKED)

    assert first.latency_seconds != second.latency_seconds
    assert first.latency_seconds + second.latency_seconds == pytest.approx(trio.current_time() - started)


async def test_errors_of_a_slow_model_are_slow_too(autojump_clock: MockClock) -> None:
    error = Transient("no", model="scripted/model")
    model = Latency(Scripted(lambda _: error), delay=lambda _: 3.0, generator=np.random.default_rng(0))

    for _ in range(2):
        with pytest.raises(Transient) as caught:
            await model.generate(ASKED)

        assert caught.value.measured.latency_seconds == 3.0


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf", "", "Mon, 99 Foo 2025", "9" * 400])
def test_an_unintelligible_wait_is_none(text: str) -> None:
    assert retry_after_seconds({"retry-after": text}) is None


def test_a_date_in_the_past_is_no_wait() -> None:
    past = format_datetime(NOON - timedelta(days=1), usegmt=True)

    assert retry_after_seconds({"retry-after": past, "date": format_datetime(NOON)}) == 0.0


@given(st.text())
def test_no_header_raises(text: str) -> None:
    seconds = retry_after_seconds({"retry-after": text, "retry-after-ms": text, "date": text})

    assert seconds is None or seconds >= 0


@given(failures=st.integers(0, 12), seed=st.integers(0, 99))
def test_every_wait_is_within_its_bound(failures: int, seed: int) -> None:
    waits: list[float] = []
    tally = Tally()

    async def attempt() -> str:
        if tally.attempts <= failures:
            waits.append(trio.current_time())
            raise Transient("no", model="m")
        waits.append(trio.current_time())
        return "ok"

    async def run() -> str:
        policy = RetryPolicy(max_attempts=100, max_elapsed_seconds=1e9, base_seconds=1.0, cap_seconds=16.0)
        return await call_with_retries(
            attempt, policy=policy, generator=np.random.default_rng(seed), tally=tally
        )

    assert trio.run(run, clock=MockClock(autojump_threshold=0)) == "ok"
    gaps = np.diff(waits)
    assert all(gap <= min(16.0, 2.0**number) + 1e-6 for number, gap in enumerate(gaps))
