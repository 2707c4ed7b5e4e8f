"""A model that answers from a record: no network, no key, and never another answer than the recorded one.

A call is found by its place (episode, member, ordinal) and then held against what was asked there; outside of an
episode, where calls have no place, by what is asked, equal requests in the order in which they were recorded.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from engine.errors import Divergence
from engine.models.call_site import CallSite
from engine.models.errors import FailureRecord, error_from_record
from engine.models.fingerprint import first_difference, request_fingerprint
from engine.models.interface import (
    DEFAULT_SETTINGS,
    Answer,
    CallMeasured,
    Completion,
    Conversation,
    Settings,
    Tool,
)

WAIT_SECONDS: Final = 3600.0
"""How long a call without a recorded outcome waits for the end of its episode, which it had outlived."""


@dataclass(frozen=True, kw_only=True)
class RecordedCall:
    """One call as a record has it.

    Attributes:
        where: in which record, and where in it; for people.
        conversation: what was asked; keys in it may be redacted.
        tools: names of the tools offered.
        settings: how to sample.
        outcome: the answer or the failure; None where the record ends before it came.
        request: `request_fingerprint` of what was really asked; empty: of what is here.
        site: where it was asked from; None outside of an episode.
    """

    where: str
    conversation: Conversation
    tools: tuple[str, ...]
    settings: Settings
    outcome: Completion | FailureRecord | None
    request: str = ""
    site: CallSite | None = None

    def fingerprint(self) -> str:
        """Of what was asked."""
        return self.request or request_fingerprint(
            self.conversation, tools=self.tools, settings=self.settings
        )


Finder = Callable[[CallSite], RecordedCall | None]
"""The recorded call of a place; None where the record has none."""


class Replaying:
    """Answers (and fails) as a record says.

    Args:
        name: ``provider/name`` of the model that is replayed.
        source: what the record is called in errors.
        calls: all of a record's; by default none.
        find: looks a place up, instead of `calls`; for records that are read piece by piece.
    """

    def __init__(
        self,
        name: str,
        *,
        source: str,
        calls: Iterable[RecordedCall] = (),
        find: Finder | None = None,
    ) -> None:
        self._name, self._source = name, source
        self._site: CallSite | None = None
        by_site: dict[CallSite, RecordedCall] = {}
        self._unsited: defaultdict[str, deque[RecordedCall]] = defaultdict(deque)
        for call in calls:
            if call.site is not None:
                by_site[call.site] = call
            else:
                self._unsited[call.fingerprint()].append(call)
        self._find: Finder = by_site.get if find is None else find

    @property
    def name(self) -> str:
        """Of the model that is replayed."""
        return self._name

    def at(self, site: CallSite) -> "Replaying":
        """The same record, asked from a place."""
        placed = Replaying(self._name, source=self._source, find=self._find)
        placed._unsited, placed._site = self._unsited, site
        return placed

    async def generate(
        self, conversation: Conversation, *, tools: Sequence[Tool] = (), settings: Settings = DEFAULT_SETTINGS
    ) -> Answer:
        """The recorded answer to this call; passes one checkpoint.

        Raises:
            ModelCallError: the record says so.
            Divergence: the record has no such call, or has something else asked there.
        """
        await trio.lowlevel.checkpoint()
        call = self._recorded(conversation, tools, settings)
        if call.outcome is None:
            # Its episode ended while it was under way, and so it will now.
            await trio.sleep(WAIT_SECONDS)
            raise Divergence(call.where, recorded="no outcome of this call", now="a wait for one")
        if isinstance(call.outcome, FailureRecord):
            raise error_from_record(call.outcome)
        return Answer(call.outcome, CallMeasured())

    def _recorded(
        self, conversation: Conversation, tools: Sequence[Tool], settings: Settings
    ) -> RecordedCall:
        names = tuple(tool.name for tool in tools)
        asked = request_fingerprint(conversation, tools=names, settings=settings)
        call = None if self._site is None else self._find(self._site)
        if call is not None:
            if call.fingerprint() != asked:
                recorded, now = first_difference(
                    (call.conversation, call.tools, call.settings), (conversation, tools, settings)
                )
                raise Divergence(call.where, recorded=recorded, now=now)
            return call
        if self._unsited.get(asked):
            return self._unsited[asked].popleft()
        raise Divergence(
            self._source if self._site is None else f"{self._source}, {self._site}",
            recorded="no such call" if self._site is None else "no call of a model there",
            now=f"a call with {len(conversation)} messages",
        )
