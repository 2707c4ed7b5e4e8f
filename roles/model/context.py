"""What of a conversation is sent: the brief and the request at hand always, older turns while there is room.

A turn is a request, or an answer together with what its tools said: turns are kept or dropped whole, so that a tool
call is never parted from its answer, nor a provider's reasoning from its message. Between two cuts a conversation only
grows, so that endpoints can serve its beginning from their caches. Deterministic: sizes are estimates from the texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.models.interface import (
    AssistantMessage,
    Conversation,
    Message,
    SystemMessage,
    ToolMessage,
    UserMessage,
)

CONTEXT_TOKENS = 24_000
"""Of what is sent, where a member's specification does not say."""
BYTES_PER_TOKEN = 4
IMAGE_TOKENS = 1_000
MESSAGE_TOKENS = 4


@dataclass
class Turn:
    """A request, or an answer with what came of it."""

    messages: list[Message]
    is_request: bool


class History:
    """The turns of one member's conversation."""

    def __init__(self, *, budget_tokens: int = CONTEXT_TOKENS) -> None:
        self.budget_tokens = budget_tokens
        self.introduction = ""
        """What the first message begins with: the brief. It stays."""
        self.summary = ""
        """Of the turns that were dropped."""
        self._turns: list[Turn] = []

    def begin(self, request: str) -> None:
        """Add a request."""
        self._turns.append(Turn([UserMessage(text=request)], is_request=True))

    def add(self, message: Message) -> None:
        """Add an answer of the model, or what was said to it."""
        if isinstance(message, AssistantMessage):
            self._turns.append(Turn([message], is_request=False))
        else:
            self._turns[-1].messages.append(message)

    def forget_request(self) -> None:
        """Let go of the last request and all that came of it."""
        del self._turns[self._last_request() :]

    def conversation(self, system: str) -> Conversation:
        """What is sent. Brief, summary and first request are one message: some models want speakers to alternate."""
        head = self.introduction
        if self.summary:
            head += f"\n\n# What came before, in short\n\n{self.summary}"
        messages = [message for turn in self._turns for message in turn.messages]
        if messages and isinstance(messages[0], UserMessage):
            messages[0] = UserMessage(text=f"{head}\n\n{messages[0].text}".strip(), images=messages[0].images)
        return (SystemMessage(text=system), *messages)

    def tokens(self) -> int:
        """An estimate of what the turns and the head take."""
        turns = sum(tokens_of(message) for turn in self._turns for message in turn.messages)
        return turns + _tokens(self.introduction) + _tokens(self.summary)

    def drop(self, target_tokens: int) -> list[Turn]:
        """Take out the oldest turns until the rest fits; the request at hand and the last turn stay whatever their size."""
        dropped: list[Turn] = []
        while self.tokens() > target_tokens and self._last_request() > 0:
            end = next(n for n in range(1, len(self._turns)) if self._turns[n].is_request)
            dropped += self._turns[:end]
            del self._turns[:end]
        while self.tokens() > target_tokens and len(self._turns) > 2:
            dropped.append(self._turns.pop(1))
        return dropped

    def __len__(self) -> int:
        return len(self._turns)

    def _last_request(self) -> int:
        return max((n for n, turn in enumerate(self._turns) if turn.is_request), default=0)


def tokens_of(message: Message) -> int:
    """An estimate of a message's tokens: four bytes each."""
    size = MESSAGE_TOKENS + _tokens(message.text)
    match message:
        case AssistantMessage(tool_calls=calls, reasoning=reasoning):
            size += sum(_tokens(call.name) + _tokens(call.arguments) for call in calls)
            size += sum(_tokens(each.text) + _tokens(each.opaque or "") for each in reasoning)
        case UserMessage(images=images):
            size += IMAGE_TOKENS * len(images)
        case _:
            pass
    return size


def transcript(turns: Sequence[Turn], *, characters: int) -> str:
    """Turns as text, for a summary: each message cut to a share, the oldest let go where it is still too long."""
    parts = [line for turn in turns for message in turn.messages for line in _lines(message)]
    text = "\n".join(parts)
    return text if len(text) <= characters else "…" + text[-characters:]


def outline(turns: Sequence[Turn], *, characters: int) -> str:
    """A summary by rule: a line for each request, and for each call with the first line of what it brought."""
    lines: list[str] = []
    for turn in turns:
        first = turn.messages[0]
        if turn.is_request:
            lines.append(f"- {_first_line(first.text, 160)}")
        elif isinstance(first, AssistantMessage):
            said = {
                message.call_id: message.text for message in turn.messages if isinstance(message, ToolMessage)
            }
            lines += [
                f"  - {call.name} {_one_line(call.arguments, 160)} → {_first_line(said.get(call.id, ''), 160)}"
                for call in first.tool_calls
            ]
            if not first.tool_calls:
                lines.append(f"  - said: {_one_line(first.text, 160)}")
    text = "\n".join(lines)
    return text if len(text) <= characters else "…" + text[-characters:]


def _lines(message: Message) -> list[str]:
    match message:
        case AssistantMessage(text=text, tool_calls=calls):
            said = [f"you: {text[:1_500]}"] if text else []
            return said + [f"you called {call.name}: {call.arguments[:1_000]}" for call in calls]
        case ToolMessage(text=text):
            return [f"it answered: {text[:1_000]}"]
        case _:
            return [f"asked: {message.text[:2_000]}"]


def _first_line(text: str, characters: int) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:characters]


def _one_line(text: str, characters: int) -> str:
    return " ".join(text.split())[:characters]


def _tokens(text: str) -> int:
    return -(-len(text.encode(errors="replace")) // BYTES_PER_TOKEN)
