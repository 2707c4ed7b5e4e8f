"""A member's end of the bus: its mailboxes, and what it may ask the bus for."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import trio
from trio.lowlevel import Abort, RaiseCancelT, current_task, reschedule, wait_task_rescheduled

from engine.effects import AnyEffect, AnyOutcome
from engine.errors import Divergence, EngineDefect
from engine.journal import Decided
from engine.messages import AnyBody, Envelope, MemberId, Queue, Topic
from engine.task import Measured
from engine.team import FailurePolicy, MailboxPolicy

if TYPE_CHECKING:
    from engine.bus import Bus

Performance: TypeAlias = Callable[[], Awaitable[tuple[AnyOutcome, Measured]]]
"""Does an effect for real."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a member stands on the bus.

    Attributes:
        id: the member.
        queues: requests it serves; members that serve the same queue compete for them.
        topics: subjects it gets copies of.
        capacity: messages its mailbox, and each queue it is first to serve, hold; answers always find room.
        policies: what happens when there is no room, by queue or topic; ``block`` where nothing is said.
        failure: what happens when its code raises.
        leads: whether the episode is over when it returns.
    """

    id: MemberId
    queues: tuple[Queue, ...] = ()
    topics: tuple[Topic, ...] = ()
    capacity: int = 128
    policies: Mapping[str, MailboxPolicy] = field(default_factory=dict[str, MailboxPolicy])
    failure: FailurePolicy = "fail"
    leads: bool = False


class Mailbox:
    """Messages that wait in one place, the members who would take one, and the senders who wait for room."""

    __slots__ = ("capacity", "idle", "name", "policies", "senders", "servers", "waiting")

    def __init__(self, name: str, capacity: int, policies: Mapping[str, MailboxPolicy]) -> None:
        self.name, self.capacity, self.policies = name, capacity, policies
        self.waiting: deque[Envelope] = deque()
        self.idle: deque[Post] = deque()
        self.senders: deque[Post] = deque()
        self.servers = 0

    def is_full_for(self, subject: str) -> bool:
        """Whether a sender would have to wait: no room, and its policy is to block."""
        return len(self.waiting) >= self.capacity and self.policies.get(subject, "block") == "block"


_Event: TypeAlias = Envelope | tuple[Envelope] | int | AnyOutcome
"""In a member's past: a message it took, an answer it waited for, a message it posted, an outcome."""


class Post:
    """One member's end of the bus. Its coroutines give up the baton while they wait.

    They are checkpoints only when they wait: what need not wait must not let another member in between.
    """

    __slots__ = (
        "_awaited",
        "_bus",
        "_history",
        "_mailboxes",
        "_ordinal",
        "_past",
        "_retry",
        "_task",
        "_value",
        "address",
        "inbox",
        "is_gone",
        "is_idle",
        "restarts",
        "why",
    )

    def __init__(self, bus: "Bus", address: Address, mailboxes: Sequence[Mailbox]) -> None:
        self.address = address
        self.inbox = mailboxes[0]
        self.is_gone = self.is_idle = False
        self.restarts = 0
        self.why = "its turn"
        self._bus = bus
        self._mailboxes = mailboxes
        self._task: trio.lowlevel.Task | None = None
        self._value: Envelope | None = None
        self._awaited = 0
        self._ordinal = 0
        # Kept only where a restart may need it: what this member got, posted and did, in order.
        self._history: list[_Event] | None = [] if address.failure == "restart" else None
        self._past: deque[_Event] = deque()
        self._retry: Envelope | None = None

    # -- messages ---------------------------------------------------------------------------------------------------

    async def receive(self) -> Envelope:
        """The next message: the oldest among the mailbox and the queues served.

        Raises:
            Deadlock: to the leader, when every member waits and nothing is in flight.
        """
        if self._past:
            return self._past_message()
        envelope, self._retry = self._retry, None
        if envelope is None:
            envelope = self._take()
        if envelope is None:
            self.is_idle, self.why = True, "a message"
            for mailbox in self._mailboxes:
                if self not in mailbox.idle:
                    mailbox.idle.append(self)
            await self._bus.park(self)
            envelope = self._handed()
        if self._history is not None:
            self._history.append(envelope)
        return envelope

    async def post(
        self,
        body: AnyBody,
        *,
        to: MemberId | Queue | None = None,
        topic: Topic | None = None,
        cause: int = 0,
        deadline_seconds: float | None = None,
    ) -> int:
        """Publish a message; waits while a mailbox that blocks is full.

        Returns:
            The message's place in the episode's total order.
        """
        if self._past:
            return self._past_seq()
        await self._wait_for_room(to, topic, cause)
        seq = self._bus.publish(self.address.id, body, to, topic, cause, deadline_seconds)
        if self._history is not None:
            self._history.append(seq)
        return seq

    async def request(
        self, body: AnyBody, *, to: MemberId | Queue, deadline_seconds: float | None = None
    ) -> Envelope:
        """Publish a message and wait for its answer, which may be `Dropped` or `Expired`."""
        if self._past:
            self._past_seq()
            return self._past_answer()
        await self._wait_for_room(to, None, 0)
        # Said before publishing: a message that cannot be delivered is answered at once.
        self._awaited = self._bus.next_seq
        self.why = f"an answer from {to}"
        seq = self._bus.publish(self.address.id, body, to, None, 0, deadline_seconds)
        if self._value is None:
            await self._bus.park(self)
        self._awaited = 0
        answer = self._handed()
        if self._history is not None:
            self._history += (seq, (answer,))
        return answer

    # -- effects ----------------------------------------------------------------------------------------------------

    async def perform(self, effect: AnyEffect, run: Performance, *, sync: bool = False) -> AnyOutcome:
        """Act on the outside, or be answered from the record; the baton is free meanwhile.

        Args:
            effect: what is recorded before anything happens.
            run: does it; not called where the record has the outcome. What it raises stops the episode.
            sync: whether the outcome must be on the disk before it is used (scores, paid answers).

        Raises:
            InfrastructureFailed: when ``run`` raised.
        """
        if self._past:
            return self._past_outcome()
        self._ordinal += 1
        outcome = await self._bus.perform(self, self._ordinal, effect, run, sync=sync)
        if self._history is not None:
            self._history.append(outcome)
        return outcome

    def decide(self, what: str, chosen: str, *, rule: str, candidates: Mapping[str, float]) -> None:
        """Put a decision on the record."""
        if not self._past:
            # Worths come out of numpy, whose floats no record holds.
            plain = {name: float(worth) for name, worth in candidates.items()}
            record = Decided(member=self.address.id, what=what, chosen=chosen, rule=rule, candidates=plain)
            self._bus.journal.put(record)

    # -- restarts ---------------------------------------------------------------------------------------------------

    def rewind(self) -> Envelope | None:
        """Make ready to live the past again, up to the message at which it failed; that one comes once more.

        Returns:
            The message at which it failed, if it was handling one.
        """
        history = self._history or []
        got = [place for place, event in enumerate(history) if isinstance(event, Envelope)]
        failed_at = None
        if got:
            last = history[got[-1]]
            failed_at = last if isinstance(last, Envelope) else None
            del history[got[-1] :]
        self._retry = failed_at
        self._past = deque(history)
        return failed_at

    @property
    def handling(self) -> Envelope | None:
        """The last message it took, where that is remembered."""
        return next((e for e in reversed(self._history or []) if isinstance(e, Envelope)), None)

    @property
    def is_reliving(self) -> bool:
        """Whether what it does now was done before its last restart."""
        return bool(self._past)

    def _past_answer(self) -> Envelope:
        event = self._past.popleft()
        if isinstance(event, tuple):
            return event[0]
        raise self._unlike_past("an answer", event)

    def _past_message(self) -> Envelope:
        event = self._past.popleft()
        if isinstance(event, Envelope):
            return event
        raise self._unlike_past("a message", event)

    def _past_seq(self) -> int:
        event = self._past.popleft()
        if isinstance(event, int):
            return event
        raise self._unlike_past("a post", event)

    def _past_outcome(self) -> AnyOutcome:
        event = self._past.popleft()
        if isinstance(event, int | Envelope | tuple):
            raise self._unlike_past("an effect", event)
        return event

    def _unlike_past(self, now: str, event: object) -> Divergence:
        return Divergence(f"restart of {self.address.id}", recorded=repr(event), now=now)

    # -- for the bus ----------------------------------------------------------------------------------------

    def hand(self, envelope: Envelope) -> None:
        """Give this member the message it waits for."""
        self._value = envelope
        self.is_idle = False
        self._bus.make_ready(self)

    def accepts(self, cause: int) -> bool:
        """Whether it waits for the answer to this message and nothing else."""
        return bool(cause) and self._awaited == cause and self._value is None

    def hand_answer(self, envelope: Envelope) -> None:
        """Give the answer it waits for; the member may not have begun to wait yet."""
        self._value = envelope
        if self._task is not None:
            self._bus.make_ready(self)

    async def sleep_until_chosen(self) -> None:
        """Wait for the baton."""
        self._task = current_task()

        def abort(_raise_cancel: RaiseCancelT) -> Abort:
            self._task = None
            return Abort.SUCCEEDED

        await wait_task_rescheduled(abort)

    @property
    def is_waiting(self) -> bool:
        """Whether it stands at its post and waits for the baton."""
        return self._task is not None

    def resume(self) -> None:
        """Let it run: it has the baton."""
        task, self._task = self._task, None
        if task is not None:
            reschedule(task)

    def _handed(self) -> Envelope:
        envelope, self._value = self._value, None
        if envelope is None:
            raise EngineDefect(f"{self.address.id} was woken for a message, and there is none")
        return envelope

    def _take(self) -> Envelope | None:
        best: Mailbox | None = None
        for mailbox in self._mailboxes:
            if mailbox.waiting and (best is None or mailbox.waiting[0].seq < best.waiting[0].seq):
                best = mailbox
        if best is None:
            return None
        if best.senders:
            self._bus.make_ready(best.senders.popleft())
        return best.waiting.popleft()

    async def _wait_for_room(self, to: str | None, topic: Topic | None, cause: int) -> None:
        while (mailbox := self._bus.full_mailbox(self.address.id, to, topic, cause)) is not None:
            mailbox.senders.append(self)
            self.why = f"room in the mailbox of {mailbox.name}"
            await self._bus.park(self)
