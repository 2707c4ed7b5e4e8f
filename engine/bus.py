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

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import trio

from engine.deadlines import Deadlines
from engine.effects import AnyEffect, AnyOutcome
from engine.errors import (
    BadSpecification,
    Deadlock,
    Divergence,
    EngineDefect,
    EngineError,
    MemberFailed,
    OutputUnusable,
    RecordDamaged,
)
from engine.failures import alone, reason_of
from engine.interposers import Interposer
from engine.journal import AnyRecord, Finished, Fired, Journal, Posted, Started, as_read_back, diverged
from engine.mailbox import Mailbox
from engine.messages import AnyBody, Dropped, Envelope, Expired, Failed, MemberId, Queue, Topic
from engine.post import Address, Performance, Post
from engine.task import Measured

RUNTIME = MemberId("runtime")
MAX_RESTARTS = 2
WALL_TIME = 0
"""In a `Fired` record, in place of a message: the episode's wall time is used up."""


class InfrastructureFailed(EngineError):
    """Raised through a member when the outside let the engine down: nothing is recorded, a rerun tries again."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error) or type(error).__name__)
        self.error = error


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A change of the wiring at one message: who stands where from then on.

    Attributes:
        at: the message; it is delivered by the new wiring already.
        addresses: every member from then on; who is not named serves and hears nothing more.
    """

    at: int
    addresses: tuple[Address, ...]


# Faults that are nobody's policy to survive: the episode stops where it stands.
_FATAL = (Divergence, OutputUnusable, RecordDamaged, EngineDefect, InfrastructureFailed)


@dataclass(slots=True, eq=False)
class _Slot:
    """An effect that was started and not yet handed to its member."""

    post: "Post"
    ordinal: int
    effect: AnyEffect
    sync: bool
    finished: Finished | None = None


class Bus:
    """See the module. Opened for one episode and run once.

    Attributes:
        running: whose code may run; None while everybody waits.
        turns: how often members went on without waiting since the loop last had its turn.
        is_out_of_time: whether the wall time ended the run.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        journal: Journal,
        *,
        interposers: Sequence[Interposer] = (),
        arrival_order: bool = False,
        began: float | None = None,
        until: float = float("inf"),
        turn: Turn | None = None,
    ) -> None:
        """Set up mailboxes; nothing runs yet.

        Args:
            addresses: every member; the order in which they get the baton first.
            journal: where everything is put.
            interposers: applied to copies of a topic's messages, in order.
            arrival_order: release effects as they finish, not as they were started.
            began: when the episode began, in seconds of the clock; earlier attempts count. None: now.
            until: when its wall time is used up, in seconds of the clock.
            turn: a change of the wiring on the way; members that only it names join then.

        Raises:
            BadSpecification: for a mailbox without room, or names that cannot be told apart.
        """
        if sum(address.leads for address in addresses) != 1:
            raise EngineDefect("an episode has exactly one leading member")
        _check_names(addresses)
        self.journal = journal
        self.next_seq = 1
        self.running: Post | None = None
        self.turns = 0
        self.is_out_of_time = False
        self._began = trio.current_time() if began is None else began
        self._until = until
        self._arrival_order = arrival_order
        self._interposers = tuple(interposers)
        self._queues: dict[str, Mailbox] = {}
        self._posts: dict[str, Post] = {}
        self._subscribers: dict[Topic, list[Post]] = {}
        for address in addresses:
            self._seat(address)
        self._lead = next(post for post in self._posts.values() if post.address.leads)
        self._ready: deque[Post] = deque(self._posts.values())
        self._turn, self._turns_at = turn, turn.at if turn is not None else 0
        self._newcomers = [] if turn is None else self._expect(turn.addresses)
        self._outstanding: deque[_Slot] = deque()
        self._arrived: deque[_Slot] = deque()
        self._deadlines = Deadlines()
        self._clock_changed: trio.Event | None = None
        self._nursery: trio.Nursery | None = None
        self._deadlock: Deadlock | None = None
        self._fatal: Exception | None = None
        self._has_begun = self._is_stopped = False
        # Looked at before each choice only while there is a record to follow, or once the wall time is used up.
        self._must_look = self._follows_record = journal.replaying
        self._record_is_over = trio.Event()

    def _seat(self, address: Address) -> None:
        mailboxes = [Mailbox(address.id, address.capacity, address.policies)]
        for queue in address.queues:
            shared = self._queues.setdefault(queue, Mailbox(queue, address.capacity, address.policies))
            shared.servers += 1
            mailboxes.append(shared)
        post = self._posts[address.id] = Post(self, address, mailboxes)
        for topic in address.topics:
            self._subscribers.setdefault(topic, []).append(post)

    def _expect(self, addresses: Sequence[Address]) -> list[Post]:
        """Posts for members that join later; until then nobody is there."""
        new = [address for address in addresses if address.id not in self._posts]
        _check_names([*(post.address for post in self._posts.values()), *new])
        for address in new:
            inbox = Mailbox(address.id, address.capacity, address.policies)
            self._posts[address.id] = Post(self, address, [inbox])
            self._posts[address.id].is_gone = True
        return [self._posts[address.id] for address in new]

    def post(self, member: MemberId) -> Post:
        """A member's end of the bus."""
        return self._posts[member]

    # -- running ----------------------------------------------------------------------------------------------------

    async def run(self, behave: Callable[[Post], Awaitable[None]]) -> None:
        """Let every member live until the leader returns or time is up; all of them are gone when this returns.

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
            if self._until < float("inf") or self._deadlines.standing:
                self._watch_clock()
        if self._fatal is not None:
            raise self._fatal

    async def _kick_off(self) -> None:
        while any(not post.is_waiting for post in self._posts.values()):
            await trio.lowlevel.checkpoint()
        self._has_begun = True
        self._advance()

    async def _live(self, post: Post, behave: Callable[[Post], Awaitable[None]]) -> None:
        await post.sleep_until_chosen()
        lives = True
        while lives:
            lives = False
            try:
                await behave(post)
            except (*_FATAL, Deadlock) as error:
                self._stop(error)
            except Exception as error:  # noqa: BLE001 - the boundary of a member: its failure is put on the record
                lives = self._handle_failure(post, error)
        if self.running is post:
            self._retire(post)
        else:  # it ended on its way out, which is no event of the episode, or it waited for something of its own
            self._stop(_broke_the_rule(post))

    def _stop(self, error: Exception | None) -> None:
        """End the run; what comes first decides how. Nothing more is recorded."""
        if not self._is_stopped:
            self._is_stopped, self._fatal = True, error
            self.running = None
            if self._nursery is not None:
                self._nursery.cancel_scope.cancel()

    def _handle_failure(self, post: Post, error: Exception) -> bool:
        """Do what the member's policy says; whether it lives on."""
        if self.running is not post:
            return False
        reason = reason_of(error)
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
                for unanswered in post.unanswered(self._posts.values()):
                    self._say_dropped(unanswered, f"{post.address.id} failed")
        except _FATAL as fatal:
            self._stop(fatal)
        return False

    def _retire(self, post: Post) -> None:
        post.is_gone, post.why = True, "nothing: it has ended"
        if post.address.leads:
            self._stop(None)
            return
        try:
            self._deadlines.forget(post.address.id)
            for queue in post.address.queues:
                mailbox = self._queues[queue]
                mailbox.servers -= 1
                if not mailbox.servers:
                    self._close(mailbox)
            self._close(post.inbox)
        except _FATAL as fatal:
            self._stop(fatal)
        self.running = None
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
        self.running = None
        chosen = self._choose()
        if chosen is not post:
            if chosen is not None:
                self._give(chosen)
            await post.sleep_until_chosen()
        else:
            self.running = post
        if self._deadlock is not None and post is self._lead:
            deadlock, self._deadlock = self._deadlock, None
            raise deadlock

    async def let_others_breathe(self, post: Post) -> None:
        """Let the loop have its turn: members that never wait must not starve other episodes.

        Raises:
            EngineDefect: when the member does not have the baton, and is not being cancelled.
        """
        if self.running is not post:
            await trio.lowlevel.checkpoint_if_cancelled()
            raise _broke_the_rule(post)
        self.turns = 0
        try:
            await trio.lowlevel.checkpoint()
        except BaseException:
            post.is_cancelled, self.running = True, None
            raise

    def _give(self, chosen: Post) -> None:
        self.running = chosen
        chosen.resume()

    def _advance(self) -> None:
        """Choose who runs next, where nobody does."""
        if self.running is None and self._has_begun:
            chosen = self._choose()
            if chosen is not None:
                self._give(chosen)

    def _choose(self) -> Post | None:
        try:
            if self._is_stopped or (self._must_look and self._is_time_up()):
                return None
            if not self._ready:
                self._release()
                if not (self._ready or self._outstanding or self._deadlines.standing):
                    self._report_deadlock()
        except _FATAL as error:
            self._stop(error)
            return None
        while self._ready:
            post = self._ready.popleft()
            if not post.is_cancelled:
                return post
        return None

    def _is_time_up(self) -> bool:
        """Whether the run ends here by the clock. In a rerun the record says where, and the clock does not count."""
        expected = self.journal.expects()
        if expected is None:
            self._must_look = trio.current_time() >= self._until
        if self._must_look and (expected is None or _is_wall_time(expected)):
            self.journal.deterministic = False
            self.journal.put(Fired(seq=WALL_TIME, measured=self._at()))
            self.is_out_of_time = True
            self._stop(None)
        return self.is_out_of_time

    def _release(self) -> None:
        """Everybody waits: hand over the next outcome, or let the next deadline strike, if one is due."""
        expected = self.journal.expects()
        if isinstance(expected, Fired):
            self._fire(expected.seq)
            return
        if expected is None and not self._record_is_over.is_set():
            self._record_is_over.set()
        slot = self._next_slot(expected)
        if slot is not None and slot.finished is not None:
            self._hand_over(slot, slot.finished)
        elif expected is not None and (self._outstanding or self._deadlines.standing):
            # Nothing of the record waits for what it has no answer to.
            raise diverged(self.journal.name, expected, None)
        elif (due := self._deadlines.next()) is not None and due[0] <= trio.current_time():
            self._fire(due[1])
        else:
            self.journal.flush()

    def _next_slot(self, expected: AnyRecord | None) -> _Slot | None:
        if not self._arrival_order:
            return self._outstanding[0] if self._outstanding else None
        if not isinstance(expected, Finished):
            return self._arrived[0] if self._arrived else None
        key = (expected.member, expected.ordinal)
        return next((s for s in self._arrived if (s.post.address.id, s.ordinal) == key), None)

    def _hand_over(self, slot: _Slot, finished: Finished) -> None:
        self._outstanding.remove(slot)
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
        known = self.journal.answer(member, ordinal, effect)
        self.journal.put(Started(member=member, ordinal=ordinal, effect=effect, measured=self._at()))
        slot = _Slot(post, ordinal, effect, sync)
        self._outstanding.append(slot)
        post.why = f"the outcome of {type(effect).__name__}"
        if known is not None:
            slot.finished = known
            self._arrived.append(slot)
            await self.park(post)
            return known.outcome
        self.journal.flush()
        self.running = None
        self._advance()
        finished = slot.finished = await self._do(slot, run)
        self._arrived.append(slot)
        if self.running is None:
            chosen = self._choose()
            if chosen is post:
                self.running = post
                return finished.outcome
            if chosen is not None:
                self._give(chosen)
        if slot in self._outstanding:
            # Others are before it: kept at once, since nothing that was paid for may be lost.
            try:
                self.journal.keep_early(effect, finished, sync=sync)
            except OutputUnusable as error:
                self._stop(error)
        await post.sleep_until_chosen()
        return finished.outcome

    async def _do(self, slot: _Slot, run: Performance) -> Finished:
        """Do an effect for real, once a rerun is past its record: the leader may have ended without it there.

        Raises:
            InfrastructureFailed, OutputUnusable: when it cannot be done; the run has been stopped then.
        """
        try:
            if self._follows_record:
                await self._record_is_over.wait()
            outcome, measured = await run()
            return as_read_back(
                Finished(
                    member=slot.post.address.id, ordinal=slot.ordinal, outcome=outcome, measured=measured
                )
            )
        except Exception as error:  # the border to the outside: not the member's code has failed
            # The record knows that it was started and not how it ended: a rerun starts it again. `OutputUnusable`:
            # no episode could keep anything, so that the whole run ends.
            failure = error if isinstance(error, OutputUnusable) else InfrastructureFailed(alone(error))
            self._stop(failure)
            await trio.lowlevel.checkpoint()  # cancelled here: what a member catches must not let it go on
            raise failure from error
        except BaseException:
            slot.post.is_cancelled = True
            raise

    def now(self) -> float:
        """Seconds since the episode began, those of earlier attempts included."""
        return trio.current_time() - self._began

    def _at(self) -> Measured:
        return Measured(at=round(self.now(), 6))

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
        self.next_seq = seq + 1  # one that cannot be recorded has no number
        if seq == self._turns_at:
            self._rewire()
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
            at = trio.current_time() + deadline_seconds
            if self._deadlines.add(seq, sender, at=at, seconds=deadline_seconds):
                self._watch_clock()
        if cause and self._deadlines.standing:
            self._deadlines.answered(cause, to)
        if to is not None:
            self._deliver_to(envelope, to)
        if topic is not None:
            self._deliver_copies(envelope, topic)
        return seq

    def _rewire(self) -> None:
        """Let everybody stand where the turn says. Who is at work on a message finishes it first."""
        assert self._turn is not None  # else there is no message at which it comes
        for post in self._newcomers:
            post.is_gone = False
            self.make_ready(post)
        then = {address.id: address for address in self._turn.addresses}
        for post in self._posts.values():
            left = replace(post.address, queues=(), topics=())
            self._reseat(post, then.get(post.address.id, left))

    def _reseat(self, post: Post, address: Address) -> None:
        served = [] if post.is_gone else [self._served(queue, address) for queue in address.queues]
        for mailbox in self._queues.values():
            is_new, was = mailbox in served, post.serves(mailbox)
            mailbox.servers += is_new - was
            if was and not is_new and post in mailbox.idle:
                mailbox.idle.remove(post)
        for topic in {*post.address.topics, *address.topics}:
            hearers = self._subscribers.setdefault(topic, [])
            if post in hearers and topic not in address.topics:
                hearers.remove(post)
            elif post not in hearers and topic in address.topics:
                hearers.append(post)
        post.move(address, served)

    def _served(self, queue: Queue, address: Address) -> Mailbox:
        return self._queues.setdefault(queue, Mailbox(queue, address.capacity, address.policies))

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
                if interposer.topic is None or interposer.topic == topic:
                    copies = [c for copy in copies for c in interposer.pass_on(copy, post.address.id)]
            for copy in copies:
                self._deliver(copy, post.inbox, topic)

    def _deliver(self, envelope: Envelope, mailbox: Mailbox, subject: str) -> None:
        if mailbox.idle and (post := mailbox.idle_server()) is not None:
            post.hand(envelope)
            return
        for dropped, reason in mailbox.put(envelope, subject):
            self._say_dropped(dropped, reason)

    def _say_dropped(self, envelope: Envelope, reason: str) -> None:
        """Tell a sender: a message that was dropped counts as consumed."""
        sender = self._posts.get(envelope.sender)
        if sender is not None and not sender.is_gone:
            body = Dropped(seq=envelope.seq, reason=reason)
            self.publish(RUNTIME, body, sender.address.id, None, envelope.seq, None)

    def note_taken(self, envelope: Envelope, by: Post) -> None:
        """Remember who has a request that its sender waits on."""
        sender = self._posts.get(envelope.sender)
        if sender is not None and sender.awaited == envelope.seq:
            sender.asked = (by, envelope)

    # -- the clock --------------------------------------------------------------------------------------------------

    def _watch_clock(self) -> None:
        if self._clock_changed is not None:
            self._clock_changed.set()
        elif self._nursery is not None:
            self._clock_changed = trio.Event()
            self._nursery.start_soon(self._strike, name="clock")

    async def _strike(self) -> None:
        """Look, when a deadline or the end of the wall time is due, whether it can strike."""
        until = self._until
        while True:
            self._clock_changed = trio.Event()
            due = self._deadlines.next()
            with trio.move_on_at(min(until, due[0] if due is not None else until)):
                await self._clock_changed.wait()
            if trio.current_time() >= until:
                self._must_look, until = True, float("inf")
            self._advance()
            await trio.lowlevel.checkpoint()

    def _fire(self, seq: int) -> None:
        struck = self._deadlines.take(seq)
        if struck is None:
            raise Divergence(
                self.journal.name, recorded=f"message {seq} expired", now="no such deadline stands"
            )
        asker, seconds = struck
        self.journal.deterministic = False
        self.journal.put(Fired(seq=seq, measured=self._at()))
        self.publish(RUNTIME, Expired(seq=seq, deadline_seconds=seconds), asker, None, seq, None)


def _check_names(addresses: Sequence[Address]) -> None:
    members = [address.id for address in addresses]
    queues = {str(queue) for address in addresses for queue in address.queues}
    for member in members:
        if members.count(member) > 1 or member in queues or member == RUNTIME:
            raise BadSpecification(
                f"member {member}",
                "its name is that of another member, of a queue or of the runtime; rename it",
            )
    for address in addresses:
        if address.capacity < 1:
            raise BadSpecification(
                f"mailbox of {address.id}", f"{address.capacity} messages; 1 or more are needed"
            )


def _is_wall_time(record: AnyRecord) -> bool:
    return isinstance(record, Fired) and record.seq == WALL_TIME


def _broke_the_rule(post: Post) -> EngineDefect:
    return EngineDefect(
        f"{post.address.id} awaited something else than the methods of its Member, one at a time"
    )
