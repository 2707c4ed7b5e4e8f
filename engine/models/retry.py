"""When to ask again, and how long to wait before.

Waits follow "full jitter" (Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015): uniform
in [0, min(cap, base · 2ⁿ)], which spreads clients that failed together. What an endpoint asks for is a floor
under it.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import msgspec
import numpy as np
import trio

from engine.models.errors import ModelCallError, RateLimited, Transient
from engine.models.interface import CallMeasured

T = TypeVar("T")


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on asking again; both hold.

    Attributes:
        max_attempts: requests sent in all; 1 never asks again.
        max_elapsed_seconds: no attempt starts later than this after the first one.
        base_seconds: upper bound of the first wait; doubles with each failure.
        cap_seconds: upper bound of every wait that the endpoint did not ask for.
    """

    max_attempts: int = 6
    max_elapsed_seconds: float = 300.0
    base_seconds: float = 0.5
    cap_seconds: float = 30.0


class Tally:
    """Counts attempts and seconds of one call, whatever way it ends."""

    def __init__(self, *, waited_seconds: float = 0.0) -> None:
        self.attempts = 0
        self.latency_seconds = 0.0
        self.backoff_seconds = 0.0
        self._waited_seconds = waited_seconds

    def measured(self) -> CallMeasured:
        """What was counted so far."""
        return CallMeasured(
            latency_seconds=self.latency_seconds,
            attempts=self.attempts,
            waited_seconds=self._waited_seconds,
            backoff_seconds=self.backoff_seconds,
        )


async def call_with_retries(
    attempt: Callable[[], Awaitable[T]], *, policy: RetryPolicy, generator: np.random.Generator, tally: Tally
) -> T:
    """The first answer of `attempt`, asking again after `RateLimited` and `Transient`.

    Raises:
        ModelCallError: the attempt's own error, with ``measured`` filled in: at once where asking again is no
            use, else when a bound of `policy` strikes (or the endpoint asks for a wait that would pass it).
    """
    first_at = trio.current_time()
    while True:
        tally.attempts += 1
        started_at = trio.current_time()
        try:
            answer = await attempt()
        except ModelCallError as error:
            tally.latency_seconds = trio.current_time() - started_at
            wait = _seconds_to_wait(error, policy, generator, tally, elapsed=trio.current_time() - first_at)
            if wait is None:
                error.measured = tally.measured()
                raise
        else:
            tally.latency_seconds = trio.current_time() - started_at
            return answer
        waiting_from = trio.current_time()
        await trio.sleep(wait)
        tally.backoff_seconds += trio.current_time() - waiting_from


def _seconds_to_wait(
    error: ModelCallError,
    policy: RetryPolicy,
    generator: np.random.Generator,
    tally: Tally,
    *,
    elapsed: float,
) -> float | None:
    """Seconds before the next attempt; None where there shall be none."""
    if not isinstance(error, RateLimited | Transient) or tally.attempts >= policy.max_attempts:
        return None
    longest = min(policy.cap_seconds, policy.base_seconds * 2.0 ** min(tally.attempts - 1, 60))
    jitter = float(generator.uniform(0.0, longest))
    asked = error.retry_after_seconds
    # On top of what was asked: clients that were told the same second must not come back together.
    wait = jitter if asked is None else asked + min(jitter, policy.base_seconds)
    return wait if elapsed + wait <= policy.max_elapsed_seconds else None


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer's headers ask to wait; None where they do not, or not intelligibly.

    Reads ``retry-after-ms``, then ``retry-after`` as seconds or as an HTTP date (RFC 9110, 10.2.3). A date is
    compared with the answer's own ``date`` where it has one, so that a skewed clock here does no harm.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    asked = headers.get("retry-after")
    seconds = _number(asked)
    if seconds is not None or asked is None:
        return seconds
    until, now = _http_date(asked), _http_date(headers.get("date")) or datetime.now(UTC)
    return None if until is None else max(0.0, (until - now).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else -1.0
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _http_date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text) if text is not None else None
    except (ValueError, OverflowError):
        return None
    if date is None:
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
