"""What the agent's model is sent: everything it said, and of what it saw the first and the last few in full."""

from engine.models.interface import AssistantMessage, Conversation, Message, SystemMessage, UserMessage


class History:
    """The agent's one conversation.

    Args:
        system: standing instructions.
        observations: how many of the last observations stay whole.
    """

    def __init__(self, system: str, *, observations: int) -> None:
        self._system, self._most = SystemMessage(text=system), observations
        self._seen: list[str] = []
        self._said: list[AssistantMessage] = []

    def see(self, text: str) -> None:
        """The next thing that the model is told; the first tells it the task."""
        self._seen.append(text)

    def say(self, answer: AssistantMessage) -> None:
        """What it answered."""
        self._said.append(answer)

    def conversation(self) -> Conversation:
        """The messages to be sent now."""
        messages: list[Message] = [self._system]
        for place, text in enumerate(self._seen):
            is_whole = place == 0 or place >= len(self._seen) - self._most
            messages.append(UserMessage(text=text if is_whole else _left_out(text)))
            if place < len(self._said):
                messages.append(self._said[place])
        return tuple(messages)


def _left_out(text: str) -> str:
    lines = text.count("\n") + 1
    return f"({lines} {'line' if lines == 1 else 'lines'} of older output left out)"
