"""The model calls of an episode's record, each with the whole conversation that it continued."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from engine.effects import Failure, ModelAnswer, ModelCall
from engine.errors import RecordDamaged
from engine.journal import AnyRecord, Finished, Started, read_journal
from engine.messages import MemberId
from engine.models.call_site import CallSite
from engine.models.errors import FailureRecord
from engine.models.interface import Completion, Conversation
from engine.models.replaying import RecordedCall, Replaying

_HELD: Final = 16
"""Episodes whose calls are kept in memory at once."""


def recorded_calls(records: Iterable[AnyRecord], *, episode: str) -> dict[tuple[MemberId, int], RecordedCall]:
    """Every model call of a record, by member and ordinal.

    Args:
        records: of a journal, in order.
        episode: its name.
    """
    under_way: dict[tuple[MemberId, int], tuple[ModelCall, Conversation]] = {}
    talks: dict[tuple[MemberId, int], Conversation] = {}
    calls: dict[tuple[MemberId, int], RecordedCall] = {}
    for record in records:
        if isinstance(record, Started) and isinstance(record.effect, ModelCall):
            asked = record.effect
            # A restarted member goes on from an earlier point of its talk: only so much of it is still true.
            before = talks.get((record.member, asked.conversation), ())[: asked.offset]
            conversation = (*before, *asked.new)
            under_way[record.member, record.ordinal] = asked, conversation
            talks[record.member, asked.conversation] = conversation
            calls[record.member, record.ordinal] = _call(record, asked, conversation, None, episode)
        elif isinstance(record, Finished) and (record.member, record.ordinal) in under_way:
            asked, conversation = under_way.pop((record.member, record.ordinal))
            outcome = _outcome(record, asked.model)
            if isinstance(outcome, Completion):
                talks[record.member, asked.conversation] = (*conversation, outcome.message)
            calls[record.member, record.ordinal] = _call(record, asked, conversation, outcome, episode)
    return calls


def _outcome(record: Finished, model: str) -> Completion | FailureRecord | None:
    match record.outcome:
        case ModelAnswer(completion=completion):
            return completion
        case Failure(kind=kind, message=message):
            return FailureRecord(kind=kind, message=message, model=model)
        case _:
            return None


def _call(
    record: Started | Finished,
    asked: ModelCall,
    conversation: Conversation,
    outcome: Completion | FailureRecord | None,
    episode: str,
) -> RecordedCall:
    site = CallSite(episode=episode, member=record.member, ordinal=record.ordinal)
    return RecordedCall(
        where=f"the record of {site}",
        conversation=conversation,
        tools=asked.tools,
        settings=asked.settings,
        outcome=outcome,
        site=site,
    )


class JournalCalls:
    """The model calls in a study's journals, read episode by episode when they are asked for.

    Args:
        episodes: the folder with a folder for each episode.
    """

    def __init__(self, episodes: Path) -> None:
        self._episodes = episodes
        self._held: OrderedDict[str, dict[tuple[MemberId, int], RecordedCall]] = OrderedDict()

    def find(self, site: CallSite) -> RecordedCall | None:
        """The call that was made there.

        Raises:
            RecordDamaged: the episode's record is not there or cannot be read.
        """
        if site.episode not in self._held:
            self._held[site.episode] = self._read(site.episode)
            if len(self._held) > _HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(site.episode)
        return self._held[site.episode].get((MemberId(site.member), site.ordinal))

    def models(self, names: Iterable[str]) -> Mapping[str, Replaying]:
        """For each name, a model that answers from these journals."""
        return {name: Replaying(name, source=str(self._episodes), find=self.find) for name in names}

    def _read(self, episode: str) -> dict[tuple[MemberId, int], RecordedCall]:
        path = self._episodes / episode / "journal.jsonl"
        if not path.is_file():
            raise RecordDamaged(f"{path} is not there; restore it, or run the study without replaying")
        return recorded_calls(read_journal(path), episode=episode)
