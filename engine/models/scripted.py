"""A model whose answers are written down beforehand: deterministic, no network, for tests and examples."""

from collections.abc import Callable, Sequence

import msgspec
import trio

from engine.models.errors import ModelCallError, Rejected, error_from_record, failure_record
from engine.models.estimate import estimate_usage
from engine.models.interface import (
    DEFAULT_SETTINGS,
    Answer,
    AssistantMessage,
    CallMeasured,
    Completion,
    Conversation,
    Settings,
    Tool,
)

Line = str | AssistantMessage | Completion | ModelCallError
"""One answer of a script: a text, a message, a whole completion, or an error to be raised."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One call as the model received it.

    Attributes:
        ordinal: how many calls came before this one.
    """

    ordinal: int
    conversation: Conversation
    tools: tuple[Tool, ...]
    settings: Settings


class Scripted:
    """Answers from a script.

    Args:
        script: the answers in order, or a function from a request to its answer. A list answers in the order
            of calling; where several tasks call, a function of the conversation repeats and a list may not.
        name: ``provider/name``.

    Attributes:
        requests: every call so far, in order.
    """

    def __init__(
        self, script: Sequence[Line] | Callable[[Request], Line], *, name: str = "scripted/model"
    ) -> None:
        self._script, self._name = script, name
        self.requests: list[Request] = []

    @property
    def name(self) -> str:
        """``provider/name``."""
        return self._name

    async def generate(
        self, conversation: Conversation, *, tools: Sequence[Tool] = (), settings: Settings = DEFAULT_SETTINGS
    ) -> Answer:
        """The script's answer to this call; passes one checkpoint.

        Raises:
            ModelCallError: the script says so.
            Rejected: a list of answers has come to its end.
        """
        await trio.lowlevel.checkpoint()
        request = Request(
            ordinal=len(self.requests), conversation=conversation, tools=tuple(tools), settings=settings
        )
        self.requests.append(request)
        line = self._line(request)
        if isinstance(line, ModelCallError):
            raise error_from_record(failure_record(line))  # a script may hold one error for many calls
        return Answer(self._completion(line, request), CallMeasured())

    def _line(self, request: Request) -> Line:
        if callable(self._script):
            return self._script(request)
        if request.ordinal < len(self._script):
            return self._script[request.ordinal]
        raise Rejected(
            f"{self._name}: the script holds {len(self._script)} answers and was asked for one more; "
            "add one, or give a function",
            model=self._name,
        )

    def _completion(self, line: str | AssistantMessage | Completion, request: Request) -> Completion:
        if isinstance(line, Completion):
            return line
        message = AssistantMessage(text=line) if isinstance(line, str) else line
        return Completion(
            message=message,
            stop_reason="tool_calls" if message.tool_calls else "stop",
            usage=estimate_usage(request.conversation, request.tools, message),
            cost_usd=0.0,
            model=self._name,
            request_id=f"scripted-{request.ordinal}",
        )
