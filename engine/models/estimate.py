"""Token counts where nobody counted: so that caps on tokens hold even there."""

from collections.abc import Sequence

from engine.models.interface import AssistantMessage, Conversation, Tool, Usage

_CHARACTERS_PER_TOKEN = 4  # customary for English text and common tokenizers; good to a factor of two


def estimate_usage(conversation: Conversation, tools: Sequence[Tool], answer: AssistantMessage) -> Usage:
    """Usage at four characters a token, marked as an estimate. A function of the texts alone."""
    asked = sum(len(message.text) for message in conversation)
    asked += sum(_calls_length(message) for message in conversation if isinstance(message, AssistantMessage))
    asked += sum(len(tool.name) + len(tool.description) + len(tool.parameters) for tool in tools)
    return Usage(
        input_tokens=_tokens(asked),
        output_tokens=_tokens(len(answer.text) + _calls_length(answer)),
        is_estimate=True,
    )


def _calls_length(message: AssistantMessage) -> int:
    return sum(len(call.name) + len(call.arguments) for call in message.tool_calls)


def _tokens(characters: int) -> int:
    return -(-characters // _CHARACTERS_PER_TOKEN)
