"""What a journal says, as typed values in its order: messages with who took them, effects with outcomes, decisions."""

from collections.abc import Sequence

import msgspec

from engine.bus import RUNTIME
from engine.effects import AnyEffect, AnyOutcome
from engine.journal import AnyRecord, Decided, Finished, Posted, Started
from engine.messages import AnyBody, MemberId, Queue, Topic


class Sent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message, with who took it."""

    order: int
    """Line of the journal, from 1: the order over messages, effects and decisions."""
    seq: int
    sender: MemberId
    receiver: MemberId | None = None
    """The member that took it: the addressee, or who answered from its queue; None while nobody has."""
    to: MemberId | Queue | None = None
    topic: Topic | None = None
    cause: int = 0
    at: float = 0.0
    """Seconds since the episode began."""
    body: AnyBody


class Act(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An effect on the outside and what came of it."""

    order: int
    """Line of the outcome, or of the start where there is none yet."""
    member: MemberId
    ordinal: int
    effect: AnyEffect
    outcome: AnyOutcome | None = None
    """None while it is under way, or where the episode was cut off."""
    at: float = 0.0
    seconds: float = 0.0


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A decision with its rule and what else was considered."""

    order: int
    member: MemberId
    what: str
    chosen: str
    rule: str
    candidates: dict[str, float] = {}


def read_messages(records: Sequence[AnyRecord]) -> tuple[Sent, ...]:
    """Every message, with the member that took it where the record tells."""
    posted = [(order, record) for order, record in enumerate(records, start=1) if isinstance(record, Posted)]
    senders = {record.sender for _, record in posted}
    answered = {
        record.cause: record.sender for _, record in posted if record.cause and record.sender != RUNTIME
    }
    servers: dict[str, set[MemberId]] = {}
    for _, record in posted:
        if record.to is not None and record.to not in senders and record.seq in answered:
            servers.setdefault(record.to, set()).add(answered[record.seq])

    def receiver(record: Posted) -> MemberId | None:
        if record.to is None or record.to in senders:
            return MemberId(record.to) if record.to is not None else None
        known = servers.get(record.to, set())
        return answered.get(record.seq) or (next(iter(known)) if len(known) == 1 else None)

    return tuple(
        Sent(
            order=order,
            seq=record.seq,
            sender=record.sender,
            receiver=receiver(record),
            to=record.to,
            topic=record.topic,
            cause=record.cause,
            at=record.measured.at if record.measured is not None else 0.0,
            body=record.body,
        )
        for order, record in posted
    )


def read_effects(records: Sequence[AnyRecord]) -> tuple[Act, ...]:
    """Every effect with its outcome, in the order in which they were started."""
    acts: dict[tuple[MemberId, int], Act] = {}
    for order, record in enumerate(records, start=1):
        if isinstance(record, Started):
            at = record.measured.at if record.measured is not None else 0.0
            acts[record.member, record.ordinal] = Act(
                order=order, member=record.member, ordinal=record.ordinal, effect=record.effect, at=at
            )
        elif isinstance(record, Finished) and (key := (record.member, record.ordinal)) in acts:
            seconds = record.measured.seconds if record.measured is not None else 0.0
            acts[key] = msgspec.structs.replace(
                acts[key], order=order, outcome=record.outcome, seconds=seconds
            )
    return tuple(acts.values())


def read_decisions(records: Sequence[AnyRecord]) -> tuple[Decision, ...]:
    """Every decision."""
    return tuple(
        Decision(
            order=order,
            member=record.member,
            what=record.what,
            chosen=record.chosen,
            rule=record.rule,
            candidates=record.candidates,
        )
        for order, record in enumerate(records, start=1)
        if isinstance(record, Decided)
    )
