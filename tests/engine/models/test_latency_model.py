"""A model in virtual time: delays that follow the tokens, and failures at a rate."""

import numpy as np
import pytest
import trio
from conformance.model_suite import ASKED

from engine.errors import BadSpecification
from engine.models import (
    AssistantMessage,
    BadResponse,
    Completion,
    Latency,
    ModelCallError,
    RateLimited,
    Scripted,
    Transient,
    Usage,
)
from engine.models.latency import Delay, FaultRates, token_delay

AT_ONCE: Delay = lambda _: 0.0  # noqa: E731 - a value of a test


def answer(*, read: int, cached: int = 0, written: int) -> Completion:
    return Completion(
        message=AssistantMessage(text="yes"),
        stop_reason="stop",
        usage=Usage(input_tokens=read, cached_tokens=cached, output_tokens=written),
        cost_usd=None,
        model="m",
    )


async def test_a_longer_answer_takes_longer_and_cached_tokens_take_nothing(
    autojump_clock: trio.abc.Clock,
) -> None:
    model = Latency(
        Scripted([answer(read=2000, cached=1000, written=50)]),
        delay=lambda _: 0.25,
        generator=np.random.default_rng(0),
        by_tokens=token_delay(input_per_second=1000, output_per_second=25),
    )

    _, measured = await model.generate(ASKED)

    assert measured.latency_seconds == pytest.approx(0.25 + 1.0 + 2.0)
    assert trio.current_time() == pytest.approx(3.25)


async def test_calls_fail_at_their_rates(autojump_clock: trio.abc.Clock) -> None:
    faults = FaultRates(rate_limited=0.2, transient=0.1, bad_response=0.05, retry_after_seconds=3.0)
    model = Latency(
        Scripted(lambda _: "yes"), delay=AT_ONCE, generator=np.random.default_rng(1), faults=faults
    )
    ended = dict.fromkeys((RateLimited, Transient, BadResponse, type(None)), 0)

    for _ in range(2000):
        try:
            await model.generate(ASKED)
            ended[type(None)] += 1
        except ModelCallError as error:
            ended[type(error)] += 1

    shares = [count / 2000 for count in ended.values()]
    assert shares == pytest.approx([0.2, 0.1, 0.05, 0.65], abs=0.04)  # 4 standard errors of 2000 draws


async def test_a_drawn_failure_takes_its_time_and_says_what_an_endpoint_would(
    autojump_clock: trio.abc.Clock,
) -> None:
    model = Latency(
        Scripted(["never"]),
        delay=lambda _: 2.0,
        generator=np.random.default_rng(0),
        faults=FaultRates(rate_limited=1.0, retry_after_seconds=5.0),
    )

    with pytest.raises(RateLimited) as caught:
        await model.generate(ASKED)

    assert (caught.value.status, caught.value.retry_after_seconds) == (429, 5.0)
    assert caught.value.measured.latency_seconds == 2.0
    assert trio.current_time() == pytest.approx(2.0)


async def test_equal_generators_give_equal_histories(autojump_clock: trio.abc.Clock) -> None:
    async def history() -> list[str]:
        model = Latency(
            Scripted(lambda _: "yes"),
            delay=lambda generator: float(generator.exponential()),
            generator=np.random.default_rng(7),
            faults=FaultRates(transient=0.5),
        )
        said: list[str] = []
        for _ in range(50):
            try:
                _, measured = await model.generate(ASKED)
                said.append(f"{measured.latency_seconds}")
            except Transient as error:
                said.append(f"failed {error.measured.latency_seconds}")
        return said

    assert await history() == await history()


def test_impossible_rates_and_speeds_are_refused() -> None:
    with pytest.raises(BadSpecification):
        FaultRates(rate_limited=0.7, transient=0.4)
    with pytest.raises(BadSpecification):
        FaultRates(transient=-0.1)
    with pytest.raises(BadSpecification):
        token_delay(input_per_second=0, output_per_second=10)
