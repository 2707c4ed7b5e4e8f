"""A journal, read for measuring: messages with who took them, effects, decisions, nodes, and the team of its head."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.measures.listeners import listeners_of
from engine.bus import RUNTIME
from engine.effects import Evaluation, Scored
from engine.episode import JUDGE, EpisodeSpec
from engine.errors import RecordDamaged, UserError
from engine.journal import AnyRecord, Closed, Opened, read_journal
from engine.messages import ArtefactHash, Brief, MemberId, NodeId, Selection, Topic
from engine.record_view import Act, Decision, Sent, read_decisions, read_effects, read_messages
from engine.research_tree import ResearchNode, research_nodes
from engine.task import Direction, MoveSpace
from tasks.registry import open_task

JOURNAL = "journal.jsonl"


class EpisodeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What measures are taken of."""

    episode: str
    spec: EpisodeSpec | None
    """As the journal's head has it; None where it has none that this version reads."""
    brief: Brief | None
    members: tuple[MemberId, ...]
    """Everybody who sent, took or could have taken a message; without runtime and judge."""
    listeners: dict[Topic, tuple[MemberId, ...]]
    """Who gets a copy of what is published on a topic, as far as the head's team tells; without muted topics."""
    messages: tuple[Sent, ...]
    effects: tuple[Act, ...]
    """Of members; the final scoring is not theirs."""
    decisions: tuple[Decision, ...]
    nodes: tuple[ResearchNode, ...]
    has_ended: bool
    space: MoveSpace | None = None
    """The task's move space, where its digest is still the one that the head names."""

    @property
    def direction(self) -> Direction | None:
        """Whether more or less is better; None before the brief."""
        return None if self.brief is None else self.brief.direction

    @property
    def is_timed(self) -> bool:
        """Whether the record says when things happened."""
        return any(message.at > 0 for message in self.messages)

    def node(self, number: int) -> ResearchNode | None:
        """A node of the research tree."""
        return next((node for node in self.nodes if node.id == number), None)

    def feedback(self) -> dict[ArtefactHash, tuple[float, ...]]:
        """Every feedback score of each artefact that earned one, in the order in which they were asked for."""
        values: dict[ArtefactHash, tuple[float, ...]] = {}
        for act in self.effects:
            if not isinstance(act.effect, Evaluation) or act.effect.split != "feedback":
                continue
            if isinstance(act.outcome, Scored) and act.outcome.score.value is not None:
                artefact = act.effect.artefact
                values[artefact] = (*values.get(artefact, ()), act.outcome.score.value)
        return values

    def handed_in(self) -> ResearchNode | None:
        """The node that the team handed in, else the one that stood last; None where nothing was selected."""
        final = [node for node in self.nodes if node.handed_in]
        if final:
            return final[-1]
        stood = [m.body.node for m in self.messages if isinstance(m.body, Selection)]
        return self.node(stood[-1]) if stood else None

    def ancestry(self, number: int) -> tuple[NodeId, ...]:
        """A node and all that it came from, over every parent, in the order of their numbers; without the starter."""
        known = {node.id: node for node in self.nodes}
        found: set[NodeId] = set()
        waiting = [NodeId(number)]
        while waiting:
            node = waiting.pop()
            if node and node in known and node not in found:
                found.add(node)
                # A record is read as it is written: a parent that is no earlier node would make a ring.
                waiting += [parent for parent in known[node].parents if parent < node]
        return tuple(sorted(found))


def load_record(source: Path | Sequence[AnyRecord]) -> EpisodeRecord:
    """A record made ready for measuring.

    Args:
        source: an episode's folder, its journal's path, or the journal's records in order.

    Raises:
        UserError: when there is no journal.
        RecordDamaged: when it cannot be read beyond a torn tail.
    """
    records = _read(source) if isinstance(source, Path) else tuple(source)
    opened = next((record for record in records if isinstance(record, Opened)), None)
    spec = None if opened is None else _spec(opened)
    messages = read_messages(records)
    listeners = {} if spec is None else listeners_of(spec.team)
    heard = [member for of_topic in listeners.values() for member in of_topic]
    took = [message.receiver for message in messages if message.receiver is not None]
    everybody = dict.fromkeys([*(message.sender for message in messages), *took, *heard])
    return EpisodeRecord(
        episode="" if opened is None else opened.episode,
        spec=spec,
        brief=next((m.body for m in messages if isinstance(m.body, Brief)), None),
        members=tuple(sorted(member for member in everybody if member not in (RUNTIME, JUDGE))),
        listeners=listeners,
        messages=messages,
        effects=tuple(act for act in read_effects(records) if act.member != JUDGE),
        decisions=read_decisions(records),
        nodes=research_nodes([(m.sender, m.body, m.cause) for m in messages]),
        has_ended=any(isinstance(record, Closed) for record in records),
        space=None if spec is None else _space(spec),
    )


def role_of(member: str) -> str:
    """The role of a member: replicas share it."""
    return member.partition(".")[0]


def _read(path: Path) -> tuple[AnyRecord, ...]:
    journal = path if path.is_file() else path / JOURNAL
    try:
        return tuple(read_journal(journal))
    except FileNotFoundError as error:
        raise UserError(f"{path} holds no {JOURNAL}; name an episode's folder") from error
    except OSError as error:
        raise RecordDamaged(f"{journal} cannot be read: {error.strerror}; check its permissions") from error


def _spec(opened: Opened) -> EpisodeSpec | None:
    try:
        return msgspec.json.decode(opened.specification, type=EpisodeSpec)
    except msgspec.DecodeError:
        return None


def _space(spec: EpisodeSpec) -> MoveSpace | None:
    try:
        space = open_task(spec.task).moves.space
    except UserError:
        return None
    return space if spec.hashes.get("moves") == space.digest() else None
