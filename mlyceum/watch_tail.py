"""The tail of an episode's journal, read a bounded piece at a time: what the episode does now, and what it has spent.

Lines are decoded for the few fields that a display needs; kinds of lines that are not known here are passed over.
"""

import os
from collections import deque
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from engine.task import Direction, Measured

PIECE_BYTES = 1 << 18
"""Read at once."""
LINE_BYTES = 1 << 24
"""A longer line is passed over: it cannot be one that matters here."""

Doing: TypeAlias = Literal["model", "scoring", "command", "clock"]


class _Effect(msgspec.Struct):
    type: str
    split: str = ""
    model: str = ""


class _ScoreValue(msgspec.Struct):
    value: float | None = None


class _Usage(msgspec.Struct):
    input_tokens: int = 0
    output_tokens: int = 0


class _Completion(msgspec.Struct):
    usage: _Usage = msgspec.field(default_factory=_Usage)
    cost_usd: float | None = None


class _Outcome(msgspec.Struct):
    type: str
    score: _ScoreValue | None = None
    completion: _Completion | None = None
    kind: str = ""
    message: str = ""


class _Body(msgspec.Struct):
    type: str
    metric: str = ""
    direction: Direction | None = None
    baseline: float | None = None
    member: str = ""
    reason: str = ""
    action: str = ""


class _Line(msgspec.Struct):
    type: str
    measured: Measured | None = None
    member: str = ""
    ordinal: int = 0
    effect: _Effect | None = None
    outcome: _Outcome | str | None = None
    body: _Body | None = None


_decoder = msgspec.json.Decoder(_Line)
_KINDS: dict[str, Doing] = {
    "ModelCall": "model",
    "Evaluation": "scoring",
    "Command": "command",
    "ClockReading": "clock",
}


class OpenEffect(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a member waits for."""

    member: str
    doing: Doing
    what: str
    """The model, or the split that is scored; empty for the others."""
    at: float
    """Seconds since the episode began."""


class TaskFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a brief says of its task."""

    metric: str
    direction: Direction
    baseline: float


class JournalTail:
    """What one journal says so far. `read` goes on where it stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._early = path.with_name("early.jsonl")
        self._begin()

    def _begin(self) -> None:
        self.offset = self.early_offset = 0
        self.facts: TaskFacts | None = None
        self.evaluations = self.steps = self.messages = 0
        self.tokens = 0
        self.cost_usd = 0.0
        self.last_at = 0.0
        self.written_at = 0.0
        """Of the last line's file, seconds since 1970."""
        self.best: float | None = None
        self.is_closed = False
        self.troubles: deque[str] = deque(maxlen=20)
        """What went wrong since they were last taken; text from outside."""
        self._open: dict[tuple[str, int], OpenEffect] = {}
        self._answered_early: set[tuple[str, int]] = set()

    def read(self, at_most: int = PIECE_BYTES) -> int:
        """Go on by about so many bytes; how many were read, 0 where nothing is new."""
        try:
            stat = self._path.stat()
        except OSError:
            return 0
        if stat.st_size < self.offset:
            self._begin()  # a torn tail was cut off, or another journal stands here
        self.written_at = stat.st_mtime
        got = 0
        if stat.st_size > self.offset:
            before = self.offset
            self.offset = self._pieces(self._path, before, at_most, early=False)
            got = self.offset - before
        if self._open:
            self._read_early(at_most)
        return got

    def _read_early(self, at_most: int) -> None:
        try:
            size = self._early.stat().st_size
        except OSError:
            self.early_offset = 0
            return
        if size < self.early_offset:
            self.early_offset = 0
        if size > self.early_offset:
            self.early_offset = self._pieces(self._early, self.early_offset, at_most, early=True)

    def _pieces(self, path: Path, offset: int, at_most: int, *, early: bool) -> int:
        """Take whole lines from a place on; where the next ones begin."""
        try:
            with path.open("rb") as file:
                file.seek(offset)
                piece = file.read(at_most)
                while b"\n" not in piece and len(piece) >= at_most and len(piece) < LINE_BYTES:
                    at_most *= 2
                    file.seek(offset)
                    piece = file.read(at_most)
        except OSError:
            return offset
        end = piece.rfind(b"\n") + 1
        if not end:
            return offset + len(piece) if len(piece) >= LINE_BYTES else offset
        for line in piece[:end].splitlines():
            self._take(line, early=early)
        return offset + end

    def _take(self, line: bytes, *, early: bool) -> None:
        try:
            record = _decoder.decode(line)
        except (ValueError, RecursionError):
            return  # rubbish of a crash; what reads for evidence says so
        if early:
            if record.type == "Finished":
                self._answered_early.add((record.member, record.ordinal))
            return
        if record.measured is not None:
            self.last_at = max(self.last_at, record.measured.at)
        match record.type:
            case "Started":
                self._started(record)
            case "Finished":
                self._finished(record)
            case "Posted":
                self._posted(record)
            case "Closed":
                self.is_closed = True
                self._open.clear()
            case _:
                pass

    def _started(self, record: _Line) -> None:
        effect = record.effect
        if effect is None or (kind := _KINDS.get(effect.type)) is None:
            return
        self._open[record.member, record.ordinal] = OpenEffect(
            member=record.member,
            doing=kind,
            what=effect.model or effect.split,
            at=record.measured.at if record.measured is not None else self.last_at,
        )
        self.evaluations += effect.split == "feedback"
        self.steps += effect.split == "feedback"

    def _finished(self, record: _Line) -> None:
        key = (record.member, record.ordinal)
        known = self._open.pop(key, None)
        self._answered_early.discard(key)
        outcome = record.outcome
        if known is None or not isinstance(outcome, _Outcome):
            return
        if known.doing == "scoring" and known.what == "feedback" and outcome.score is not None:
            self._heard(outcome.score.value)
        self.steps += outcome.type in {"ModelAnswer", "CommandOutcome"}
        if outcome.completion is not None:
            usage = outcome.completion.usage
            self.tokens += usage.input_tokens + usage.output_tokens
            self.cost_usd += outcome.completion.cost_usd or 0.0
        if outcome.type == "Failure":
            self.troubles.append(f"{known.member}: {outcome.kind}: {outcome.message}")

    def _heard(self, value: float | None) -> None:
        if value is None:
            return
        sign = -1.0 if self.facts is not None and self.facts.direction == "min" else 1.0
        if self.best is None or sign * value > sign * self.best:
            self.best = value

    def _posted(self, record: _Line) -> None:
        self.messages += 1
        body = record.body
        if body is None:
            return
        if body.type == "Brief" and body.direction is not None and body.baseline is not None:
            self.facts = TaskFacts(metric=body.metric, direction=body.direction, baseline=body.baseline)
        elif body.type == "Failed":
            self.troubles.append(f"{body.member} failed ({body.action}): {body.reason}")

    def open_effects(self) -> tuple[OpenEffect, ...]:
        """What members wait for, oldest first; answers that came before their turn left out."""
        waiting = [each for key, each in self._open.items() if key not in self._answered_early]
        return tuple(sorted(waiting, key=lambda each: each.at))

    def take_troubles(self) -> tuple[str, ...]:
        """What went wrong since this was last asked."""
        taken = tuple(self.troubles)
        self.troubles.clear()
        return taken


def read_facts(path: Path) -> TaskFacts | None:
    """What the brief in a journal's first lines says; None where there is none yet."""
    tail = JournalTail(path)
    tail.read(PIECE_BYTES)
    return tail.facts


def is_held(lock: Path) -> bool | None:
    """Whether some process of this machine holds a study's lock, without touching it; None where nobody can say.

    From ``/proc/locks``: trying to take it, even for a moment, could turn away a run that is just beginning.
    """
    try:
        status = lock.stat()
        table = Path("/proc/locks").read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None if not Path("/proc/locks").exists() else False
    except OSError:
        return None
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    return any(place in line and "->" not in line for line in table.splitlines())
