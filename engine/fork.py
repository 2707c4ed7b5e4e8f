"""Forks: the same research up to a message, and then another team, another strategy or other draws.

A fork is an episode of its own. Its record begins with its origin's, line for line up to the message; running it is
going on from that record (`engine.episode.run_episode`), so that nothing before the message is done or paid for again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine.episode import EpisodeSpec
from engine.errors import BadSpecification, OutputUnusable, RecordDamaged
from engine.fork_point import ForkPoint
from engine.journal import (
    AnyRecord,
    Finished,
    Opened,
    Posted,
    Started,
    digest_of,
    read_journal,
)
from engine.messages import MemberId
from engine.seeds import Seeds
from engine.team import TeamSpec

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, kw_only=True)
class Origin:
    """An episode that can be forked, as its record has it.

    Attributes:
        folder: where the record is.
        spec: what it followed from.
        head: the first line.
        records: all that come after it.
    """

    folder: Path
    spec: EpisodeSpec
    head: Opened
    records: tuple[AnyRecord, ...]

    @property
    def messages(self) -> int:
        """How many messages are on the record."""
        return sum(isinstance(record, Posted) for record in self.records)

    def until(self, message: int) -> tuple[AnyRecord, ...]:
        """The record from after its head up to a message.

        Raises:
            BadSpecification: there is no such message.
        """
        for place, record in enumerate(self.records):
            if isinstance(record, Posted) and record.seq == message:
                return self.records[: place + 1]
        raise BadSpecification(
            "--at", f"{message} is no message of {self.spec.id}; its messages are 1 to {self.messages}"
        )


def read_origin(folder: Path) -> Origin:
    """An episode's record, to be forked.

    Args:
        folder: with ``journal.jsonl`` in it; it is only read, and the episode may still be running.

    Raises:
        RecordDamaged: the record is not there, cannot be read, or is of something else than its head says.
        BadSpecification: the episode is itself a fork.
    """
    path = folder / "journal.jsonl"
    if not path.is_file():
        raise RecordDamaged(f"{folder} holds no episode; name DIR/EPISODE of an earlier run")
    records = list(read_journal(path))
    head = records[0] if records else None
    if not isinstance(head, Opened):
        raise RecordDamaged(f"{path}: its first line is no head; restore it, or fork another episode")
    try:
        spec = msgspec.json.decode(bytes(head.specification), type=EpisodeSpec)
    except msgspec.MsgspecError as error:
        raise RecordDamaged(
            f"{path}: this program cannot read the specification in its head ({error}); "
            "fork it with the program that wrote it"
        ) from error
    if spec.digest() != head.spec:
        raise RecordDamaged(
            f"{path}: its head holds another specification than it says; restore it, or fork another episode"
        )
    if spec.fork is not None:
        raise BadSpecification(str(folder), f"is itself a fork; fork its origin, {spec.fork.origin}")
    return Origin(folder=folder, spec=spec, head=head, records=tuple(records[1:]))


def fork_spec(
    origin: Origin,
    *,
    at: int,
    team: TeamSpec | None = None,
    patches: Sequence[str] = (),
    seeds: Seeds | None = None,
) -> EpisodeSpec:
    """The specification of a fork.

    Args:
        origin: what it leaves.
        at: the last message that both have.
        team: who goes on; None: the same team.
        patches: what was done to the team, in words.
        seeds: where draws come from once the message is passed; None: from where they came. The task's stays.

    Raises:
        BadSpecification: there is no such message, or the seeds are of another task.
    """
    spec = origin.spec
    if seeds is not None and seeds.task != spec.seeds.task:
        raise BadSpecification(
            "seeds.task", f"a fork keeps its origin's, {spec.seeds.task}; change the others"
        )
    point = ForkPoint(
        origin=spec.id,
        spec=spec.digest(),
        at=at,
        record=digest_of(origin.until(at)),
        team=spec.team,
        seeds=spec.seeds,
        patches=tuple(patches),
    )
    return msgspec.structs.replace(spec, team=team or spec.team, seeds=seeds or spec.seeds, fork=point)


def begin_fork(origin: Origin, spec: EpisodeSpec, folder: Path) -> None:
    """Let a fork's record begin with its origin's; one that has begun stays as it is.

    Outcomes that came only after the message, of effects that were begun before it, are kept as early answers: they
    were paid for.

    Raises:
        BadSpecification: the fork is of another origin.
        OutputUnusable: the folder cannot be written.
    """
    point = spec.fork
    if point is None or point.spec != origin.head.spec or point.record != digest_of(origin.until(point.at)):
        raise BadSpecification("fork", f"{spec.id} is no fork of the record in {origin.folder}")
    path = folder / "journal.jsonl"
    if path.exists():
        return
    head = Opened(
        episode=spec.id,
        spec=hashlib.sha256(spec.canonical()).hexdigest(),
        seeds=spec.seeds,
        deterministic=not spec.team.arrival_order,
        specification=msgspec.Raw(spec.canonical()),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        early = _early(origin, origin.until(point.at))
        if early:
            (folder / "early.jsonl").write_bytes(_encoder.encode_lines(early))
        partial = folder / "journal.jsonl.partial"
        partial.write_bytes(_encoder.encode_lines((head, *origin.until(point.at))))
        partial.replace(path)
    except OSError as error:
        raise OutputUnusable(
            f"cannot write in {folder}: {error.strerror or error}; choose another folder with --out"
        ) from error


def _early(origin: Origin, kept: Sequence[AnyRecord]) -> list[AnyRecord]:
    """Effects that were under way at the message, each with its outcome, where the origin came to have it."""
    under_way: dict[tuple[MemberId, int], Started] = {}
    for record in kept:
        if isinstance(record, Started):
            under_way[record.member, record.ordinal] = record
        elif isinstance(record, Finished):
            under_way.pop((record.member, record.ordinal), None)
    path = origin.folder / "early.jsonl"
    later = [*origin.records[len(kept) :], *(read_journal(path) if path.is_file() else ())]
    found: list[AnyRecord] = []
    for record in later:
        if isinstance(record, Finished):
            started = under_way.pop((record.member, record.ordinal), None)
            if started is not None:
                found += [started, record]
    return found
