"""Failures of model calls, named for what a caller can do.

::

    engine.errors.ModelError
    ├── ModelCallError       a call failed; knows the model, the HTTP status and what was measured
    │   ├── RateLimited      wait longer, or ask less at once        (was retried)
    │   ├── Transient        try again later                         (was retried)
    │   ├── Rejected         change the request, the key or the name (never retried)
    │   ├── ContextOverflow  shorten the conversation                (never retried)
    │   └── BadResponse      ask again, or another endpoint         (never retried: it may be paid for)
    └── KeyMissing           set the environment variable it names   (also a UserError)

No message carries a key: what an endpoint says is cut, cleaned and redacted before it becomes part of one.
"""

import msgspec

from engine.errors import ModelError, UserError
from engine.models.interface import CallMeasured


class ModelCallError(ModelError):
    """Base of the failures of one call.

    Args:
        message: one sentence, without secrets.
        model: ``provider/name``.
        status: the HTTP status that said so, where there was one.
        retry_after_seconds: how long the endpoint asked to wait, where it did.
        cost_usd: charged in spite of the failure, where the endpoint said so.
        measured: attempts made and time spent.
    """

    def __init__(
        self,
        message: str,
        *,
        model: str,
        status: int | None = None,
        retry_after_seconds: float | None = None,
        cost_usd: float | None = None,
        measured: CallMeasured | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.model, self.status = message, model, status
        self.retry_after_seconds, self.cost_usd = retry_after_seconds, cost_usd
        self.measured = measured if measured is not None else CallMeasured()

    def __str__(self) -> str:
        # These are measured: shown, and kept out of `message`, which records compare.
        said = self.message
        if self.retry_after_seconds:
            said += f" (it asks to wait {self.retry_after_seconds:g} s)"
        return said if self.measured.attempts == 1 else f"{said} (after {self.measured.attempts} attempts)"


class RateLimited(ModelCallError):
    """Raised when an endpoint asked to slow down until retries were exhausted."""


class Transient(ModelCallError):
    """Raised when the network or the endpoint failed until retries were exhausted."""


class Rejected(ModelCallError):
    """Raised when the same request would be refused again: bad request, key, model name, empty account."""


class ContextOverflow(ModelCallError):
    """Raised when a conversation is longer than the model can read."""


class BadResponse(ModelCallError):
    """Raised when an endpoint's answer is not a completion: not JSON, no choices, too large."""


class KeyMissing(ModelError, UserError):
    """Raised when an endpoint needs a key and its environment variable is not set (or unusable).

    Args:
        variable: the environment variable's name.
        endpoint: whose key it is.
        fault: what is wrong with the variable.
    """

    def __init__(self, variable: str, *, endpoint: str, fault: str = "is not set") -> None:
        self.variable, self.endpoint = variable, endpoint
        super().__init__(
            f"the key for {endpoint} is missing: {variable} {fault}; run `export {variable}=…` first"
        )


class FailureRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A failed call as a record keeps it, so that a rerun fails in the same way.

    Attributes:
        kind: the error's class name.
        cost_usd: charged in spite of the failure.
    """

    kind: str
    message: str
    model: str
    status: int | None = None
    retry_after_seconds: float | None = None
    cost_usd: float | None = None


_KINDS: dict[str, type[ModelCallError]] = {
    kind.__name__: kind for kind in (RateLimited, Transient, Rejected, ContextOverflow, BadResponse)
}


def failure_record(error: ModelCallError) -> FailureRecord:
    """What a record keeps of a failed call; `error.measured` goes beside it."""
    return FailureRecord(
        kind=type(error).__name__,
        message=error.message,
        model=error.model,
        status=error.status,
        retry_after_seconds=error.retry_after_seconds,
        cost_usd=error.cost_usd,
    )


def error_from_record(record: FailureRecord, *, measured: CallMeasured | None = None) -> ModelCallError:
    """The error that a record keeps, to be raised again; an unknown kind becomes a plain `ModelCallError`."""
    kind = _KINDS.get(record.kind, ModelCallError)
    return kind(
        record.message,
        model=record.model,
        status=record.status,
        retry_after_seconds=record.retry_after_seconds,
        cost_usd=record.cost_usd,
        measured=measured,
    )
