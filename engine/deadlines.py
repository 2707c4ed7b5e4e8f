"""The deadlines that stand in an episode, soonest first."""

import heapq

from engine.messages import MemberId


class Deadlines:
    """By when messages want an answer. What was answered in time is forgotten.

    Attributes:
        standing: by message, who asked and for how many seconds it stands.
    """

    __slots__ = ("_heap", "standing")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self.standing: dict[int, tuple[MemberId, float]] = {}

    def add(self, seq: int, asker: MemberId, *, at: float, seconds: float) -> bool:
        """Let one stand.

        Args:
            seq: the message that wants an answer.
            asker: who sent it.
            at: when it strikes, in seconds of the clock.
            seconds: how long that was from its beginning.

        Returns:
            Whether it is now the next to strike.
        """
        self.standing[seq] = (asker, seconds)
        heapq.heappush(self._heap, (at, seq))
        return self._heap[0][1] == seq

    def answered(self, seq: int, by_message_to: str | None) -> None:
        """A message that answers ``seq`` was published; it counts where it is addressed to the one who asked."""
        standing = self.standing.get(seq)
        if standing is not None and standing[0] == by_message_to:
            del self.standing[seq]

    def forget(self, asker: MemberId) -> None:
        """Nobody is left to be told."""
        for seq in [seq for seq, (member, _) in self.standing.items() if member == asker]:
            del self.standing[seq]

    def take(self, seq: int) -> tuple[MemberId, float] | None:
        """Let one strike: who asked, and how long it stood; None where none stands."""
        return self.standing.pop(seq, None)

    def next(self) -> tuple[float, int] | None:
        """When the next one strikes, and for which message."""
        while self._heap and self._heap[0][1] not in self.standing:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None
