"""A model that takes its time, and fails now and then: for laboratories in virtual time, and for tests of waiting."""

import math
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
import numpy as np
import trio

from engine.errors import BadSpecification
from engine.models.errors import BadResponse, ModelCallError, RateLimited, Transient
from engine.models.interface import (
    DEFAULT_SETTINGS,
    Answer,
    CallMeasured,
    Conversation,
    Model,
    Settings,
    Tool,
    Usage,
)

Delay = Callable[[np.random.Generator], float]
"""Draws the seconds that one call takes."""
TokenDelay = Callable[[Usage], float]
"""Seconds that a call with so many tokens takes, besides."""
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


def log_normal_delay(median_seconds: float, *, sigma: float) -> Delay:
    """Seconds with the given median and standard deviation of their logarithm."""
    return lambda generator: float(generator.lognormal(math.log(median_seconds), sigma))


def token_delay(*, input_per_second: float, output_per_second: float) -> TokenDelay:
    """Seconds to read what was not cached, and then to write an answer, at constant speeds.

    Args:
        input_per_second: tokens read in a second.
        output_per_second: tokens written in a second, reasoning included.

    Raises:
        BadSpecification: a speed is not above 0.
    """
    if not (input_per_second > 0 and output_per_second > 0):
        raise BadSpecification("token_delay", "a model without speed never answers; give more than 0")

    def seconds(usage: Usage) -> float:
        fresh = max(0, usage.input_tokens - usage.cached_tokens)
        return fresh / input_per_second + usage.output_tokens / output_per_second

    return seconds


class FaultRates(msgspec.Struct, frozen=True, kw_only=True):
    """How often calls fail: shares of all calls, at most 1 together. A failed call costs its delay and no money.

    Attributes:
        rate_limited: end as `RateLimited`.
        transient: end as `Transient`.
        bad_response: end as `BadResponse`.
        retry_after_seconds: what a `RateLimited` asks for.
    """

    rate_limited: _Share = 0.0
    transient: _Share = 0.0
    bad_response: _Share = 0.0
    retry_after_seconds: float | None = None

    def __post_init__(self) -> None:
        shares = (self.rate_limited, self.transient, self.bad_response)
        if min(shares) < 0 or sum(shares) > 1:
            raise BadSpecification("FaultRates", "shares of all calls lie in [0, 1], and so does their sum")

    def fault(self, drawn: float, *, model: str) -> ModelCallError | None:
        """What a call ends as, for a draw that is uniform on [0, 1); None: it is answered."""
        if drawn < self.rate_limited:
            return RateLimited(
                "slow down (drawn)", model=model, status=429, retry_after_seconds=self.retry_after_seconds
            )
        if drawn < self.rate_limited + self.transient:
            return Transient("the endpoint failed (drawn)", model=model, status=503)
        if drawn < self.rate_limited + self.transient + self.bad_response:
            return BadResponse("no completion (drawn)", model=model, status=200)
        return None


class Latency:
    """Another model's answers (and errors), each after a drawn delay.

    Args:
        model: who answers.
        delay: draws seconds; below zero counts as zero.
        generator: where `delay` and `faults` draw from, once a call each in the order of calling. Give each member a
            `Latency` and a generator of its own where draws must not depend on who calls first.
        by_tokens: further seconds, once the answer is known.
        faults: how often a call fails, after its delay; None: never, and nothing is drawn for it.
    """

    def __init__(
        self,
        model: Model,
        *,
        delay: Delay,
        generator: np.random.Generator,
        by_tokens: TokenDelay | None = None,
        faults: FaultRates | None = None,
    ) -> None:
        self._model, self._delay, self._generator = model, delay, generator
        self._by_tokens, self._faults = by_tokens, faults

    @property
    def name(self) -> str:
        """The inner model's name."""
        return self._model.name

    async def generate(
        self, conversation: Conversation, *, tools: Sequence[Tool] = (), settings: Settings = DEFAULT_SETTINGS
    ) -> Answer:
        """The inner model's answer, later; the delay is part of the measured latency.

        Raises:
            ModelCallError: the inner model's, or one that was drawn.
        """
        seconds = max(0.0, self._delay(self._generator))
        fault = None
        if self._faults is not None:
            fault = self._faults.fault(float(self._generator.random()), model=self.name)
        await trio.sleep(seconds)
        try:
            if fault is not None:
                raise fault
            completion, measured = await self._model.generate(conversation, tools=tools, settings=settings)
        except ModelCallError as error:
            error.measured = _later(error.measured, seconds)
            raise
        if self._by_tokens is not None:
            writing = max(0.0, self._by_tokens(completion.usage))
            await trio.sleep(writing)
            seconds += writing
        return Answer(completion, _later(measured, seconds))


def _later(measured: CallMeasured, seconds: float) -> CallMeasured:
    return msgspec.structs.replace(measured, latency_seconds=measured.latency_seconds + seconds)
