"""Models: one way to ask for the next message of a conversation.

Here belong the seam (`interface`), its errors, the clients that speak a dialect, and what each of them needs:
keys, prices, retries, limits. Prompts, tools and what to do with an answer belong to the roles. Start reading
at `engine.models.interface`; a new dialect is a file in `engine.models.dialects` that passes the conformance suite.
"""

import importlib
from typing import TYPE_CHECKING

from engine.models.errors import (
    BadResponse,
    ContextOverflow,
    FailureRecord,
    KeyMissing,
    ModelCallError,
    RateLimited,
    Rejected,
    Transient,
    error_from_record,
    failure_record,
)
from engine.models.interface import (
    DEFAULT_SETTINGS,
    Answer,
    AssistantMessage,
    CallMeasured,
    Completion,
    Conversation,
    Image,
    Message,
    Model,
    NamedTool,
    Reasoning,
    ReasoningEffort,
    Settings,
    StopReason,
    SystemMessage,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMessage,
    Usage,
    UserMessage,
)
from engine.models.latency import Latency, log_normal_delay
from engine.models.rate import CallLimiter, FixedLimiter
from engine.models.retry import RetryPolicy
from engine.models.scripted import Request, Scripted

if TYPE_CHECKING:
    from engine.models.endpoint import Endpoint
    from engine.models.http_model import Timeouts
    from engine.models.opening import open_model

__all__ = [
    "DEFAULT_SETTINGS",
    "Answer",
    "AssistantMessage",
    "BadResponse",
    "CallLimiter",
    "CallMeasured",
    "Completion",
    "ContextOverflow",
    "Conversation",
    "Endpoint",
    "FailureRecord",
    "FixedLimiter",
    "Image",
    "KeyMissing",
    "Latency",
    "Message",
    "Model",
    "ModelCallError",
    "NamedTool",
    "RateLimited",
    "Reasoning",
    "ReasoningEffort",
    "Rejected",
    "Request",
    "RetryPolicy",
    "Scripted",
    "Settings",
    "StopReason",
    "SystemMessage",
    "Timeouts",
    "TokenLogprob",
    "Tool",
    "ToolCall",
    "ToolChoice",
    "ToolMessage",
    "Transient",
    "Usage",
    "UserMessage",
    "error_from_record",
    "failure_record",
    "log_normal_delay",
    "open_model",
]

# These stand on httpx, whose import takes as long as that of all the rest; most runs ask no endpoint.
_LATE = {
    "Endpoint": "engine.models.endpoint",
    "Timeouts": "engine.models.http_model",
    "open_model": "engine.models.opening",
}


def __getattr__(name: str) -> object:
    """The names that are imported at their first use."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_LATE[name]), name)
    globals()[name] = value
    return value
