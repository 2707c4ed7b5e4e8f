"""From a model's name, as a user writes it, to an open model."""

import os
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np

from engine.errors import BadSpecification
from engine.models.endpoint import Endpoint, connect, find_endpoint
from engine.models.http_model import (
    DEFAULT_BODY_BYTES,
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUTS,
    Timeouts,
    open_http_model,
)
from engine.models.interface import Model
from engine.models.prices import PRICES_VARIABLE, load_prices
from engine.models.rate import CallLimiter
from engine.models.retry import RetryPolicy


@asynccontextmanager
async def open_model(
    name: str,
    *,
    generator: np.random.Generator,
    base_url: str | None = None,
    endpoints: Iterable[Endpoint] | None = None,
    prices: Path | None = None,
    retries: RetryPolicy = DEFAULT_RETRIES,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    limiter: CallLimiter | None = None,
    max_body_bytes: int = DEFAULT_BODY_BYTES,
    environ: Mapping[str, str] | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncGenerator[Model, None]:
    """The model called `name`, open while the block lasts.

    The environment is read here and nowhere later: the key, base URLs, ``MLYCEUM_PRICES``, ``MLYCEUM_ENDPOINTS``.

    Args:
        name: ``provider/name``; the name itself may hold slashes.
        generator: draws the jitter of retries, and nothing else.
        base_url: instead of the endpoint's own (and of what the environment says).
        endpoints: the providers known; by default those that ship, and those of the user's file.
        prices: a price file; its entries go before the shipped ones.
        retries: bounds on asking again.
        timeouts: bounds on one attempt.
        limiter: shared by the models of one endpoint; by default one of the endpoint's `max_concurrency`.
        max_body_bytes: a larger answer, or event of a stream, is a `BadResponse`.
        environ: instead of the process's environment.
        transport: instead of the network, for tests.

    Raises:
        UnknownName: no such provider.
        BadSpecification: the name has no slash, or the base URL, price file or file of endpoints is unusable.
        KeyMissing: the endpoint needs a key and its variable is not set.
    """
    environ = os.environ if environ is None else environ
    provider, slash, model = name.partition("/")
    endpoint = find_endpoint(provider, endpoints, environ=environ)
    if not slash or not model:
        raise BadSpecification("model", f"{name!r} names no model; write it as {provider}/name")
    prices = prices or (Path(environ[PRICES_VARIABLE]) if environ.get(PRICES_VARIABLE) else None)
    async with open_http_model(
        model,
        connection=connect(endpoint, base_url=base_url, environ=environ),
        generator=generator,
        prices=load_prices(prices),
        retries=retries,
        timeouts=timeouts,
        limiter=limiter,
        max_body_bytes=max_body_bytes,
        transport=transport,
    ) as opened:
        yield opened
