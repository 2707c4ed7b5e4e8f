"""A member's end of the bus: its mailboxes, and what it may ask the bus for."""

import math
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import trio
from trio.lowlevel import Abort, RaiseCancelT, current_task, reschedule, wait_task_rescheduled

from engine.effects import AnyEffect, AnyOutcome
from engine.errors import BadSpecification, Divergence, EngineDefect
from engine.journal import Decided
from engine.mailbox import Mailbox
from engine.messages import AnyBody, Envelope, MemberId, Queue, Topic
from engine.task import Measured
from engine.team import FailurePolicy, MailboxPolicy

if TYPE_CHECKING:
    from engine.bus import Bus

Performance: TypeAlias = Callable[[], Awaitable[tuple[AnyOutcome, Measured]]]
"""Does an effect for real."""
MAX_TURNS = 200
"""How often members may go on without waiting before the loop gets its turn."""


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


class _Mark(msgspec.Struct, frozen=True):
    """A place in a member's past where nothing came or went."""

    what: str


_TURNED = _Mark("it saw that the fork had been passed")
_END = _Mark("the end of what is rehearsed")
_Event: TypeAlias = Envelope | tuple[Envelope] | int | AnyOutcome | _Mark
"""In a member's past: a message it took, an answer it waited for, a message it posted, an outcome, a mark."""


class Post:
    """One member's end of the bus. Its coroutines give up the baton while they wait.

    They are checkpoints only when they wait: what need not wait must not let another member in between.
    """

    __slots__ = (
        "_bus",
        "_history",
        "_mailboxes",
        "_ordinal",
        "_past",
        "_retry",
        "_task",
        "_value",
        "address",
        "asked",
        "awaited",
        "handling",
        "inbox",
        "is_cancelled",
        "is_gone",
        "is_idle",
        "restarts",
        "why",
    )

    def __init__(self, bus: "Bus", address: Address, mailboxes: Sequence[Mailbox]) -> None:
        self.address = address
        self.inbox = mailboxes[0]
        self.is_gone = self.is_idle = self.is_cancelled = False
        self.restarts = 0
        self.why = "its turn"
        self._bus = bus
        self._mailboxes = mailboxes
        self._task: trio.lowlevel.Task | None = None
        self._value: Envelope | None = None
        self._ordinal = 0
        self.awaited = 0
        """The message whose answer it waits for and nothing else; 0 for none."""
        self.asked: tuple[Post, Envelope] | None = None
        """Who took that message."""
        self.handling: Envelope | None = None
        """The last message it took, where it has not answered it."""
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
        bus = self._bus
        bus.turns += 1
        if bus.running is not self or bus.turns > MAX_TURNS:
            await bus.let_others_breathe(self)
        envelope, self._retry = self._retry, None
        if envelope is None:
            envelope = self._take()
        if envelope is None:
            self._stand_idle()
            await bus.park(self)
            envelope = self._handed()
        self.handling = envelope
        if envelope.to is not None and not envelope.cause:
            bus.note_taken(envelope, self)
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
        bus = self._bus
        bus.turns += 1
        if bus.running is not self or bus.turns > MAX_TURNS:
            await bus.let_others_breathe(self)
        if deadline_seconds is not None:
            _check_deadline(deadline_seconds)
        if bus.full_mailbox(self.address.id, to, topic, cause) is not None:
            await self._wait_for_room(to, topic, cause)
        seq = bus.publish(self.address.id, body, to, topic, cause, deadline_seconds)
        if cause and self.handling is not None and self.handling.seq == cause:
            self.handling = None
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
        bus = self._bus
        bus.turns += 1
        if bus.running is not self or bus.turns > MAX_TURNS:
            await bus.let_others_breathe(self)
        if deadline_seconds is not None:
            _check_deadline(deadline_seconds)
        if bus.full_mailbox(self.address.id, to, None, 0) is not None:
            await self._wait_for_room(to, None, 0)
        try:
            # Said before publishing: a message that cannot be delivered is answered at once.
            self.awaited = bus.next_seq
            self.why = f"an answer from {to}"
            seq = bus.publish(self.address.id, body, to, None, 0, deadline_seconds)
            if self._value is None:
                await bus.park(self)
        finally:
            self.awaited, self.asked = 0, None
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
        bus = self._bus
        bus.turns += 1
        if bus.running is not self or bus.turns > MAX_TURNS:
            await bus.let_others_breathe(self)
        self._ordinal += 1
        outcome = await bus.perform(self, self._ordinal, effect, run, sync=sync)
        if self._history is not None:
            self._history.append(outcome)
        return outcome

    def decide(self, what: str, chosen: str, *, rule: str, candidates: Mapping[str, float]) -> None:
        """Put a decision on the record. A worth that is infinite becomes the largest float; one that is none is left out."""
        # A member that is being cancelled has no baton: what it does on its way out is no part of the episode.
        if not self._past and self._bus.running is self:
            record = Decided(
                member=self.address.id,
                what=what,
                chosen=chosen,
                rule=rule,
                candidates=_plain_worths(candidates),
            )
            self._bus.journal.put(record)

    # -- forks ------------------------------------------------------------------------------------------------------

    def has_passed(self, seq: int) -> bool:
        """Whether a message has been published; while the past is relived, whether it had been at this place.

        Asked until it is true and then no more, so that a restarted member turns where it turned before.
        """
        if self._past:
            if self._past[0] is not _TURNED:
                return False
            self._past.popleft()
            return True
        if self._bus.next_seq <= seq:
            return False
        if self._history is not None:
            self._history.append(_TURNED)
        return True

    @contextmanager
    def rehearsing(self, outcomes: Iterable[AnyOutcome]) -> Generator[None]:
        """Within the block effects are answered by these outcomes, and nothing is recorded or charged.

        Raises:
            Divergence: more or fewer effects are asked for.
        """
        before, self._past = self._past, deque[_Event]([*outcomes, _END])
        try:
            yield
            if self._past[0] is not _END:
                raise self._unlike_past("the end", self._past[0])
        finally:
            self._past = before

    # -- restarts ---------------------------------------------------------------------------------------------------

    def rewind(self) -> None:
        """Make ready to live the past again, up to the message at which it failed; that one comes once more.

        What was posted and done since that message is posted and done again.
        """
        history = self._history or []
        if not self._past and self._retry is None:  # else it failed again before it came to that message
            got = [place for place, event in enumerate(history) if isinstance(event, Envelope)]
            if got:
                last = history[got[-1]]
                self._retry = last if isinstance(last, Envelope) else None
                del history[got[-1] :]
        self._past = deque(history)

    def unanswered(self, others: "Iterable[Post]") -> list[Envelope]:
        """Messages that wait for this member's answer: the one it took last, and all that a sender waits on."""
        found = [each.asked[1] for each in others if each.asked is not None and each.asked[0] is self]
        handling = self.handling
        if handling is not None and not handling.cause and handling.to is not None and handling not in found:
            found.append(handling)
        return sorted(found, key=lambda envelope: envelope.seq)

    @property
    def ordinal(self) -> int:
        """Of the member's last effect, from 1; while one is performed, of that one."""
        return self._ordinal

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
        if isinstance(event, int | Envelope | tuple | _Mark):
            self._past.appendleft(event)
            raise self._unlike_past("an effect", event)
        return event

    def _unlike_past(self, now: str, event: object) -> Divergence:
        return Divergence(f"restart of {self.address.id}", recorded=repr(event), now=now)

    # -- for the bus: moving ----------------------------------------------------------------------------------------

    def serves(self, mailbox: Mailbox) -> bool:
        """Whether it takes messages from there."""
        return mailbox in self._mailboxes

    def move(self, address: Address, queues: Sequence[Mailbox]) -> None:
        """Stand at another address; an idle member is handed what waits there for it."""
        new = [queue for queue in queues if queue not in self._mailboxes]
        self.address, self._mailboxes = address, (self.inbox, *queues)
        if self.is_idle and new:
            envelope = self._take()
            if envelope is not None:
                self.hand(envelope)
            else:
                for queue in new:
                    queue.idle.append(self)

    # -- for the bus ----------------------------------------------------------------------------------------

    def hand(self, envelope: Envelope) -> None:
        """Give this member the message it waits for."""
        self._value = envelope
        self.is_idle = False
        self._bus.make_ready(self)

    def accepts(self, cause: int) -> bool:
        """Whether it waits for the answer to this message and nothing else."""
        return bool(cause) and self.awaited == cause and self._value is None

    def hand_answer(self, envelope: Envelope) -> None:
        """Give the answer it waits for; the member may not have begun to wait yet."""
        self._value = envelope
        if self._task is not None:
            self._bus.make_ready(self)

    async def sleep_until_chosen(self) -> None:
        """Wait for the baton."""
        self._task = current_task()
        self._bus.turns = 0

        def abort(_raise_cancel: RaiseCancelT) -> Abort:
            self._task = None
            self.is_cancelled = True
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

    @property
    def elapsed(self) -> float:
        """Seconds since the episode began."""
        return self._bus.now()

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

    def _stand_idle(self) -> None:
        self.is_idle, self.why = True, "a message"
        for mailbox in self._mailboxes:
            if self not in mailbox.idle:
                mailbox.idle.append(self)
            if mailbox.senders:
                # A sender's message was handed on without waiting here, so that no taking made room for the next.
                self._bus.make_ready(mailbox.senders.popleft())

    async def _wait_for_room(self, to: str | None, topic: Topic | None, cause: int) -> None:
        while (mailbox := self._bus.full_mailbox(self.address.id, to, topic, cause)) is not None:
            mailbox.senders.append(self)
            self.why = f"room in the mailbox of {mailbox.name}"
            try:
                await self._bus.park(self)
            finally:
                if self in mailbox.senders:  # a deadlock was told to it, and it may go on
                    mailbox.senders.remove(self)


def _check_deadline(seconds: float) -> None:
    if not 0 <= seconds < math.inf:
        raise BadSpecification("deadline_seconds", f"{seconds:g}; give 0 or more, or None for no deadline")


def _plain_worths(candidates: Mapping[str, float]) -> dict[str, float]:
    """As a record can hold them: JSON knows neither numpy's floats nor infinity."""
    largest = sys.float_info.max
    worths = {name: float(worth) for name, worth in candidates.items()}
    return {
        name: min(max(worth, -largest), largest) for name, worth in worths.items() if not math.isnan(worth)
    }
