"""How often a voice gives way to the majority: from what each function argued first and how it voted afterwards."""

from collections import Counter
from dataclasses import dataclass, field

import msgspec

from benchmarks.measures.episode_record import EpisodeRecord
from engine.messages import Argument, Motion, NodeId, Queue, Vote


class Conformity(msgspec.Struct, frozen=True, kw_only=True):
    """Votes beside the positions that the same functions had argued for before they heard the others."""

    motions: int
    votes: int
    """Votes that are no abstention."""
    changed: int
    """Votes for another candidate than the one argued for."""
    change_rate: float | None
    """``changed`` over the votes of functions that had a position; None without one."""
    exposed: int
    """Voters whose own position was not that of most of the others (two of them at least)."""
    conformed: int
    """Of those, how many voted with the others' majority."""
    conformity_rate: float | None
    """``conformed`` over ``exposed``; None where nobody was exposed."""
    unanimous: float | None
    """Share of motions with at least two votes in which all were the same; None without such a motion."""


@dataclass(kw_only=True)
class _Council:
    motion: Motion
    positions: dict[Queue, NodeId] = field(default_factory=dict[Queue, NodeId])
    votes: dict[Queue, NodeId] = field(default_factory=dict[Queue, NodeId])
    is_voting: bool = False


def conformity(record: EpisodeRecord) -> Conformity:
    """Conformity as in the experiments of Asch (1956): changes towards a majority, among those who stood against it.

    A function's position is the candidate for which it claims most; where the question is whether a candidate takes the
    incumbent's place, the candidate if it claims a gain and the incumbent if not. Ties and silence are no position. The
    majority is of the *other* functions' positions: more than half of them, and two at least.
    """
    councils = _councils(record)
    exposed = conformed = changed = positioned = 0
    for council in councils:
        for function, vote in council.votes.items():
            own = council.positions.get(function)
            if own is None:
                continue
            positioned += 1
            changed += vote != own
            majority = _majority([p for f, p in council.positions.items() if f != function])
            if majority is not None and majority != own:
                exposed += 1
                conformed += vote == majority
    several = [council for council in councils if len(council.votes) > 1]
    return Conformity(
        motions=len(councils),
        votes=sum(len(council.votes) for council in councils),
        changed=changed,
        change_rate=changed / positioned if positioned else None,
        exposed=exposed,
        conformed=conformed,
        conformity_rate=conformed / exposed if exposed else None,
        unanimous=sum(len(set(c.votes.values())) == 1 for c in several) / len(several) if several else None,
    )


def _councils(record: EpisodeRecord) -> list[_Council]:
    """Every motion with what was argued and voted, in order; a motion on the same nodes again is another."""
    motions: dict[int, _Council] = {}
    current: dict[tuple[str, tuple[NodeId, ...]], _Council] = {}
    councils: list[_Council] = []
    for message in record.messages:
        body = message.body
        if isinstance(body, Motion):
            key = (body.question, tuple(candidate.node for candidate in body.candidates))
            council = current.get(key)
            if council is None or (body.stage == "argue" and council.is_voting):
                council = current[key] = _Council(motion=body)
                councils.append(council)
            council.is_voting = council.is_voting or body.stage == "vote"
            motions[message.seq] = council
        elif isinstance(body, Argument) and message.cause in motions:
            position = _position(body, motions[message.cause].motion)
            if position is not None:
                motions[message.cause].positions[body.function] = position
        elif isinstance(body, Vote) and message.cause in motions and body.choice is not None:
            motions[message.cause].votes[body.function] = body.choice
    return councils


def _position(argument: Argument, motion: Motion) -> NodeId | None:
    if not argument.claims:
        return None
    if motion.question == "accept":
        first, last = motion.candidates[0].node, motion.candidates[-1].node
        gains = [claim.gain for claim in argument.claims if claim.node == first]
        return None if not gains or gains[0] == 0 else first if gains[0] > 0 else last
    ranked = sorted(argument.claims, key=lambda claim: -claim.gain)
    if len(ranked) > 1 and ranked[0].gain == ranked[1].gain:
        return None
    return ranked[0].node


def _majority(positions: list[NodeId]) -> NodeId | None:
    if len(positions) < 2:
        return None
    choice, count = Counter(positions).most_common(1)[0]
    return choice if count > len(positions) / 2 and count > 1 else None
