"""One member's conversation with its model, kept within bounds, and the loop in which the model uses tools.

What a model writes is untrusted: tool arguments are decoded against their type, a wrong call is answered with what
was wrong, and after `REPAIRS` wrong answers in a row the caller falls back on what its role defines.
"""

from collections.abc import Sequence

from engine.errors import BudgetExceeded
from engine.member import EffectFailed, Member
from engine.models.interface import (
    AssistantMessage,
    Completion,
    Settings,
    SystemMessage,
    Tool,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from roles.model.context import CONTEXT_TOKENS, History, outline, transcript
from roles.model.json_answers import Unreadable, described, read_call, schema_of
from roles.model.memory import Memory
from roles.model.prompts import prompt, read_prompt
from roles.model.tools.tool import AnyUse, Reaction, Use, shorten

REPAIRS = 2
"""Wrong answers in a row that a model may mend."""
ANSWER_TOKENS = 8_000
SUMMARY_TOKENS = 1_500
SUMMARY_CHARACTERS = 6_000
OVERFLOWS = 3
"""Times in a row that a conversation which is too long for the model is cut to half."""
LAST_CALLS = 2
"""Answers before the last, from which on a model is told how many are left."""


class Talk:
    """A conversation that goes on from request to request.

    Args:
        member: whose model is talked to.
        prompts: names of the prompts that make the standing instructions.

    Attributes:
        memory: notes, and what has left the conversation's window.
    """

    def __init__(self, member: Member, prompts: Sequence[str]) -> None:
        self.member = member
        self.memory = Memory()
        self._own = dict(member.spec.prompts)
        self._system = "\n\n".join(prompt(name, self._own) for name in prompts)
        spec = next((each for each in member.spec.members if each.role == member.role), None)
        self._in_json = spec is not None and spec.answers == "json"
        self._history = History(budget_tokens=(spec.context_tokens if spec else None) or CONTEXT_TOKENS)
        self._history.introduction = introduction(member)
        self._read = 0

    def tools_of(self, role: str) -> tuple[str, ...]:
        """The tools that a role's prompt gives it."""
        return read_prompt(role, self._own).tools

    async def work(self, request: str, uses: Sequence[AnyUse], *, turns: int) -> str:
        """Let the model work on a request with tools until one of them fulfils it.

        Args:
            request: what is asked, in words.
            uses: the tools.
            turns: most answers of the model.

        Returns:
            Nothing where it was fulfilled; else why it was not, in a few words.
        """
        news = self.memory.news()
        self._history.begin(f"{request}\n\nNew in the team's notes:\n{news}" if news else request)
        wrong = 0
        for turn in range(turns):
            completion = await self._generate([use.tool for use in uses])
            if isinstance(completion, str):
                self._history.forget_request()
                return completion
            if completion.stop_reason in ("refusal", "content_filter"):
                self._history.forget_request()
                return "the model declined"
            left = turns - turn - 1
            is_last, is_wrong = await self._react(completion, uses, left=left)
            if is_last:
                return ""
            wrong = wrong + 1 if is_wrong else 0
            if wrong > REPAIRS:
                return "no valid tool call"
        return f"not done in {turns} turns"

    async def _react(self, completion: Completion, uses: Sequence[AnyUse], *, left: int) -> tuple[bool, bool]:
        message = completion.message
        self._history.add(message)
        was_cut = completion.stop_reason == "length"
        calls, problem = self._calls(message)
        ending = f"\n({left} answers left for this request.)" if 0 < left <= LAST_CALLS else ""
        if not calls:
            names = ", ".join(use.tool.name for use in uses)
            cut = "Your answer was cut at its length limit; be shorter. " if was_cut else ""
            self._history.add(UserMessage(text=f"{cut}{problem}Answer by calling a tool: {names}.{ending}"))
            return False, True
        is_last = is_wrong = False
        for place, call in enumerate(calls):
            if is_last:
                reaction = Reaction("Not done: the request was fulfilled already.")
            elif was_cut:
                reaction = Reaction(
                    "Not done: your answer was cut at its length limit; be shorter.", is_wrong=True
                )
            else:
                reaction = await self._call(call, uses)
            is_last, is_wrong = is_last or reaction.is_last, is_wrong or reaction.is_wrong
            text = reaction.text + (ending if place == len(calls) - 1 and not is_last else "")
            if self._in_json:
                self._history.add(UserMessage(text=f"{call.name[:60]} answers:\n{text}"))
            else:
                self._history.add(ToolMessage(call_id=call.id, text=text))
        return is_last, is_wrong

    def _calls(self, message: AssistantMessage) -> tuple[tuple[ToolCall, ...], str]:
        """The calls that an answer makes; where there are none, what is wrong with it."""
        if not self._in_json:
            return message.tool_calls, ""
        self._read += 1
        try:
            return (read_call(message.text, ordinal=self._read),), ""
        except Unreadable as error:
            return (), f"Your answer cannot be read: {error}. You wrote: {shorten(message.text, 300)}\n"

    async def _call(self, call: ToolCall, uses: Sequence[AnyUse]) -> Reaction:
        for use in uses:
            if use.tool.name == call.name:
                return await use.call(call.arguments)
        names = ", ".join(use.tool.name for use in uses)
        return Reaction(f"There is no tool {call.name[:60]!r} here; the tools are {names}.", is_wrong=True)

    async def _generate(self, tools: Sequence[Tool]) -> Completion | str:
        """The model's answer, or why there is none."""
        history = self._history
        if history.tokens() > history.budget_tokens:
            await self._cut(history.budget_tokens // 2)
        overflows = 0
        while True:
            try:
                return await self._ask(tools)
            except BudgetExceeded as error:
                return f"the budget is spent ({error})"
            except EffectFailed as error:
                if error.kind == "ContextOverflow" and overflows < OVERFLOWS:
                    overflows += 1
                    if await self._cut(history.tokens() // 2):
                        continue
                if error.kind == "Rejected" and not self._in_json and "tool" in str(error).casefold():
                    self._in_json = True
                    self.member.decide("answers", "json", rule=f"the endpoint takes no tools: {error}"[:500])
                    continue
                return f"the model call failed ({error.kind}: {error})"

    async def _ask(self, tools: Sequence[Tool]) -> Completion:
        if not self._in_json:
            settings = Settings(max_tokens=ANSWER_TOKENS)
            return await self.member.generate(
                self._history.conversation(self._system), tools=tools, settings=settings
            )
        system = f"{self._system}\n\n{prompt('json', self._own)}\n{described(tools)}"
        settings = Settings(max_tokens=ANSWER_TOKENS, response_schema=schema_of(tools))
        return await self.member.generate(self._history.conversation(system), settings=settings)

    async def _cut(self, target_tokens: int) -> bool:
        """Let old turns go, kept in memory and in a summary; whether any could."""
        history = self._history
        before = history.tokens()
        dropped = history.drop(max(1, target_tokens - SUMMARY_TOKENS))
        if not dropped:
            return False
        for turn in dropped:
            self.memory.note(transcript([turn], characters=3_000), source="earlier in this conversation")
        by = "rule"
        summary = ""
        # Where answers are counted, none is spent on a summary.
        if self.member.scope.budget.steps is None:
            told = f"{history.summary}\n\n{transcript(dropped, characters=4 * history.budget_tokens)}".strip()
            summary = await self._summary(told)
            by = "the model" if summary else by
        if not summary:
            summary = f"{history.summary}\n{outline(dropped, characters=SUMMARY_CHARACTERS)}".strip()
            summary = summary if len(summary) <= SUMMARY_CHARACTERS else "…" + summary[-SUMMARY_CHARACTERS:]
        history.summary = summary
        self.member.decide(
            "context",
            f"{len(dropped)} turns summarised by {by}",
            rule=f"{before} tokens of {history.budget_tokens}",
        )
        return True

    async def _summary(self, told: str) -> str:
        """A summary by the model; nothing where there is none to be had."""
        conversation = (SystemMessage(text=prompt("summary", self._own)), UserMessage(text=told))
        try:
            completion = await self.member.generate(
                conversation, settings=Settings(max_tokens=SUMMARY_TOKENS)
            )
        except (BudgetExceeded, EffectFailed):
            return ""
        if completion.stop_reason not in ("stop", "length"):
            return ""
        return shorten(completion.message.text.strip(), SUMMARY_CHARACTERS)


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


__all__ = ["AnyUse", "Reaction", "Talk", "Use", "introduction", "shorten"]
