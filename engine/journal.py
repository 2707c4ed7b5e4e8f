"""The append-only record of an episode: one JSON object a line, written in batches on the loop.

Two files. ``journal.jsonl`` is in the episode's logical order and is what two runs are compared by. An answer that
arrives before its turn is kept at once in ``early.jsonl``, so that nothing paid for is lost, and moves to the journal
when its turn comes. Opening repairs a torn tail by cutting at the last whole line.
"""

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from engine.effects import AnyEffect, AnyOutcome
from engine.errors import Divergence, OutputUnusable, RecordDamaged
from engine.messages import MESSAGES_VERSION, AnyBody, Envelope, MemberId, Queue, Topic
from engine.seeds import Seeds
from engine.task import Measured

JOURNAL_VERSION = 1
BATCH_BYTES = 1 << 16
"""What is held back at most between two writes."""


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


def as_read_back(record: Finished) -> Finished:
    """An outcome as a rerun will see it, so that the first run sees no other (an int where a float is meant)."""
    return _finished_decoder.decode(_encoder.encode(record))


def read_journal(path: Path) -> Iterator[AnyRecord]:
    """Every whole record of a journal, also while it is being written.

    Raises:
        RecordDamaged: when a line before the last cannot be read.
    """
    for number, line in _whole_lines(path):
        yield _decode(line, path, number)


def _whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.endswith(b"\n"):
                yield number, line


def _decode(line: bytes, path: Path, number: int) -> AnyRecord:
    try:
        return _decoder.decode(line)
    except msgspec.DecodeError as error:
        raise RecordDamaged(
            f"{path}, line {number}: {error}; restore it, or remove the episode's folder"
        ) from error


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
        self._file = self._early = -1
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._file = self._open(folder / "journal.jsonl")
                self._early = self._open(folder / "early.jsonl")
            except OSError as error:
                self.close()
                raise OutputUnusable(
                    f"cannot write in {folder}: {error.strerror or error}; choose another folder with --out"
                ) from error

    def _open(self, path: Path) -> int:
        if path.exists():
            whole = 0
            records: list[AnyRecord] = []
            size = path.stat().st_size
            for number, line in _whole_lines(path):
                try:
                    records.append(_decode(line, path, number))
                except RecordDamaged:
                    # A crash of the machine can leave a last block of rubbish; anything earlier is damage.
                    if whole + len(line) < size:
                        raise
                    break
                whole += len(line)
            if whole < size:
                os.truncate(path, whole)
            self._answers.update({(r.member, r.ordinal): r for r in records if isinstance(r, Finished)})
            if path.name == "journal.jsonl":
                self._expected.extend(records)
                self.last_at = max((r.measured.at for r in records if r.measured is not None), default=0.0)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

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

    def closed(self) -> Closed | None:
        """The last line of the record, where the episode had ended."""
        last = self._expected[-1] if self._expected else None
        return last if isinstance(last, Closed) else None

    def answer(self, member: MemberId, ordinal: int) -> Finished | None:
        """The recorded outcome of an effect, where there is one."""
        return self._answers.get((member, ordinal))

    def put(self, record: AnyRecord) -> None:
        """Add a record, or hold it against what the record has here.

        Raises:
            Divergence: when the rerun does something else.
        """
        if self._expected:
            known = self._expected.popleft()
            if _plain(known) != _plain(record):
                where = f"{self.folder}" if self.folder is not None else "journal"
                raise Divergence(where, recorded=_show(known), now=_show(record))
            return
        if self._file >= 0:
            self._buffer += _encoder.encode(record)
            self._buffer += b"\n"
            if len(self._buffer) > BATCH_BYTES:
                self.flush()

    def keep_early(self, record: Finished) -> None:
        """Keep an outcome whose turn has not come."""
        if self._early >= 0 and (record.member, record.ordinal) not in self._answers:
            self._write(self._early, _encoder.encode(record) + b"\n")
        self._answers[record.member, record.ordinal] = record

    def flush(self, *, sync: bool = False) -> None:
        """Write what is held back; with ``sync`` also down to the disk.

        Raises:
            OutputUnusable: when the disk is full or the folder is gone.
        """
        if self._buffer:
            self._write(self._file, self._buffer)
            self._buffer.clear()
        if sync:
            try:
                while self._unsynced:
                    os.fdatasync(self._unsynced[-1])
                    self._unsynced.pop()
            except OSError as error:
                raise self._unusable(error) from error

    def _write(self, file: int, data: bytes | bytearray) -> None:
        if file not in self._unsynced:
            self._unsynced.append(file)
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(file, view) :]
        except OSError as error:
            raise self._unusable(error) from error
        finally:
            view.release()

    def _unusable(self, error: OSError) -> OutputUnusable:
        return OutputUnusable(
            f"cannot write the record in {self.folder}: {error.strerror or error}; "
            "free some space and run the same command again, it goes on from here"
        )

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


def _plain(record: AnyRecord) -> AnyRecord:
    return record if record.measured is None else msgspec.structs.replace(record, measured=None)


def _show(record: AnyRecord) -> str:
    return _encoder.encode(_plain(record)).decode()
