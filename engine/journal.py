"""The append-only record of an episode: one JSON object a line, written in batches on the loop.

Two files. ``journal.jsonl`` is in the episode's logical order and is what two runs are compared by. An answer that
arrives before its turn is kept at once in ``early.jsonl``, with the effect that it belongs to, so that nothing paid for
is lost, and moves to the journal when its turn comes. Opening repairs a torn tail by cutting at the last whole line.
"""

import hashlib
import math
import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias, cast

import msgspec

from engine.effects import AnyEffect, AnyOutcome
from engine.errors import BadSpecification, Divergence, OutputUnusable, RecordDamaged
from engine.messages import MESSAGES_VERSION, AnyBody, Envelope, MemberId, Queue, Topic
from engine.seeds import Seeds
from engine.task import Measured

JOURNAL_VERSION = 1
"""Raised when a record changes its meaning; a record of a later version is refused."""
BATCH_BYTES = 1 << 16
"""What is held back at most between two writes."""


_NOTHING = msgspec.Raw()


class NewerRecord(RecordDamaged):
    """Raised when a record was written by a later version than this one can read."""


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of every line."""

    measured: Measured | None = None
    """The one field that comparisons drop."""


class Opened(Record, frozen=True, tag=True):
    """First line: what this is a record of."""

    episode: str
    spec: str
    """SHA-256 (hex) of the episode's resolved specification."""
    seeds: Seeds
    version: int = JOURNAL_VERSION
    messages: int = MESSAGES_VERSION
    deterministic: bool = True
    """False where results are released as they arrive."""
    specification: msgspec.Raw = _NOTHING
    """The resolved specification itself: the bytes that ``spec`` is the digest of."""


class Posted(Record, frozen=True, tag=True):
    """A message was published."""

    seq: int
    sender: MemberId
    body: AnyBody
    to: MemberId | Queue | None = None
    topic: Topic | None = None
    cause: int = 0
    deadline_seconds: float | None = None

    def envelope(self) -> Envelope:
        """The message itself."""
        return Envelope(
            seq=self.seq,
            sender=self.sender,
            body=self.body,
            to=self.to,
            topic=self.topic,
            cause=self.cause,
            deadline_seconds=self.deadline_seconds,
        )


class Started(Record, frozen=True, tag=True):
    """A member is about to act on the outside."""

    member: MemberId
    ordinal: int
    effect: AnyEffect


class Finished(Record, frozen=True, tag=True):
    """The outcome of an effect, at the place where it was handed to the member."""

    member: MemberId
    ordinal: int
    outcome: AnyOutcome


class Fired(Record, frozen=True, tag=True):
    """A deadline struck: the clock decided, so the record is not deterministic from here."""

    seq: int
    """The message that nobody answered in time; 0: the episode's wall time is used up."""


class Decided(Record, frozen=True, tag=True):
    """A member's decision, with who else was considered and by which rule."""

    member: MemberId
    what: str
    chosen: str
    rule: str
    candidates: dict[str, float] = {}


class Closed(Record, frozen=True, tag=True):
    """Last line: how the episode ended."""

    outcome: str
    reason: str = ""


AnyRecord: TypeAlias = Opened | Posted | Started | Finished | Fired | Decided | Closed

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)
_finished_decoder = msgspec.json.Decoder(Finished)


def without_measured(line: bytes) -> bytes:
    """A journal line as comparisons see it: re-encoded without its meters."""
    plain: dict[str, Any] = msgspec.json.decode(line)  # any line, of any version
    plain.pop("measured", None)
    return _encoder.encode(plain)


def digest_of(records: Iterable[AnyRecord]) -> str:
    """SHA-256 (hex) of what records say, heads and meters left out: equal for equal research."""
    whole = hashlib.sha256()
    for record in records:
        if not isinstance(record, Opened):
            whole.update(_encoder.encode(_plain(record)) + b"\n")
    return whole.hexdigest()


def as_read_back(record: Finished) -> Finished:
    """An outcome as a rerun will see it, so that the first run sees no other (an int where a float is meant)."""
    return _finished_decoder.decode(_encoder.encode(record))


def read_journal(path: Path) -> Iterator[AnyRecord]:
    """Every whole record of a journal, also while it is being written.

    Raises:
        RecordDamaged: when a line before the last cannot be read.
        NewerRecord: when a later version wrote it.
    """
    for record, _ in _records(path):
        yield record


def _records(path: Path) -> Iterator[tuple[AnyRecord, int]]:
    """Each whole record with the bytes of its line. A last line that cannot be read is a torn tail, not damage."""
    with path.open("rb") as file:
        line = file.readline()
        number = 1
        while line.endswith(b"\n"):
            following = file.readline()
            if number == 1:
                _check_version(line, path)
            try:
                record = _decoder.decode(line)
            except (ValueError, RecursionError) as error:  # a `DecodeError` is one, and so is a bad encoding
                if not following:
                    return
                raise RecordDamaged(
                    f"{path}, line {number}: {error}; restore it, or remove the episode's folder"
                ) from error
            yield record, len(line)
            line, number = following, number + 1


class _Head(msgspec.Struct):
    """Of a first line, what every version has."""

    version: int = JOURNAL_VERSION
    messages: int = MESSAGES_VERSION


def _check_version(line: bytes, path: Path) -> None:
    try:
        head = msgspec.json.decode(line, type=_Head)
    except ValueError:
        return
    for what, found, known in (
        ("journal", head.version, JOURNAL_VERSION),
        ("messages", head.messages, MESSAGES_VERSION),
    ):
        if found > known:
            raise NewerRecord(
                f"{path}: version {found} of {what}, and this program reads up to {known}; "
                "use the later program that wrote it, or another folder"
            )


class Journal:
    """An open journal. In a rerun, what is put is first held against what the file has, and only then appended.

    Writing happens in `flush`, which the bus calls before an effect starts, before an outcome is used, and whenever
    every member waits. Nothing here yields to the loop: a thread hop would cost more than the write.
    """

    def __init__(self, folder: Path | None) -> None:
        """Open, repairing a torn tail.

        Args:
            folder: the episode's; None keeps no file (measurements, simulations).

        Raises:
            OutputUnusable: when the folder cannot be written.
            RecordDamaged: when a line before the tail cannot be read.
        """
        self.folder = folder
        self.deterministic = True
        self.last_at = 0.0
        """When the record's last message was published, in seconds since the episode began."""
        self._buffer = bytearray()
        self._unsynced: list[int] = []
        self._expected: deque[AnyRecord] = deque()
        self._answers: dict[tuple[MemberId, int], Finished] = {}
        self._early_answers: dict[tuple[MemberId, int], tuple[AnyEffect, Finished]] = {}
        self._failure: OutputUnusable | None = None
        self._file = self._early = -1
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._expected.extend(_repaired(folder / "journal.jsonl"))
                early = _repaired(folder / "early.jsonl")
                self._file, self._early = _open(folder / "journal.jsonl"), _open(folder / "early.jsonl")
            except OSError as error:
                self.close()
                raise OutputUnusable(
                    f"cannot write in {folder}: {error.strerror or error}; choose another folder with --out"
                ) from error
            self._answers = {(r.member, r.ordinal): r for r in self._expected if isinstance(r, Finished)}
            self.last_at = max((r.measured.at for r in self._expected if r.measured is not None), default=0.0)
            self._remember_early(early)

    def _remember_early(self, records: list[AnyRecord]) -> None:
        effects: dict[tuple[MemberId, int], AnyEffect] = {}
        for record in records:
            if isinstance(record, Started):
                effects[record.member, record.ordinal] = record.effect
            elif isinstance(record, Finished) and (key := (record.member, record.ordinal)) in effects:
                self._early_answers[key] = (effects[key], record)

    @property
    def name(self) -> str:
        """What messages call it."""
        return "journal" if self.folder is None else str(self.folder)

    @property
    def replaying(self) -> bool:
        """Whether the record still knows what comes next."""
        return bool(self._expected)

    def expects(self) -> AnyRecord | None:
        """The record that comes next in a rerun; None when the rerun is past the record."""
        return self._expected[0] if self._expected else None

    def opened(self) -> Opened | None:
        """The head of the record that is being rerun, before anything was put."""
        head = self.expects()
        return head if isinstance(head, Opened) else None

    def until(self, message: int) -> tuple[AnyRecord, ...]:
        """The record up to a message, before anything was put; nothing where it does not hold the message."""
        for place, record in enumerate(self._expected):
            if isinstance(record, Posted) and record.seq == message:
                return tuple(self._expected)[: place + 1]
        return ()

    def closed(self) -> Closed | None:
        """The last line of the record, where the episode had ended."""
        last = self._expected[-1] if self._expected else None
        return last if isinstance(last, Closed) else None

    def answer(self, member: MemberId, ordinal: int, effect: AnyEffect) -> Finished | None:
        """The recorded outcome of an effect, where there is one; asked for once.

        An early one counts only for the effect that it was the outcome of: where arrival decides the order, what comes
        after a lost tail may be another.
        """
        recorded = self._answers.pop((member, ordinal), None)
        if recorded is not None:
            return recorded
        asked, early = self._early_answers.get((member, ordinal), (None, None))
        return early if asked == effect else None

    def put(self, record: AnyRecord) -> None:
        """Add a record, or hold it against what the record has here.

        Raises:
            Divergence: when the rerun does something else.
            BadSpecification, TypeError, ValueError: when it holds what JSON cannot hold; nothing is put then.
            OutputUnusable: when it cannot be written.
        """
        if self._expected:
            known = _plain(self._expected[0])
            if known != _plain(record):
                # Not the same object, and perhaps still the same line (a list where a tuple is meant).
                line = _encoder.encode(record)
                _check_finite(record)
                if known != _plain(_decoder.decode(line)):
                    raise diverged(self.name, known, record)
            self._expected.popleft()
        elif self._file >= 0:
            line = _encoder.encode(record)
            if b"null" in line:
                _check_finite(record)
            self._buffer += line
            self._buffer += b"\n"
            if len(self._buffer) > BATCH_BYTES:
                self.flush()

    def keep_early(self, effect: AnyEffect, record: Finished, *, sync: bool) -> None:
        """Keep an outcome whose turn has not come.

        Raises:
            OutputUnusable: when it cannot be written.
        """
        if self._early >= 0:
            started = Started(member=record.member, ordinal=record.ordinal, effect=effect)
            self._write(self._early, bytearray(_encoder.encode_lines((started, record))))
            self.flush(sync=sync)

    def flush(self, *, sync: bool = False) -> None:
        """Write what is held back; with ``sync`` also down to the disk.

        Raises:
            OutputUnusable: when the disk is full or the folder is gone.
        """
        if self._buffer:
            self._write(self._file, self._buffer)
        if sync:
            try:
                while self._unsynced:
                    os.fdatasync(self._unsynced[-1])
                    self._unsynced.pop()
            except OSError as error:
                raise self._unusable(error) from error

    def _write(self, file: int, data: bytearray) -> None:
        """Write and empty ``data``. After a failure nothing is written any more: it would follow half a line."""
        if self._failure is not None:
            raise self._failure
        if file not in self._unsynced:
            self._unsynced.append(file)
        try:
            while data:
                del data[: os.write(file, data)]
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> OutputUnusable:
        self._failure = OutputUnusable(
            f"cannot write the record in {self.folder}: {error.strerror or error}; "
            "free some space and run the same command again, it goes on from here"
        )
        return self._failure

    def close(self) -> None:
        """Write what is left, best effort, and let go of the files. Idempotent."""
        try:
            if self._file >= 0 and self._buffer:
                self.flush()
        except OutputUnusable:
            self._buffer.clear()
        finally:
            for file in (self._file, self._early):
                if file >= 0:
                    os.close(file)
            self._file = self._early = -1

    def discard_early(self) -> None:
        """Remove the early answers once the journal holds them all."""
        if self.folder is not None:
            (self.folder / "early.jsonl").unlink(missing_ok=True)


def _repaired(path: Path) -> list[AnyRecord]:
    """The records of a file, if it is there, after what follows the last whole one was cut off."""
    if not path.exists():
        return []
    found = list(_records(path))
    whole = sum(length for _, length in found)
    if whole < path.stat().st_size:
        os.truncate(path, whole)
    return [record for record, _ in found]


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)


def _check_finite(record: AnyRecord) -> None:
    """Refuse a number that is not finite: JSON has none, and a null would come back.

    Raises:
        BadSpecification: naming the kind of record.
    """
    if not _is_finite(msgspec.to_builtins(record)):
        raise BadSpecification(
            type(record).__name__,
            "a number in it is not finite; leave it out, or say None where that is allowed",
        )


def _is_finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, cast("dict[str, object]", value).values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, cast("list[object]", value)))
    return True


def _plain(record: AnyRecord) -> AnyRecord:
    return record if record.measured is None else msgspec.structs.replace(record, measured=None)


def diverged(where: str, recorded: AnyRecord, now: AnyRecord | None) -> Divergence:
    """The error that says where a rerun left its record: from shortly before the first difference."""
    known = _encoder.encode(_plain(recorded)).decode()
    new = _encoder.encode(_plain(now)).decode() if now is not None else "a stop"
    same = next((n for n, (a, b) in enumerate(zip(known, new, strict=False)) if a != b), 0)
    begin = max(0, same - 60) if same > 120 else 0
    cut = "…" if begin else ""
    return Divergence(where, recorded=cut + known[begin:], now=cut + new[begin:])
