"""What the suites over dialects share: a model of each dialect that asks the fault server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from dialect_spelling import SPELLINGS, Spelling
from fault_server import FaultServer, Script, Wire, open_fault_server

from engine.models import Endpoint, Model, ModelCallError, RetryPolicy, UserMessage, open_model

ASKED = (UserMessage(text="hello"),)
ONCE = RetryPolicy(max_attempts=1)

each_dialect = pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.dialect)
either_way = pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])


@asynccontextmanager
async def open_asked(
    spelling: Spelling, script: Script, *, streams: bool = False, **options: Any
) -> AsyncIterator[tuple[Model, FaultServer]]:
    """A server that answers by a script, and a model of that dialect which asks it."""
    async with (
        open_fault_server(script) as server,
        open_asking(spelling, server, streams=streams, **options) as model,
    ):
        yield model, server


@asynccontextmanager
async def open_asking(
    spelling: Spelling, server: FaultServer, *, streams: bool = False, **options: Any
) -> AsyncIterator[Model]:
    """A model that asks a running server."""
    endpoint = Endpoint(
        name="asked",
        base_url=server.origin + spelling.path,
        dialect=spelling.dialect,
        streams=streams,
        input_usd_per_million=1.0,
        output_usd_per_million=2.0,
        cached_input_usd_per_million=0.5,
        **options.pop("quirks", {}),
    )
    options = {"retries": ONCE, "environ": {}, "generator": np.random.default_rng(0), **options}
    async with open_model("asked/model", endpoints=[endpoint], **options) as model:
        yield model


async def failure_of(
    spelling: Spelling, wire: Wire, *, streams: bool = False, **options: Any
) -> ModelCallError:
    """The error that one answer leads to."""
    async with open_asked(spelling, [wire], streams=streams, **options) as (model, _):
        with pytest.raises(ModelCallError) as caught:
            await model.generate(ASKED)
    return caught.value
