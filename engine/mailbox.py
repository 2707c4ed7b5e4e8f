"""Bounded places where messages wait, and what becomes of one that finds no room."""

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from engine.messages import Envelope
from engine.team import MailboxPolicy

if TYPE_CHECKING:
    from engine.post import Post


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

    def idle_server(self) -> "Post | None":
        """The member that has waited longest for a message here; it waits no more."""
        while self.idle:
            post = self.idle.popleft()
            if post.is_idle:
                return post
        return None

    def put(self, envelope: Envelope, subject: str) -> list[tuple[Envelope, str]]:
        """Let a message wait; answers always find room.

        Returns:
            Messages that were dropped for it, it may be itself, each with the reason.
        """
        waiting = self.waiting
        if envelope.cause or len(waiting) < self.capacity:
            waiting.append(envelope)
            return []
        dropped: list[Envelope] = []
        reason = "a newer message took its place"
        match self.policies.get(subject, "block"):
            case "reject":
                return [(envelope, f"the mailbox of {self.name} is full")]
            case "drop-oldest":
                dropped = self._oldest()
                reason = f"the mailbox of {self.name} is full; {reason}"
            case "latest":
                same = [old for old in waiting if old.topic == envelope.topic and old.to == envelope.to]
                dropped = [old for old in same if not old.cause] or self._oldest()
            case _:
                pass  # a sender that blocks waited for room; copies of one message may still pass the mark
        for old in dropped:
            waiting.remove(old)
        waiting.append(envelope)
        return [(old, reason) for old in dropped]

    def _oldest(self) -> list[Envelope]:
        """What gives way: the oldest message that is no answer, if there is one; somebody waits for an answer."""
        return [old for old in self.waiting if not old.cause][:1]
