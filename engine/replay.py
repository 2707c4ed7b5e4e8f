"""Replay: an episode run again from its record, in another folder, and held against it.

It is the operation that resume and fork are. The outcomes on record are laid out beside the new record as early
answers, by (member, ordinal) and only for the very effect that they were the outcome of; the engine finds them there
instead of asking the outside. What is not laid out is done again. Where a clock decided the order (arrival order, a
deadline that struck), only the record knows it: such an episode *follows* its record line by line, with all outcomes
from there.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

import msgspec

from engine.effects import Command, CommandOutcome, Evaluation, ModelCall
from engine.errors import OutputUnusable, RecordDamaged
from engine.journal import (
    AnyRecord,
    Closed,
    Finished,
    Fired,
    Opened,
    Posted,
    Started,
    read_journal,
    without_measured,
)
from engine.messages import MemberId
from engine.store import ArtefactStore

RecordedKind: TypeAlias = Literal["commands", "scores"]
"""What can be done again and can as well be taken from the record."""
RECORDED_KINDS: Final[tuple[RecordedKind, ...]] = get_args(RecordedKind)
_encoder = msgspec.json.Encoder()
_SHOWN: Final = 200


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A finished episode's record, to be replayed.

    Attributes:
        folder: where it is.
        records: all of it, the head first.
        follows: whether only the record knows the order of things.
    """

    folder: Path
    records: tuple[AnyRecord, ...]
    follows: bool

    @property
    def model_calls(self) -> int:
        """How many calls of models are on it."""
        return sum(
            isinstance(record, Started) and isinstance(record.effect, ModelCall) for record in self.records
        )


def read_recording(folder: Path) -> Recording | None:
    """An episode's record; None while the episode has not ended.

    Raises:
        RecordDamaged: it cannot be read, or does not begin with a head.
    """
    path = folder / "journal.jsonl"
    records = tuple(read_journal(path)) if path.is_file() else ()
    if not records or not isinstance(records[-1], Closed):
        return None
    head = records[0]
    if not isinstance(head, Opened):
        raise RecordDamaged(f"{path}: its first line is no head; restore it, or leave the episode out")
    follows = not head.deterministic or any(isinstance(record, Fired) for record in records)
    return Recording(folder=folder, records=records, follows=follows)


def begin_replay(
    recording: Recording,
    folder: Path,
    *,
    recorded: Collection[RecordedKind] = (),
    at: int = 0,
    old_store: ArtefactStore,
    store: ArtefactStore,
) -> None:
    """Lay out in an episode's new folder what is to be answered from its record; one that has begun stays as it is.

    Args:
        recording: the record.
        folder: the new one.
        recorded: what is not done again: commands, scores. What models, clocks and catalogues said never is.
        at: of a fork, the last message of its origin: up to there the record is kept, as forks do.
        old_store: has the artefacts that recorded commands made.
        store: gets those.

    Raises:
        OutputUnusable: the folder cannot be written.
    """
    if (folder / "journal.jsonl").exists() or (folder / "early.jsonl").exists():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _keep_artefacts(recording, recorded, old_store, store)
        if recording.follows:
            _write(folder / "journal.jsonl", (recording.folder / "journal.jsonl").read_bytes())
            return
        if at:
            _write(folder / "journal.jsonl", _encoder.encode_lines(_until(recording, at)))
        _write(folder / "early.jsonl", _encoder.encode_lines(_answers(recording, recorded)))
    except OSError as error:
        raise OutputUnusable(
            f"cannot write in {folder}: {error.strerror or error}; choose another folder with --out"
        ) from error


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def _is_kept(effect: object, recorded: Collection[RecordedKind]) -> bool:
    if isinstance(effect, Command):
        return "commands" in recorded
    if isinstance(effect, Evaluation):
        return "scores" in recorded
    return True


def _answers(recording: Recording, recorded: Collection[RecordedKind]) -> list[AnyRecord]:
    under_way: dict[tuple[MemberId, int], Started] = {}
    answers: list[AnyRecord] = []
    for record in recording.records:
        if isinstance(record, Started):
            under_way[record.member, record.ordinal] = record
        elif isinstance(record, Finished):
            started = under_way.pop((record.member, record.ordinal), None)
            if started is not None and _is_kept(started.effect, recorded):
                answers += [started, record]
    return answers


def _until(recording: Recording, message: int) -> list[AnyRecord]:
    kept: list[AnyRecord] = []
    for record in recording.records:
        kept.append(record)
        if isinstance(record, Posted) and record.seq == message:
            break
    return kept


def _keep_artefacts(
    recording: Recording, recorded: Collection[RecordedKind], old: ArtefactStore, new: ArtefactStore
) -> None:
    """Who is answered from a record finds what a command had kept where the command would have put it."""
    if not recording.follows and "commands" not in recorded:
        return
    for record in recording.records:
        if isinstance(record, Finished) and isinstance(record.outcome, CommandOutcome):
            made = record.outcome.artefact
            if made is not None and made not in new:
                new.put(old.get(made))


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Where two journals differ first, meters aside."""

    line: int
    """From 1."""
    recorded: str
    """From shortly before the difference; cut."""
    now: str

    def __str__(self) -> str:
        return f"line {self.line}: the record has {self.recorded!r}, the replay {self.now!r}"


def compare_journals(recorded: Path, now: Path) -> Difference | None:
    """The first line in which two journals differ, meters aside; None where they say the same.

    Args:
        recorded: a journal.
        now: another; one that is not there has no lines.
    """
    old, new = _lines(recorded), _lines(now)
    for number, (before, after) in enumerate(zip(old, new, strict=False), start=1):
        if before != after:
            plain = without_measured(before), without_measured(after)
            if plain[0] != plain[1]:
                return _difference(number, plain[0].decode(), plain[1].decode())
    if len(old) == len(new):
        return None
    number = min(len(old), len(new)) + 1
    return _difference(
        number,
        old[number - 1].decode() if len(old) >= number else "nothing more",
        new[number - 1].decode() if len(new) >= number else "nothing more",
    )


def _lines(path: Path) -> list[bytes]:
    """Every whole line."""
    if not path.is_file():
        return []
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1].splitlines()


def _difference(line: int, old: str, new: str) -> Difference:
    same = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
    begin = max(0, same - 60) if same > 120 else 0
    cut = "…" if begin else ""
    return Difference(
        line=line,
        recorded=cut + old[begin : begin + _SHOWN],
        now=cut + new[begin : begin + _SHOWN],
    )
