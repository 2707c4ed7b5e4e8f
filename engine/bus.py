"""The bus of one episode: bounded mailboxes, one total order, and one member's code running at a time.

Trio randomises its run order on purpose and outside work takes as long as it takes, so order here is logical. Members
are tasks, but a *baton* says whose code runs. A member keeps it until it waits, for a message, for room, for an answer
or for the outside; the next ready member then gets it, first come first served. When nobody is ready, the oldest
outstanding effect is released as soon as it is done, however many later ones finished before it (or, where the team
asks for arrival order, the first that is done). So the order of all messages follows from the specification alone,
while outside work overlaps freely; and "nobody ready, nothing outstanding" is a deadlock, seen at once.

What members post and do goes through the journal, which in a rerun holds each step against the record: see
`engine.journal`.
"""

import heapq
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import trio

from engine.effects import AnyEffect, AnyOutcome
from engine.errors import (
    Deadlock,
    Divergence,
    EngineDefect,
    EngineError,
    MemberFailed,
    OutputUnusable,
    RecordDamaged,
)
from engine.interposers import Interposer
from engine.journal import Finished, Fired, Journal, Posted, Started, as_read_back
from engine.messages import AnyBody, Dropped, Envelope, Expired, Failed, MemberId, Queue, Topic
from engine.post import Address, Mailbox, Performance, Post
from engine.task import Measured

RUNTIME = MemberId("runtime")
MAX_RESTARTS = 2


class InfrastructureFailed(EngineError):
    """Raised through a member when the outside let the engine down: nothing is recorded, a rerun tries again."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error) or type(error).__name__)
        self.error = error


# Faults that are nobody's policy to survive: the episode stops where it stands.
_FATAL = (Divergence, OutputUnusable, RecordDamaged, EngineDefect, InfrastructureFailed)


@dataclass(slots=True, eq=False)
class _Slot:
    """An effect that was started and not yet handed to its member."""

    post: "Post"
    ordinal: int
    sync: bool
    finished: Finished | None = None


class Bus:
    """See the module. Opened for one episode and run once."""

    def __init__(
        self,
        addresses: Sequence[Address],
        journal: Journal,
        *,
        interposers: Sequence[Interposer] = (),
        arrival_order: bool = False,
    ) -> None:
        """Set up mailboxes; nothing runs yet.

        Args:
            addresses: every member; the order in which they get the baton first.
            journal: where everything is put.
            interposers: applied to copies of a topic's messages, in order.
            arrival_order: release effects as they finish, not as they were started.
        """
        if sum(address.leads for address in addresses) != 1:
            raise EngineDefect("an episode has exactly one leading member")
        self.journal = journal
        self.next_seq = 1
        self._started = trio.current_time()
        self._arrival_order = arrival_order
        self._interposers = tuple(interposers)
        self._queues: dict[str, Mailbox] = {}
        self._posts: dict[str, Post] = {}
        self._subscribers: dict[Topic, list[Post]] = {}
        for address in addresses:
            self._seat(address)
        self._lead = next(post for post in self._posts.values() if post.address.leads)
        self._running: Post | None = None
        self._ready: deque[Post] = deque(self._posts.values())
        self._outstanding: deque[_Slot] = deque()
        self._arrived: deque[_Slot] = deque()
        self._deadlines: list[tuple[float, int, MemberId, float]] = []
        self._unanswered: set[int] = set()
        self._deadline_added: trio.Event | None = None
        self._nursery: trio.Nursery | None = None
        self._deadlock: Deadlock | None = None
        self._fatal: Exception | None = None

    def _seat(self, address: Address) -> None:
        mailboxes = [Mailbox(address.id, address.capacity, address.policies)]
        for queue in address.queues:
            shared = self._queues.setdefault(queue, Mailbox(queue, address.capacity, address.policies))
            shared.servers += 1
            mailboxes.append(shared)
        post = self._posts[address.id] = Post(self, address, mailboxes)
        for topic in address.topics:
            self._subscribers.setdefault(topic, []).append(post)

    def post(self, member: MemberId) -> Post:
        """A member's end of the bus."""
        return self._posts[member]

    # -- running ----------------------------------------------------------------------------------------------------

    async def run(self, behave: Callable[[Post], Awaitable[None]]) -> None:
        """Let every member live until the leader returns; all of them are gone when this returns.

        Args:
            behave: a member's life; called anew for each member and each restart.

        Raises:
            Deadlock: when the leader did not handle it.
            MemberFailed: when a member's policy is to fail, or the leader failed.
            InfrastructureFailed, OutputUnusable, Divergence: when the episode cannot go on here.
        """
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for post in self._posts.values():
                nursery.start_soon(self._live, post, behave, name=post.address.id)
            # Every member stands at its post before the first one runs: trio starts them in any order.
            nursery.start_soon(self._kick_off)
        if self._fatal is not None:
            raise self._fatal

    async def _kick_off(self) -> None:
        while any(not post.is_waiting for post in self._posts.values()):
            await trio.lowlevel.checkpoint()
        self._advance()

    async def _live(self, post: Post, behave: Callable[[Post], Awaitable[None]]) -> None:
        await post.sleep_until_chosen()
        while True:
            try:
                await behave(post)
            except (*_FATAL, Deadlock) as error:
                self._stop(error)
            except Exception as error:  # noqa: BLE001 - the boundary of a member: its failure is put on the record
                if self._handle_failure(post, error):
                    continue
            break
        self._retire(post)

    def _stop(self, error: Exception | None) -> None:
        self._fatal = self._fatal or error
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    def _handle_failure(self, post: Post, error: Exception) -> bool:
        """Do what the member's policy says; whether it lives on."""
        reason = f"{type(error).__name__}: {error}"[:2000]
        policy = "fail" if post.address.leads else post.address.failure
        if policy == "restart" and post.restarts >= MAX_RESTARTS:
            policy = "continue"
        try:
            body = Failed(member=post.address.id, reason=reason, action=policy)
            self.publish(RUNTIME, body, self._lead.address.id, None, 0, None)
            if policy == "fail":
                failure = MemberFailed(post.address.id, reason)
                failure.__cause__ = error
                self._stop(failure)
            elif policy == "restart":
                post.restarts += 1
                post.rewind()
                return True
            else:
                handling = post.handling
                if handling is not None and handling.sender in self._posts:
                    self._say_dropped(handling, f"{post.address.id} failed")
        except _FATAL as fatal:
            self._stop(fatal)
        return False

    def _retire(self, post: Post) -> None:
        post.is_gone, post.why = True, "nothing: it has ended"
        if post.address.leads:
            self._stop(None)
            return
        try:
            for queue in post.address.queues:
                mailbox = self._queues[queue]
                mailbox.servers -= 1
                if not mailbox.servers:
                    self._close(mailbox)
            self._close(post.inbox)
        except _FATAL as fatal:
            self._stop(fatal)
        self._running = None
        self._advance()

    def _close(self, mailbox: Mailbox) -> None:
        while mailbox.waiting:
            self._say_dropped(mailbox.waiting.popleft(), f"nobody is left at {mailbox.name}")
        while mailbox.senders:
            self.make_ready(mailbox.senders.popleft())

    # -- the baton --------------------------------------------------------------------------------------------------

    def make_ready(self, post: Post) -> None:
        """Let a member run when its turn comes."""
        self._ready.append(post)

    async def park(self, post: Post) -> None:
        """Give the baton on, and wait until it comes back.

        Raises:
            Deadlock: to the leader.
        """
        self._running = None
        chosen = self._choose()
        if chosen is not post:
            if chosen is not None:
                self._give(chosen)
            await post.sleep_until_chosen()
        else:
            self._running = post
        if self._deadlock is not None and post is self._lead:
            deadlock, self._deadlock = self._deadlock, None
            raise deadlock

    def _give(self, chosen: Post) -> None:
        self._running = chosen
        chosen.resume()

    def _advance(self) -> None:
        """Choose who runs next, where nobody does."""
        if self._running is None:
            chosen = self._choose()
            if chosen is not None:
                self._give(chosen)

    def _choose(self) -> Post | None:
        if self._ready:
            return self._ready.popleft()
        if self._fatal is not None:
            return None
        try:
            self._release()
            if not self._ready and not self._outstanding and not self._unanswered:
                self._report_deadlock()
        except _FATAL as error:
            self._stop(error)
            return None
        return self._ready.popleft() if self._ready else None

    def _release(self) -> None:
        """Everybody waits: hand over the next outcome, or let the next deadline strike, if one is due."""
        expected = self.journal.expects()
        if isinstance(expected, Fired):
            self._fire(expected.seq)
            return
        if isinstance(expected, Finished) and self._arrival_order:
            slots = (
                s
                for s in self._outstanding
                if s.ordinal == expected.ordinal and s.post.address.id == expected.member
            )
            slot = next(slots, None)
        elif self._arrival_order:
            slot = self._arrived[0] if self._arrived else None
        else:
            slot = self._outstanding[0] if self._outstanding else None
        if slot is not None and slot.finished is not None:
            self._hand_over(slot, slot.finished)
        elif expected is None and self._deadlines and self._deadlines[0][0] <= trio.current_time():
            self._fire(self._deadlines[0][1])
        else:
            self.journal.flush()

    def _hand_over(self, slot: _Slot, finished: Finished) -> None:
        self._outstanding.remove(slot)
        if slot in self._arrived:
            self._arrived.remove(slot)
        self.journal.put(finished)
        self.journal.flush(sync=slot.sync)
        self._ready.append(slot.post)

    def _report_deadlock(self) -> None:
        waits = {post.address.id: post.why for post in self._posts.values() if not post.is_gone}
        self._deadlock = Deadlock({str(member): why for member, why in waits.items()})
        self._lead.is_idle = False
        self._ready.append(self._lead)

    # -- effects ----------------------------------------------------------------------------------------------------

    async def perform(
        self, post: Post, ordinal: int, effect: AnyEffect, run: Performance, *, sync: bool
    ) -> AnyOutcome:
        """See `Post.perform`."""
        member = post.address.id
        known = self.journal.answer(member, ordinal)
        at = self._at()
        self.journal.put(Started(member=member, ordinal=ordinal, effect=effect, measured=at))
        slot = _Slot(post, ordinal, sync)
        self._outstanding.append(slot)
        post.why = f"the outcome of {type(effect).__name__}"
        if known is not None:
            slot.finished = known
            self._arrived.append(slot)
            await self.park(post)
            return known.outcome
        self.journal.flush()
        self._running = None
        chosen = self._choose()
        if chosen is not None:
            self._give(chosen)
        try:
            outcome, measured = await run()
        except OutputUnusable:
            raise  # no episode could keep anything: the whole run ends
        except Exception as error:  # the border to the outside: not the member's code has failed
            # The record knows that it was started and not how it ended: a rerun starts it again.
            raise InfrastructureFailed(error) from error
        finished = as_read_back(Finished(member=member, ordinal=ordinal, outcome=outcome, measured=measured))
        outcome = finished.outcome
        slot.finished = finished
        self._arrived.append(slot)
        if self._running is None:
            chosen = self._choose()
            if chosen is post:
                self._running = post
                return outcome
            if chosen is not None:
                self._give(chosen)
        if slot in self._outstanding:
            # Others are before it: kept at once, since nothing that was paid for may be lost.
            self.journal.keep_early(finished)
            if sync:
                self.journal.flush(sync=True)
        await post.sleep_until_chosen()
        return outcome

    def _at(self) -> Measured:
        return Measured(at=round(trio.current_time() - self._started, 6))

    # -- publishing -------------------------------------------------------------------------------------------------

    def full_mailbox(
        self, sender: MemberId, to: str | None, topic: Topic | None, cause: int
    ) -> Mailbox | None:
        """The first mailbox for whose room a sender must wait; answers always find room."""
        if to is not None and not cause:
            mailbox = self._queues.get(to)
            if mailbox is None and to in self._posts:
                mailbox = self._posts[to].inbox
            if mailbox is not None and mailbox.is_full_for(to):
                return mailbox
        if topic is not None:
            for post in self._subscribers.get(topic, ()):
                if post.address.id != sender and not post.is_gone and post.inbox.is_full_for(topic):
                    return post.inbox
        return None

    def publish(
        self,
        sender: MemberId,
        body: AnyBody,
        to: MemberId | Queue | None,
        topic: Topic | None,
        cause: int,
        deadline_seconds: float | None,
    ) -> int:
        """Number a message, record it and deliver it."""
        seq = self.next_seq
        self.next_seq = seq + 1
        self.journal.put(
            Posted(
                seq=seq,
                sender=sender,
                body=body,
                to=to,
                topic=topic,
                cause=cause,
                deadline_seconds=deadline_seconds,
                measured=self._at(),
            )
        )
        envelope = Envelope(
            seq=seq,
            sender=sender,
            body=body,
            to=to,
            topic=topic,
            cause=cause,
            deadline_seconds=deadline_seconds,
        )
        if deadline_seconds is not None:
            self._add_deadline(seq, sender, deadline_seconds)
        if cause and self._unanswered:
            self._unanswered.discard(cause)
        if to is not None:
            self._deliver_to(envelope, to)
        if topic is not None:
            self._deliver_copies(envelope, topic)
        return seq

    def _deliver_to(self, envelope: Envelope, to: str) -> None:
        queue = self._queues.get(to)
        if queue is not None and queue.servers:
            self._deliver(envelope, queue, to)
            return
        post = self._posts.get(to)
        if post is None or post.is_gone:
            self._say_dropped(envelope, f"nobody is at {to}")
        elif post.accepts(envelope.cause):
            post.hand_answer(envelope)
        else:
            self._deliver(envelope, post.inbox, to)

    def _deliver_copies(self, envelope: Envelope, topic: Topic) -> None:
        for post in self._subscribers.get(topic, ()):
            if post.is_gone or post.address.id in (envelope.sender, envelope.to):
                continue
            copies: Sequence[Envelope] = (envelope,)
            for interposer in self._interposers:
                if interposer.topic == topic:
                    copies = [c for copy in copies for c in interposer.pass_on(copy, post.address.id)]
            for copy in copies:
                self._deliver(copy, post.inbox, topic)

    def _deliver(self, envelope: Envelope, mailbox: Mailbox, subject: str) -> None:
        idle = mailbox.idle
        while idle:
            post = idle.popleft()
            if post.is_idle:
                post.hand(envelope)
                return
        waiting = mailbox.waiting
        if envelope.cause or len(waiting) < mailbox.capacity:
            waiting.append(envelope)
            return
        match mailbox.policies.get(subject, "block"):
            case "reject":
                self._say_dropped(envelope, f"the mailbox of {mailbox.name} is full")
            case "drop-oldest":
                oldest = waiting.popleft()
                waiting.append(envelope)
                self._say_dropped(
                    oldest, f"the mailbox of {mailbox.name} is full; a newer message took its place"
                )
            case "latest":
                same = [old for old in waiting if old.topic == envelope.topic and old.to == envelope.to]
                for old in same or [waiting[0]]:
                    waiting.remove(old)
                    self._say_dropped(old, "a newer message took its place")
                waiting.append(envelope)
            case _:
                # A sender that blocks waited for room; several copies of one message may still pass the mark.
                waiting.append(envelope)

    def _say_dropped(self, envelope: Envelope, reason: str) -> None:
        """Tell a sender: a message that was dropped counts as consumed."""
        sender = self._posts.get(envelope.sender)
        if sender is not None and not sender.is_gone:
            body = Dropped(seq=envelope.seq, reason=reason)
            self.publish(RUNTIME, body, sender.address.id, None, envelope.seq, None)

    # -- deadlines --------------------------------------------------------------------------------------------------

    def _add_deadline(self, seq: int, sender: MemberId, seconds: float) -> None:
        self._unanswered.add(seq)
        heapq.heappush(self._deadlines, (trio.current_time() + seconds, seq, sender, seconds))
        if self._deadline_added is not None:
            self._deadline_added.set()
        elif self._nursery is not None:
            self._deadline_added = trio.Event()
            self._nursery.start_soon(self._watch_deadlines, name="deadlines")

    async def _watch_deadlines(self) -> None:
        while True:
            self._deadline_added = trio.Event()
            self._forget_answered()
            until = self._deadlines[0][0] if self._deadlines else float("inf")
            with trio.move_on_at(until):
                await self._deadline_added.wait()
            self._advance()
            await trio.lowlevel.checkpoint()

    def _forget_answered(self) -> None:
        while self._deadlines and self._deadlines[0][1] not in self._unanswered:
            heapq.heappop(self._deadlines)

    def _fire(self, seq: int) -> None:
        entry = next((entry for entry in self._deadlines if entry[1] == seq), None)
        if entry is None:
            raise Divergence("deadline", recorded=f"message {seq} expired", now="no such deadline stands")
        self._deadlines.remove(entry)
        heapq.heapify(self._deadlines)
        if seq not in self._unanswered:
            return
        self._unanswered.discard(seq)
        self.journal.deterministic = False
        self.journal.put(Fired(seq=seq, measured=self._at()))
        self.publish(RUNTIME, Expired(seq=seq, deadline_seconds=entry[3]), entry[2], None, seq, None)
