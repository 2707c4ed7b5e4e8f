"""OpenAI's Chat Completions, and the many servers that speak it; what sets those apart is data (`Endpoint`)."""

from collections.abc import Mapping, Sequence

from engine.models.dialect import DialectName, Reply
from engine.models.dialects.openai_chat_answer import ChatReader, read_reply
from engine.models.dialects.openai_chat_request import request_body
from engine.models.endpoint import Endpoint
from engine.models.errors import ModelCallError
from engine.models.http_failure import failure_of
from engine.models.interface import Conversation, Settings, Tool


class OpenAIChat:
    """See the module."""

    @property
    def name(self) -> DialectName:
        """As `Endpoint.dialect` names it."""
        return "openai-chat"

    @property
    def key_header(self) -> tuple[str, str]:
        """The key is a bearer token."""
        return "authorization", "Bearer "

    def headers(self, endpoint: Endpoint) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """None."""
        return {}

    def path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002 - the same for all
        """One place for all models, streamed or not."""
        return "chat/completions"

    def body(
        self,
        conversation: Conversation,
        *,
        model: str,
        endpoint: Endpoint,
        tools: Sequence[Tool],
        settings: Settings,
        stream: bool,
    ) -> bytes:
        """See `engine.models.dialects.openai_chat_request.request_body`."""
        return request_body(
            conversation, model=model, endpoint=endpoint, tools=tools, settings=settings, stream=stream
        )

    def read(self, body: bytes, *, model: str) -> Reply:
        """See `engine.models.dialects.openai_chat_answer.read_reply`."""
        return read_reply(body, model=model)

    def reader(self, *, model: str) -> ChatReader:
        """A reader of one streamed answer."""
        return ChatReader(model)

    def failure(
        self, status: int, body: bytes, *, model: str, retry_after_seconds: float | None
    ) -> ModelCallError:
        """See `engine.models.http_failure.failure_of`."""
        return failure_of(status, body, model=model, retry_after_seconds=retry_after_seconds)


DIALECT = OpenAIChat()
