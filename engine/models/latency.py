"""A model that takes its time: for laboratories in virtual time, and for tests of what waiting does."""

import math
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import trio

from engine.models.errors import ModelCallError
from engine.models.interface import (
    DEFAULT_SETTINGS,
    Answer,
    CallMeasured,
    Conversation,
    Model,
    Settings,
    Tool,
)

Delay = Callable[[np.random.Generator], float]
"""Draws the seconds that one call takes."""


def log_normal_delay(median_seconds: float, *, sigma: float) -> Delay:
    """Seconds with the given median and standard deviation of their logarithm."""
    return lambda generator: float(generator.lognormal(math.log(median_seconds), sigma))


class Latency:
    """Another model's answers (and errors), each after a drawn delay.

    Args:
        model: who answers.
        delay: draws seconds; below zero counts as zero.
        generator: where `delay` draws from, once a call in the order of calling. Give each member a `Latency`
            and a generator of its own where draws must not depend on who calls first.
    """

    def __init__(self, model: Model, *, delay: Delay, generator: np.random.Generator) -> None:
        self._model, self._delay, self._generator = model, delay, generator

    @property
    def name(self) -> str:
        """The inner model's name."""
        return self._model.name

    async def generate(
        self, conversation: Conversation, *, tools: Sequence[Tool] = (), settings: Settings = DEFAULT_SETTINGS
    ) -> Answer:
        """The inner model's answer, later; the delay is part of the measured latency."""
        seconds = max(0.0, self._delay(self._generator))
        await trio.sleep(seconds)
        try:
            completion, measured = await self._model.generate(conversation, tools=tools, settings=settings)
        except ModelCallError as error:
            error.measured = _later(error.measured, seconds)
            raise
        return Answer(completion, _later(measured, seconds))


def _later(measured: CallMeasured, seconds: float) -> CallMeasured:
    return msgspec.structs.replace(measured, latency_seconds=measured.latency_seconds + seconds)
