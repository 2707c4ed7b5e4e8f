"""One member's conversation with its model, kept within bounds, and the loop in which the model uses tools.

What a model writes is untrusted: tool arguments are decoded against their type, a wrong call is answered with what
was wrong, and after `REPAIRS` wrong answers in a row the caller falls back on what its role defines.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from engine.errors import BudgetExceeded
from engine.member import EffectFailed, Member
from engine.models.interface import (
    AssistantMessage,
    Completion,
    Conversation,
    Message,
    Settings,
    SystemMessage,
    Tool,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from roles.model.prompts import prompt

REPAIRS = 2
"""Wrong answers in a row that a model may mend."""
MEMORY_CHARACTERS = 60_000
"""Of a conversation; when it grows past them, the oldest exchanges are cut at the next request."""
ANSWER_TOKENS = 8_000

Arguments = TypeVar("Arguments", bound=msgspec.Struct)


class Reaction(NamedTuple):
    """What a tool answers."""

    text: str
    is_last: bool = False
    """Whether the request is fulfilled by this call."""
    is_wrong: bool = False
    """Whether the call could not be done as asked."""


class AnyUse(Protocol):
    """A tool, whatever its arguments are."""

    @property
    def tool(self) -> Tool:
        """What the model is told of it."""
        ...

    async def call(self, raw: str) -> Reaction:
        """Do what a model asked for in its own words."""
        ...


class Use(Generic[Arguments]):
    """A tool and what calling it does."""

    def __init__(
        self,
        name: str,
        description: str,
        arguments: type[Arguments],
        act: Callable[[Arguments], Awaitable[Reaction]],
    ) -> None:
        self.tool = Tool.from_struct(arguments, name=name, description=description)
        self._arguments, self._act = arguments, act

    async def call(self, raw: str) -> Reaction:
        """Do what a model asked for, if its arguments can be understood."""
        try:
            arguments = msgspec.json.decode(raw or "{}", type=self._arguments)
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            return Reaction(f"The arguments of {self.tool.name} are not valid: {error}.", is_wrong=True)
        return await self._act(arguments)


class Talk:
    """A conversation that goes on from request to request.

    Args:
        member: whose model is talked to.
        prompts: names of the prompts that make the standing instructions.
    """

    def __init__(self, member: Member, prompts: Sequence[str]) -> None:
        self.member = member
        self._system = SystemMessage(text="\n\n".join(prompt(name) for name in prompts))
        self._exchanges: list[list[Message]] = []
        """Each begins with a request; a tool call and its answer are never parted."""
        self._introduced = False

    async def work(self, request: str, uses: Sequence[AnyUse], *, turns: int) -> str:
        """Let the model work on a request with tools until one of them fulfils it.

        Args:
            request: what is asked, in words.
            uses: the tools.
            turns: most answers of the model.

        Returns:
            Nothing where it was fulfilled; else why it was not, in a few words.
        """
        self._begin(request)
        tools = [use.tool for use in uses]
        wrong = 0
        for _ in range(turns):
            completion = await self._generate(tools)
            if isinstance(completion, str):
                self._forget_last()
                return completion
            if completion.stop_reason in ("refusal", "content_filter"):
                self._forget_last()
                return "the model declined"
            is_last, is_wrong = await self._react(completion, uses)
            if is_last:
                return ""
            wrong = wrong + 1 if is_wrong else 0
            if wrong > REPAIRS:
                return "no valid tool call"
        return f"not done in {turns} turns"

    async def _react(self, completion: Completion, uses: Sequence[AnyUse]) -> tuple[bool, bool]:
        message = completion.message
        self._add(message)
        was_cut = completion.stop_reason == "length"
        if not message.tool_calls:
            names = ", ".join(use.tool.name for use in uses)
            cut = "Your answer was cut at its length limit; be shorter. " if was_cut else ""
            self._add(UserMessage(text=f"{cut}Answer by calling a tool: {names}."))
            return False, True
        is_last = is_wrong = False
        for call in message.tool_calls:
            if is_last:
                reaction = Reaction("Not done: the request was fulfilled already.")
            elif was_cut:
                reaction = Reaction(
                    "Not done: your answer was cut at its length limit; be shorter.", is_wrong=True
                )
            else:
                reaction = await self._call(call, uses)
            self._add(ToolMessage(call_id=call.id, text=reaction.text))
            is_last, is_wrong = is_last or reaction.is_last, is_wrong or reaction.is_wrong
        return is_last, is_wrong

    async def _call(self, call: ToolCall, uses: Sequence[AnyUse]) -> Reaction:
        for use in uses:
            if use.tool.name == call.name:
                return await use.call(call.arguments)
        names = ", ".join(use.tool.name for use in uses)
        return Reaction(f"There is no tool {call.name[:60]!r} here; the tools are {names}.", is_wrong=True)

    async def _generate(self, tools: Sequence[Tool]) -> Completion | str:
        """The model's answer, or why there is none. A conversation that is too long is cut and tried once more."""
        settings = Settings(max_tokens=ANSWER_TOKENS)
        for attempt in (1, 2):
            try:
                return await self.member.generate(self._conversation(), tools=tools, settings=settings)
            except BudgetExceeded as error:
                return f"the budget is spent ({error})"
            except EffectFailed as error:
                if error.kind == "ContextOverflow" and attempt == 1 and len(self._exchanges) > 1:
                    del self._exchanges[:-1]
                    continue
                return f"the model call failed ({error.kind}: {error})"
        return "the conversation is too long"

    def _conversation(self) -> Conversation:
        return (self._system, *(message for exchange in self._exchanges for message in exchange))

    def _begin(self, request: str) -> None:
        if not self._introduced:
            request = f"{introduction(self.member)}\n\n{request}"
            self._introduced = True
        size = sum(_size(message) for message in self._conversation())
        # The first exchange tells what the task is; it stays.
        while size + len(request) > MEMORY_CHARACTERS and len(self._exchanges) > 1:
            size -= sum(_size(message) for message in self._exchanges.pop(1))
        if size + len(request) > MEMORY_CHARACTERS and self._exchanges:
            self._exchanges.clear()
            request = f"{introduction(self.member)}\n\n{request}"
        self._exchanges.append([UserMessage(text=request)])

    def _add(self, message: Message) -> None:
        self._exchanges[-1].append(message)

    def _forget_last(self) -> None:
        """Let go of a request that the model could not answer, so that it does not stand in the way of the next."""
        self._exchanges.pop()
        self._introduced = bool(self._exchanges)


def introduction(member: Member) -> str:
    """What every member is told first: the task, its metric, its noise, its files."""
    card = member.task.card
    better = "higher" if card.direction == "max" else "lower"
    noise = (
        f" One score has a standard error of about {card.feedback_standard_error:.2g}."
        if card.feedback_standard_error
        else ""
    )
    return (
        f"# Task: {card.title}\n\n{member.task.brief.strip()}\n\n"
        f"Metric: {card.metric} ({better} is better). The starter artefact scores {card.baseline:.4g}.{noise}"
    )


def shorten(text: str, characters: int) -> str:
    """A text's beginning and end, within so many characters."""
    if len(text) <= characters:
        return text
    half = max(1, (characters - 20) // 2)
    return f"{text[:half]}\n… (cut) …\n{text[-half:]}"


def _size(message: Message) -> int:
    calls = (
        sum(len(call.arguments) for call in message.tool_calls)
        if isinstance(message, AssistantMessage)
        else 0
    )
    return len(message.text) + calls
