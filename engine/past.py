"""What the record of a fork holds of the time before it: from here a policy learns what its predecessor saw.

Receipts are not on the record. They follow from it: a member takes its messages in the order in which they were
published, and hears of its topics what the team's interposers let through.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from engine.effects import AnyOutcome
from engine.interposers import Interposer
from engine.journal import AnyRecord, Finished, Posted
from engine.messages import AnyBody, Envelope, MemberId, Queue, Topic


@dataclass(frozen=True, kw_only=True)
class Served:
    """A request that a member answered.

    Attributes:
        request: what was asked.
        outcomes: of the effects on the way to the answer, in order.
        answer: what it said.
    """

    request: Envelope
    outcomes: tuple[AnyOutcome, ...]
    answer: AnyBody


class Past:
    """The record up to the message at which a fork leaves its origin.

    Args:
        records: up to that message.
        make_interposers: makes the origin's interposers with empty memories.
    """

    def __init__(
        self, records: Iterable[AnyRecord], make_interposers: Callable[[], Sequence[Interposer]]
    ) -> None:
        self._records = tuple(records)
        self._make_interposers = make_interposers

    def heard(self, by: MemberId, topics: Iterable[Topic]) -> list[Envelope]:
        """What was published on some topics, as it would have reached a subscriber; its own words are as it said them."""
        interposers, wanted = self._make_interposers(), set(topics)
        heard: list[Envelope] = []
        for record in self._records:
            if not isinstance(record, Posted) or record.topic is None:
                continue
            copies: Sequence[Envelope] = (record.envelope(),)
            if record.sender != by:
                for interposer in interposers:
                    if interposer.topic is None or interposer.topic == record.topic:
                        copies = [c for copy in copies for c in interposer.pass_on(copy, by)]
            if record.topic in wanted:
                heard += copies
        return heard

    def served(self, by: MemberId, queue: Queue) -> list[Served]:
        """The requests of a queue that a member had answered, in order."""
        requests = {r.seq: r for r in self._records if isinstance(r, Posted) and r.to == queue}
        outcomes: list[AnyOutcome] = []
        served: list[Served] = []
        for record in self._records:
            if isinstance(record, Finished) and record.member == by:
                outcomes.append(record.outcome)
            elif isinstance(record, Posted) and record.sender == by and record.cause:
                # One request at a time: what was done since the last answer was done for this one.
                if record.cause in requests:
                    request = requests[record.cause].envelope()
                    served.append(Served(request=request, outcomes=tuple(outcomes), answer=record.body))
                outcomes.clear()
        return served
