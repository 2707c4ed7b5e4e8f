"""Every model passes one battery."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
from conformance.model_suite import ModelSuite
from model_server import (
    Reply,
    completion,
    empty_choices,
    failure,
    open_model_server,
    rate_limited,
    server_error,
)

from engine.models import (
    AssistantMessage,
    BadResponse,
    Completion,
    ContextOverflow,
    Latency,
    Model,
    ModelCallError,
    RateLimited,
    Rejected,
    RetryPolicy,
    Scripted,
    Transient,
    open_model,
)
from engine.models.scripted import Line


def as_reply(line: Line) -> Reply:
    match line:
        case str():
            return completion(line)
        case AssistantMessage():
            return completion(line.text, tool_calls=[(call.name, call.arguments) for call in line.tool_calls])
        case RateLimited():
            return rate_limited()
        case Transient():
            return server_error()
        case ContextOverflow():
            return failure(400, "too long", code="context_length_exceeded")
        case BadResponse():
            return empty_choices()
        case Rejected():
            return failure(400)
        case Completion() | ModelCallError():
            raise NotImplementedError(line)


class TestOpenAIChatOverRealHTTP(ModelSuite):
    @asynccontextmanager
    async def open(self, lines: Sequence[Line]) -> AsyncIterator[Model]:
        async with (
            open_model_server([as_reply(line) for line in lines]) as server,
            open_model(
                "local/model",
                base_url=server.base_url,
                generator=np.random.default_rng(0),
                retries=RetryPolicy(max_attempts=1),
                environ={},
            ) as model,
        ):
            yield model


class TestScripted(ModelSuite):
    @asynccontextmanager
    async def open(self, lines: Sequence[Line]) -> AsyncIterator[Model]:
        yield Scripted(lines)


class TestLatency(ModelSuite):
    @asynccontextmanager
    async def open(self, lines: Sequence[Line]) -> AsyncIterator[Model]:
        yield Latency(Scripted(lines), delay=lambda _: 0.001, generator=np.random.default_rng(0))
