"""Trajectories as chat-format lines, with a reward for each step: what a trainer, or a reader, takes.

A member that a model drives has a line for each of its conversations, as the model saw it: system, user, assistant with
tool calls, tool. A member without a model has one line: what reached it is ``user``, what it posted is ``assistant``,
each as the JSON of the message's body.

The reward of a step (an assistant message) is how much the team's best feedback score rose from that step until the next
one of the line, on the task's metric, positive where better; before the first evaluation the best is the baseline. Whose
work it was is not told apart: rewards are the team's. The final score, which no member ever saw, stands beside them, and
``final_reward`` is what it is above the baseline.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from engine.bus import RUNTIME
from engine.effects import Evaluation, Failure, ModelAnswer, ModelCall, Scored
from engine.episode import JUDGE
from engine.errors import RecordDamaged
from engine.journal import AnyRecord, Finished, Started
from engine.messages import MemberId
from engine.models.interface import (
    AssistantMessage,
    Conversation,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from engine.task import Direction
from mlyceum.reading import EpisodeView

TRAJECTORY_VERSION = 1
ChatRole: TypeAlias = Literal["system", "user", "assistant", "tool"]


class ChatFunction(msgspec.Struct, frozen=True, kw_only=True):
    """What is called, as the model wrote it."""

    name: str
    arguments: str
    """Raw text; it may not be JSON at all."""


class ChatToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call to a tool, in the shape of OpenAI's chat format."""

    id: str
    function: ChatFunction
    type: Literal["function"] = "function"


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message, in the shape of OpenAI's chat format."""

    role: ChatRole
    content: str
    tool_calls: tuple[ChatToolCall, ...] = ()
    tool_call_id: str = ""


class Trajectory(msgspec.Struct, frozen=True, kw_only=True):
    """One line: a member's part in an episode, or one of its conversations."""

    version: int = TRAJECTORY_VERSION
    study: str
    episode: str
    task: str
    arm: str
    block: str
    is_pilot: bool
    protocol: str
    member: str
    role: str
    """The member's role: its name without the replica's number."""
    model: str | None
    """``provider/name``; None: no model drives it, and the messages are those of the bus."""
    conversation: int
    """Which of the member's conversations, from 1; 0 where no model drives it."""
    messages: tuple[ChatMessage, ...]
    rewards: tuple[float | None, ...]
    """One for each message: null where it is no step of the member (no assistant message)."""
    at: tuple[float | None, ...]
    """When each step was asked for (or posted), seconds since the episode began; null elsewhere."""
    metric: str
    direction: Direction
    baseline: float
    best_feedback: float | None
    """Best single feedback score of the episode."""
    final_score: float | None
    """Null: none was earned, or the episode has not ended."""
    final_reward: float | None
    outcome: str
    """Empty while the episode has not ended."""


class _Step(msgspec.Struct):
    message: ChatMessage
    order: int | None = None
    """Line of the journal; None where it is no step."""
    at: float | None = None


def trajectories(
    view: EpisodeView,
    records: Sequence[AnyRecord],
    *,
    study: str,
    arm: str,
    block: str,
    is_pilot: bool,
    members: Sequence[str] = (),
) -> Iterator[Trajectory]:
    """The lines of one episode, members in the order in which they first act.

    Args:
        view: of the episode.
        records: its journal.
        study: its study's name.
        arm: its arm.
        block: its block.
        is_pilot: whether its seed is a pilot's.
        members: roles or members wanted; none: all but the engine's judge.
    """
    brief = view.brief
    if brief is None or view.spec is None:
        return
    gains = _Gains(records, baseline=brief.baseline, direction=brief.direction)
    final = view.result.final.value if view.result is not None else None
    sign = 1.0 if brief.direction == "max" else -1.0
    talks = _conversations(records)
    for member in _members(view):
        if members and member not in members and _role(member) not in members:
            continue
        own = {number: steps for (who, number), (_, steps) in talks.items() if who == member}
        models = {number: model for (who, number), (model, _) in talks.items() if who == member}
        for number, steps in sorted(own.items()) if own else [(0, _on_the_bus(view, member))]:
            if not steps:
                continue
            yield Trajectory(
                study=study,
                episode=view.episode,
                task=view.spec.task,
                arm=arm,
                block=block,
                is_pilot=is_pilot,
                protocol=view.spec.protocol,
                member=member,
                role=_role(member),
                model=models.get(number),
                conversation=number,
                messages=tuple(step.message for step in steps),
                rewards=gains.rewards([step.order for step in steps]),
                at=tuple(step.at for step in steps),
                metric=brief.metric,
                direction=brief.direction,
                baseline=brief.baseline,
                best_feedback=gains.best,
                final_score=final,
                final_reward=sign * (final - brief.baseline) if final is not None else None,
                outcome=view.outcome,
            )


def _role(member: str) -> str:
    name, _, replica = member.rpartition(".")
    return name if name and replica.isdigit() else member


def _members(view: EpisodeView) -> tuple[MemberId, ...]:
    acting = [each.sender for each in view.messages] + [each.member for each in view.effects]
    return tuple(dict.fromkeys(each for each in acting if each not in {RUNTIME, JUDGE}))


class _Gains:
    """When the team's best feedback rose, and by how much."""

    def __init__(self, records: Sequence[AnyRecord], *, baseline: float, direction: Direction) -> None:
        sign = 1.0 if direction == "max" else -1.0
        asked: set[tuple[str, int]] = set()
        self.best: float | None = None
        self._orders: list[int] = []
        self._risen: list[float] = []
        """Sum of what it rose by, up to each of these lines."""
        best, total = baseline, 0.0
        for order, record in enumerate(records, start=1):
            match record:
                case Started(effect=Evaluation(split="feedback")):
                    asked.add((record.member, record.ordinal))
                case Finished(outcome=Scored(score=score)) if (record.member, record.ordinal) in asked:
                    if score.value is None:
                        continue
                    if self.best is None or sign * score.value > sign * self.best:
                        self.best = score.value
                    if sign * (score.value - best) > 0:
                        total += sign * (score.value - best)
                        best = score.value
                        self._orders.append(order)
                        self._risen.append(total)
                case _:
                    pass

    def rewards(self, orders: Sequence[int | None]) -> tuple[float | None, ...]:
        """For each step what was gained until the next one; None where there is no step."""
        steps = [order for order in orders if order is not None]
        until = dict(zip(steps, [*steps[1:], None], strict=True))
        return tuple(
            None if order is None else self._up_to(until[order]) - self._up_to(order) for order in orders
        )

    def _up_to(self, order: int | None) -> float:
        count = len(self._orders) if order is None else bisect_right(self._orders, order)
        return self._risen[count - 1] if count else 0.0


_Talks: TypeAlias = dict[tuple[str, int], tuple[str, list[_Step]]]


def _conversations(records: Sequence[AnyRecord]) -> _Talks:
    """Every member's conversations with its model, as they stood at last."""
    talks: _Talks = {}
    open_calls: dict[tuple[str, int], tuple[ModelCall, float | None]] = {}
    for order, record in enumerate(records, start=1):
        match record:
            case Started(effect=ModelCall() as call):
                at = record.measured.at if record.measured is not None else None
                open_calls[record.member, record.ordinal] = (call, at)
            case Finished(outcome=ModelAnswer() | Failure() as outcome):
                known = open_calls.pop((record.member, record.ordinal), None)
                if known is None:
                    continue
                call, at = known
                _, steps = talks.setdefault((record.member, call.conversation), (call.model, []))
                del steps[call.offset :]
                steps.extend(_Step(message=chat_message(message)) for message in call.new)
                if isinstance(outcome, ModelAnswer):
                    steps.append(_Step(message=chat_message(outcome.completion.message), order=order, at=at))
            case _:
                pass
    return talks


def _on_the_bus(view: EpisodeView, member: MemberId) -> list[_Step]:
    """What reached a member and what it posted, in order; copies of topics are not on the record, and not here."""
    steps: list[_Step] = []
    for sent in view.messages:
        content = msgspec.json.encode(sent.body).decode()
        if sent.sender == member:
            message = ChatMessage(role="assistant", content=content)
            steps.append(_Step(message=message, order=sent.order, at=sent.at))
        elif sent.receiver == member or (sent.to is None and sent.topic == "brief"):
            steps.append(_Step(message=ChatMessage(role="user", content=content)))
    return steps if any(step.order is not None for step in steps) else []


def chat_message(message: Message) -> ChatMessage:
    """A message in the shape of OpenAI's chat format."""
    match message:
        case SystemMessage(text=text):
            return ChatMessage(role="system", content=text)
        case UserMessage(text=text):
            return ChatMessage(role="user", content=text)
        case AssistantMessage(text=text, tool_calls=calls):
            called = tuple(
                ChatToolCall(id=call.id, function=ChatFunction(name=call.name, arguments=call.arguments))
                for call in calls
            )
            return ChatMessage(role="assistant", content=text, tool_calls=called)
        case ToolMessage(call_id=call_id, text=text):
            return ChatMessage(role="tool", content=text, tool_call_id=call_id)


def conversation_of(trajectory: Trajectory) -> Conversation:
    """The conversation that a line holds, as the engine's own messages."""
    return tuple(_message(message) for message in trajectory.messages)


def _message(message: ChatMessage) -> Message:
    match message.role:
        case "system":
            return SystemMessage(text=message.content)
        case "user":
            return UserMessage(text=message.content)
        case "tool":
            return ToolMessage(call_id=message.tool_call_id, text=message.content)
        case "assistant":
            calls = tuple(
                ToolCall(id=call.id, name=call.function.name, arguments=call.function.arguments)
                for call in message.tool_calls
            )
            return AssistantMessage(text=message.content, tool_calls=calls)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Trajectory)


def write_trajectories(lines: Iterable[Trajectory], path: Path) -> int:
    """Write lines to a file; how many there were.

    Raises:
        OSError: when it cannot be written.
    """
    count = 0
    with path.open("wb") as file:
        for line in lines:
            file.write(_encoder.encode(line) + b"\n")
            count += 1
    return count


def read_trajectories(path: Path) -> Iterator[Trajectory]:
    """The lines of a file that `write_trajectories` wrote.

    Raises:
        RecordDamaged: naming the line.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield _decoder.decode(line)
            except (ValueError, RecursionError) as error:
                raise RecordDamaged(f"{path}, line {number}: {error}; export it again") from error
