"""What had to come before what: causal depth in messages, and work and span in measured seconds."""

import msgspec

from benchmarks.measures.episode_record import EpisodeRecord
from engine.bus import RUNTIME
from engine.messages import Brief, NodeId
from engine.record_view import Sent


class CausalPath(msgspec.Struct, frozen=True, kw_only=True):
    """How long the longest chain of an episode is."""

    recorded_depth: int | None
    """Messages on the longest chain of recorded ``cause`` links alone: a request and its answer make 2."""
    depth: int | None
    """Messages on the longest chain, with the links of the research tree."""
    longest: tuple[int, ...]
    """That chain: ``seq`` of its messages."""
    work_seconds: float | None
    """Measured: of all effects of members that a message followed; None where nothing took measured time."""
    span_seconds: float | None
    """Measured: of the effects on the chain that holds most of them."""
    span: tuple[int, ...]
    """That chain."""
    parallelism: float | None
    """Work over span: how many effects at once could have kept busy, at most."""


def causal_path(record: EpisodeRecord) -> CausalPath:
    """The longest chains of causes (happened-before: Lamport 1978; work and span: Blumofe & Leiserson 1999).

    A message's causes are the message that it answers (``cause``), else, for each node that it names as its own or as a
    parent, the last earlier message about that node that its sender took; else the brief. So the order in which one
    member happened to work off independent nodes makes no chain. Memory that a member keeps of copies it heard is not
    on record as a cause, and is not counted. The work of a message is that of its sender's effects since it last posted.
    Depths are None without messages, seconds where no effect has a measured duration.
    """
    causes = _causes(record)
    work = _work(record)
    depth: dict[int, tuple[float, int]] = {}
    heavy: dict[int, tuple[float, int]] = {}
    recorded: dict[int, int] = {}
    for message in record.messages:
        before = causes[message.seq]
        for chain, own in ((depth, 1.0), (heavy, work.get(message.seq, 0.0))):
            best = max(before, key=lambda seq, chain=chain: chain[seq][0], default=0)  # type: ignore[misc]  # a lambda's default is not inferred
            chain[message.seq] = (own + (chain[best][0] if best else 0.0), best)
        recorded[message.seq] = 1 + recorded.get(message.cause, 0)
    total = sum(work.values())
    longest, span = _chain(depth), _chain(heavy)
    seconds = max((length for length, _ in heavy.values()), default=0.0)
    return CausalPath(
        recorded_depth=max(recorded.values(), default=None),
        depth=len(longest) or None,
        longest=longest,
        work_seconds=total if total > 0 else None,
        span_seconds=seconds if total > 0 else None,
        span=span if total > 0 else (),
        parallelism=total / seconds if seconds > 0 else None,
    )


def _causes(record: EpisodeRecord) -> dict[int, tuple[int, ...]]:
    """The causes of each message, all of them earlier."""
    causes: dict[int, tuple[int, ...]] = {}
    taken: dict[tuple[str, NodeId], int] = {}
    brief = next((m.seq for m in record.messages if isinstance(m.body, Brief)), 0)
    for message in record.messages:
        if 0 < message.cause < message.seq and message.cause in causes:
            found = {message.cause}
        else:
            found = {taken.get((message.sender, node), 0) for node in _named(message)} - {0}
            if not found and brief and message.seq > brief and message.sender != RUNTIME:
                found = {brief}
        causes[message.seq] = tuple(sorted(found))
        own = _node(message)
        if message.receiver is not None and own is not None:
            taken[message.receiver, own] = message.seq
    return causes


def _node(message: Sent) -> NodeId | None:
    node = getattr(message.body, "node", None)
    return NodeId(node) if isinstance(node, int) else None


def _named(message: Sent) -> tuple[NodeId, ...]:
    own = _node(message)
    parents: tuple[NodeId, ...] = getattr(message.body, "parents", ())
    return (*parents, *(() if own is None else (own,)))


def _work(record: EpisodeRecord) -> dict[int, float]:
    """Measured seconds of effects by the message that followed them from the same member."""
    posts: dict[str, list[Sent]] = {}
    for message in record.messages:
        posts.setdefault(message.sender, []).append(message)
    work: dict[int, float] = {}
    for act in record.effects:
        after = next((m for m in posts.get(act.member, ()) if m.order > act.order), None)
        if after is not None and act.outcome is not None:
            work[after.seq] = work.get(after.seq, 0.0) + act.seconds
    return work


def _chain(lengths: dict[int, tuple[float, int]]) -> tuple[int, ...]:
    """The chain that ends in the largest length (the first of several), from its beginning."""
    seq = max(lengths, key=lambda key: lengths[key][0], default=0)
    chain: list[int] = []
    while seq:
        chain.append(seq)
        seq = lengths[seq][1]
    return tuple(reversed(chain))
