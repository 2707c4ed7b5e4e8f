"""A running study seen from its record alone: what another process may know without a lock, a write or a question.

`StudyWatch.refresh` reads what is new (rows of the index, tails of the journals of episodes under way) in bounded
pieces; `StudyWatch.snapshot` says how things stand. Neither shows what arms scored on average: a peek at that is a
look, which `mlyceum report` records.
"""

import os
import sqlite3
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from benchmarks.studies.lease import LEASE, LEASE_SECONDS
from benchmarks.studies.study import StudyRecord, read_study
from engine.budget import AXES, Axis
from engine.episode import EpisodeSpec
from engine.scheduler import Limit
from engine.task import Direction
from mlyceum.folders import EPISODES, INDEX, JOURNAL, STUDY
from mlyceum.plain_text import one_line
from mlyceum.time_left import Cell, Ended, TimeLeft, time_left
from mlyceum.watch_tail import PIECE_BYTES, JournalTail, OpenEffect, TaskFacts, is_held, read_facts

SNAPSHOT_VERSION = 1
ROWS_AT_ONCE = 2_000
"""Rows of the index read in one refresh."""
TAILS_AT_ONCE = 128
"""Journals looked at in one refresh; where more episodes are under way, they take turns."""
BYTES_AT_ONCE = 1 << 22
"""Of journals, in one refresh."""
QUIET_SECONDS = 60.0
"""Where nobody can say whether a run holds the folder: silence after which none is believed to."""
TEXT_WIDTH = 160

WatchState: TypeAlias = Literal["no study yet", "running", "idle", "complete"]
EventKind: TypeAlias = Literal["begun", "ended", "failed", "finding", "trouble"]


class CellCount(msgspec.Struct, frozen=True, kw_only=True):
    """Episodes of one arm on one task."""

    task: str
    arm: str
    asked: int
    ended: int
    running: int
    failed: int
    """Let down from outside in the last run; the next one tries them again."""
    waiting: int
    without_score: int
    """Ended, and what was handed in earned no score."""
    seconds: float | None
    """Mean time of an ended episode."""


class Best(msgspec.Struct, frozen=True, kw_only=True):
    """A score and whose it is."""

    value: float
    episode: str


class TaskBest(msgspec.Struct, frozen=True, kw_only=True):
    """The best of one task so far, over all arms."""

    task: str
    metric: str
    direction: Direction
    baseline: float
    final: Best | None
    feedback: Best | None
    """Single feedback score of an episode under way: noisy, so that the best of many flatters."""


class Underway(msgspec.Struct, frozen=True, kw_only=True):
    """An episode that has begun and not ended."""

    episode: str
    task: str
    arm: str
    evaluations: int
    evaluations_at_most: int | None
    cost_usd: float
    tokens: int
    seconds: float
    """Since it began, by its own clock."""
    quiet_seconds: float
    """Since its journal was written to."""
    waits_for: tuple[str, ...]
    """What its members wait for now."""


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """What stands before a named limit."""

    name: str
    limit: int
    busy: int
    waiting: int


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened; plain text."""

    number: int
    """From 1, without gaps."""
    kind: EventKind
    episode: str
    text: str


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """How a study stands. The document that ``mlyceum watch --json`` prints."""

    version: int = SNAPSHOT_VERSION
    folder: str
    at: str
    """UTC, ISO 8601."""
    state: WatchState
    run_began: str | None
    workspace: str | None
    asked: int
    ended: int
    running: int
    failed: int
    waiting: int
    outcomes: dict[str, int]
    spent: dict[str, float]
    """By axis of the budget, episodes under way included."""
    caps: dict[str, float]
    """The sum of the episodes' caps, by axis; axes without one are left out."""
    cells: tuple[CellCount, ...]
    tasks: tuple[TaskBest, ...]
    underway: tuple[Underway, ...]
    queues: tuple[Queue, ...]
    episodes_per_hour: float | None
    """In this run."""
    left: TimeLeft | None
    events: tuple[Event, ...]
    """The last ones, oldest first."""
    behind_bytes: int
    """Of journals that are not read yet: figures of episodes under way lag until this is 0."""


class _Finding(msgspec.Struct):
    kind: str = ""
    detail: str = ""
    advisory: bool = False


class _Final(msgspec.Struct):
    value: float | None = None
    failure: str = ""
    findings: tuple[_Finding, ...] = ()


class _Took(msgspec.Struct):
    seconds: float = 0.0


class _Result(msgspec.Struct):
    """Of a result, what a display needs."""

    episode: str
    outcome: str
    final: _Final
    reason: str = ""
    evaluations: int = 0
    spending: dict[str, float] = {}
    measured: _Took = msgspec.field(default_factory=_Took)


_result_decoder = msgspec.json.Decoder(_Result)


class _Row(NamedTuple):
    place: int
    result: bytes


def read_rows(path: Path, after: int, at_most: int) -> tuple[list[_Row], int] | None:
    """Rows of an index beyond a place, and how many it has in all; None where it cannot be read just now.

    Nothing is written: where no other process has a write-ahead log beside it, the file is read as it is, since SQLite
    would make one even for a reader; and where it changed meanwhile, what was read does not count.
    """
    log = path.with_name(path.name + "-wal")
    is_plain = not _size(log)
    before = _stamp(path)
    mode = "immutable=1" if is_plain else "mode=ro"
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=0.2)
        query = "SELECT rowid, result FROM episodes WHERE rowid > ? ORDER BY rowid LIMIT ?"
        rows = [
            _Row(int(place), bytes(result)) for place, result in connection.execute(query, (after, at_most))
        ]
        count = int(connection.execute("SELECT count(*) FROM episodes").fetchone()[0])
    except sqlite3.Error:
        return None
    finally:
        if connection is not None:
            connection.close()
    return None if is_plain and (_stamp(path) != before or _size(log)) else (rows, count)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_ino, status.st_size, status.st_mtime_ns)


class StudyWatch:
    """What is known of a study so far. `refresh` it, then ask for a `snapshot`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._record = StudyRecord(version=1, episodes=())
        self._study_stamp: object = None
        self._index_stamp: object = None
        self._is_behind = False
        self._specs: dict[str, EpisodeSpec] = {}
        self._asked: Counter[Cell] = Counter()
        self._caps: dict[str, float] = {}
        self._last_row = self._rows = 0
        self._events: deque[Event] = deque(maxlen=500)
        self._number = 0
        self._facts: dict[str, TaskFacts] = {}
        self._tails: dict[str, JournalTail] = {}
        self._turn = 0
        self._folders: frozenset[str] = frozenset()
        self._folders_stamp: object = None
        self._behind_bytes = 0
        self._forget_results()

    def _forget_results(self) -> None:
        self._done: dict[str, Ended] = {}
        self._outcomes: Counter[str] = Counter()
        self._without_score: Counter[Cell] = Counter()
        self._spent: dict[str, float] = {}
        self._finals: dict[str, Best] = {}
        self._strangers: list[bytes] = []

    # -- reading ----------------------------------------------------------------------------------------------------

    def refresh(self, *, whole: bool = False) -> bool:
        """Read what is new.

        Args:
            whole: all of it, instead of a bounded piece.

        Returns:
            Whether more is known to be there.
        """
        more = True
        while more:
            self._read_study()
            more = self._read_index()
            more |= self._read_tails()
            if not whole:
                break
        return more

    def _read_study(self) -> None:
        stamp = _stamp(self.folder / STUDY)
        if stamp == self._study_stamp or not stamp[0]:
            return
        self._record = read_study(self.folder)
        self._study_stamp = stamp
        self._specs = {spec.id: spec for spec in self._record.episodes}
        self._asked = Counter(_cell(spec) for spec in self._specs.values())
        self._caps = {axis: cap for axis in AXES if (cap := self._cap(axis)) is not None}
        strangers, self._strangers = self._strangers, []
        for result in strangers:  # of episodes that this study had not asked for until now
            self._add_result(result)
        for episode, reason in self._failed().items():
            self._say("failed", episode, reason)

    def _failed(self) -> dict[str, str]:
        """Episodes that the last run could not do, as it says at its end."""
        failed = self._record.runs[-1].failed if self._record.runs else {}
        return {episode: reason for episode, reason in failed.items() if episode not in self._done}

    def _read_index(self) -> bool:
        path = self.folder / INDEX
        stamp = (_stamp(path), _stamp(path.with_name(path.name + "-wal")))
        if (stamp == self._index_stamp and not self._is_behind) or not stamp[0][0]:
            return False
        found = read_rows(path, self._last_row, ROWS_AT_ONCE)
        if found is None:
            return False  # it is being written; the next refresh sees it
        rows, count = found
        if count < self._rows + len(rows):  # made again, shorter: begin again
            self._last_row = self._rows = 0
            self._forget_results()
            return True
        for row in rows:
            self._add_result(row.result)
            self._last_row = row.place
        self._rows += len(rows)
        self._is_behind = len(rows) == ROWS_AT_ONCE
        self._index_stamp = stamp
        return self._is_behind

    def _add_result(self, blob: bytes) -> None:
        try:
            result = _result_decoder.decode(blob)
        except ValueError:
            return  # of another version: what reads for evidence says so
        spec = self._specs.get(result.episode)
        if spec is None:
            self._strangers.append(blob)
        if spec is None or result.episode in self._done:
            return
        cell = (spec.task, spec.team.name)
        tail = self._tails.pop(result.episode, None)
        journal = self._journal(result.episode)
        ended_at = _stamp(journal)[2] / 1e9
        self._done[result.episode] = Ended(cell, result.measured.seconds, ended_at)
        self._outcomes[result.outcome] += 1
        for axis, amount in result.spending.items():
            _add(self._spent, axis, amount)
        facts = self._task_facts(spec.task, journal, tail)
        value = result.final.value
        self._without_score[cell] += value is None
        if value is not None and facts is not None:
            _keep_better(self._finals, spec.task, Best(value=value, episode=result.episode), facts.direction)
        self._tell_end(result)

    def _tell_end(self, result: _Result) -> None:
        score = "no score" if result.final.value is None else f"{result.final.value:.4f}"
        reason = result.reason or result.final.failure
        text = f"{result.outcome}  {score}  {result.evaluations} evaluations, {result.measured.seconds:.1f} s"
        self._say("ended", result.episode, f"{text}  ({reason})" if reason else text)
        for finding in result.final.findings:
            if not finding.advisory:
                self._say("finding", result.episode, f"{finding.kind}: {finding.detail}")

    def _task_facts(self, task: str, journal: Path, tail: JournalTail | None) -> TaskFacts | None:
        if task not in self._facts:
            facts = tail.facts if tail is not None and tail.facts is not None else read_facts(journal)
            if facts is None:
                return None
            self._facts[task] = facts
        return self._facts[task]

    def _read_tails(self) -> bool:
        names = self._begun()
        for name in names:
            if name not in self._tails:
                self._tails[name] = JournalTail(self._journal(name))
                self._say("begun", name, "begun")
        if not names:
            self._behind_bytes = 0
            return False
        first = self._turn % len(names)
        self._turn = first + TAILS_AT_ONCE
        in_turn = [*names[first:], *names[:first]][:TAILS_AT_ONCE]
        share = max(PIECE_BYTES, BYTES_AT_ONCE // len(in_turn))
        left = BYTES_AT_ONCE
        behind = 0
        for name in in_turn:
            tail = self._tails[name]
            if left > 0:
                left -= tail.read(share)
            behind += max(0, _size(self._journal(name)) - tail.offset)
            if tail.facts is not None:
                self._facts.setdefault(self._specs[name].task, tail.facts)
            for trouble in tail.take_troubles():
                self._say("trouble", name, trouble)
        # A line that is being written is no reason to come back at once.
        is_stuck = left == BYTES_AT_ONCE
        self._behind_bytes = behind
        return behind > 0 and not is_stuck

    def _begun(self) -> list[str]:
        """Episodes that have a journal and no result, in the order asked for."""
        episodes = self.folder / EPISODES
        stamp = _stamp(episodes)
        if stamp != self._folders_stamp:
            try:
                with os.scandir(episodes) as entries:
                    self._folders = frozenset(entry.name for entry in entries)
            except OSError:
                self._folders = frozenset()
            self._folders_stamp = stamp
        names = self._folders - self._done.keys()
        return [name for name in self._specs if name in names] if names else []

    def _journal(self, episode: str) -> Path:
        return self.folder / EPISODES / episode / JOURNAL

    def _say(self, kind: EventKind, episode: str, text: str) -> None:
        self._number += 1
        # Names of episodes are a user's, texts are anybody's: neither may reach a terminal as it is.
        self._events.append(
            Event(
                number=self._number,
                kind=kind,
                episode=one_line(episode, TEXT_WIDTH),
                text=one_line(text, TEXT_WIDTH),
            )
        )

    # -- saying -----------------------------------------------------------------------------------------------------

    def events_after(self, number: int) -> tuple[Event, ...]:
        """What happened after an event, as far back as is remembered (500 events)."""
        return tuple(event for event in self._events if event.number > number)

    @property
    def last_event(self) -> int:
        """Number of the last event; 0 before the first."""
        return self._number

    def snapshot(self, now: float, *, events: int = 8) -> Snapshot:
        """How the study stands.

        Args:
            now: the time, seconds since 1970.
            events: how many of the last ones are told.
        """
        begun = self._begun()
        failed = self._failed()
        state = self._state(now)
        run = self._record.runs[-1] if self._record.runs else None
        running = [name for name in begun if name not in failed] if state == "running" else []
        underway = [self._underway(name, now) for name in running]
        live = [self._tails[name] for name in begun if name in self._tails]
        waiting = len(self._specs) - len(self._done) - len(running) - len(failed)
        return Snapshot(
            folder=one_line(str(self.folder)),
            at=f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%SZ}",
            state=state,
            run_began=run.began if run is not None else None,
            workspace=run.workspace if run is not None else None,
            asked=len(self._specs),
            ended=len(self._done),
            running=len(running),
            failed=len(failed),
            waiting=waiting,
            outcomes=dict(sorted(self._outcomes.items())),
            spent=self._spending(live),
            caps=self._caps,
            cells=tuple(self._cells(running, failed)),
            tasks=tuple(self._bests(begun)),
            underway=tuple(underway),
            queues=tuple(self._queues(running, waiting, run.limits if run is not None else ())),
            episodes_per_hour=self._rate(now),
            left=self._time_left(running, failed, now) if state == "running" else None,
            events=tuple(self._events)[-events:] if events else (),
            behind_bytes=self._behind_bytes,
        )

    @property
    def is_complete(self) -> bool:
        """Whether every episode asked for has ended."""
        return bool(self._specs) and len(self._done) == len(self._specs)

    def _state(self, now: float) -> WatchState:
        if not self._specs:
            return "no study yet"
        if self.is_complete:
            return "complete"
        lease = _stamp(self.folder / LEASE)[2] / 1e9
        if now - lease < LEASE_SECONDS:  # a run elsewhere, which works on its own disk and sends what it has
            return "running"
        held = is_held(self.folder / ".lock")
        if (
            held is None
        ):  # another system, or the record of another machine: as long as it grows, somebody works
            written = max((tail.written_at for tail in self._tails.values()), default=0.0)
            held = now - written < QUIET_SECONDS
        return "running" if held else "idle"

    def _underway(self, name: str, now: float) -> Underway:
        spec, tail = self._specs[name], self._tails.get(name) or JournalTail(self._journal(name))
        quiet = max(0.0, now - tail.written_at) if tail.written_at else 0.0
        return Underway(
            episode=one_line(name),
            task=one_line(spec.task),
            arm=one_line(spec.team.name),
            evaluations=tail.evaluations,
            evaluations_at_most=spec.budget.evaluations,
            cost_usd=round(tail.cost_usd, 6),
            tokens=tail.tokens,
            seconds=round(tail.last_at + quiet, 1),
            quiet_seconds=round(quiet, 1),
            waits_for=tuple(_waits_for(each) for each in tail.open_effects()),
        )

    def _spending(self, live: Iterable[JournalTail]) -> dict[str, float]:
        spent = dict(self._spent)
        for tail in live:
            _add(spent, "evaluations", tail.evaluations)
            _add(spent, "steps", tail.steps)
            _add(spent, "tokens", tail.tokens)
            _add(spent, "cost_usd", tail.cost_usd)
        return {axis: round(spent[axis], 9) for axis in AXES if spent.get(axis)}

    def _cap(self, axis: Axis) -> float | None:
        limits = [spec.budget.limit(axis) for spec in self._specs.values()]
        known = [limit for limit in limits if limit is not None]
        return round(sum(known), 9) if known and len(known) == len(limits) else None

    def _cells(self, running: Iterable[str], failed: Iterable[str]) -> Iterator[CellCount]:
        ended = Counter(each.cell for each in self._done.values())
        now_running = Counter(_cell(self._specs[name]) for name in running)
        now_failed = Counter(_cell(self._specs[name]) for name in failed if name in self._specs)
        seconds: dict[Cell, float] = {}
        for each in self._done.values():
            seconds[each.cell] = seconds.get(each.cell, 0.0) + each.seconds
        for cell, count in self._asked.items():
            yield CellCount(
                task=one_line(cell[0]),
                arm=one_line(cell[1]),
                asked=count,
                ended=ended[cell],
                running=now_running[cell],
                failed=now_failed[cell],
                waiting=count - ended[cell] - now_running[cell] - now_failed[cell],
                without_score=self._without_score[cell],
                seconds=round(seconds[cell] / ended[cell], 3) if ended[cell] else None,
            )

    def _bests(self, begun: Iterable[str]) -> Iterator[TaskBest]:
        feedback: dict[str, Best] = {}
        for name in begun:
            tail, task = self._tails.get(name), self._specs[name].task
            if tail is not None and tail.best is not None and task in self._facts:
                _keep_better(feedback, task, Best(value=tail.best, episode=name), self._facts[task].direction)
        for task in dict.fromkeys(spec.task for spec in self._specs.values()):
            facts = self._facts.get(task)
            if facts is not None:
                yield TaskBest(
                    task=one_line(task),
                    metric=one_line(facts.metric, 40),
                    direction=facts.direction,
                    baseline=facts.baseline,
                    final=_plain_best(self._finals.get(task)),
                    feedback=_plain_best(feedback.get(task)),
                )

    def _queues(self, running: list[str], waiting: int, limits: Iterable[Limit]) -> Iterator[Queue]:
        """What stands before each limit, from what is under way: a place is taken as long as there is one."""
        doing: Counter[str] = Counter()
        for name in running:
            tail = self._tails.get(name)
            for effect in tail.open_effects() if tail is not None else ():
                doing[
                    f"model {effect.what.partition('/')[0]}" if effect.doing == "model" else effect.doing
                ] += 1
        for limit in limits:
            if limit.name == "episodes":
                busy = len(running)
                yield Queue(name="episodes", limit=limit.value, busy=busy, waiting=waiting if running else 0)
            elif limit.name == "scorings":
                yield _queue("scorings", limit.value, doing["scoring"])
            elif limit.name == "workspaces":
                yield _queue("workspaces", limit.value, doing["command"])
            elif limit.name == "model_calls":
                for name in sorted(name for name in doing if name.startswith("model ")):
                    yield _queue(f"calls to {name[6:]}", limit.value, doing[name])

    def _rate(self, now: float) -> float | None:
        began = self._run_began()
        own = [each for each in self._done.values() if began is not None and each.at > began]
        if began is None or not own:
            return None
        until = max(each.at for each in own) if self.is_complete else now
        return round(3600 * len(own) / (until - began), 3) if until > began else None

    def _run_began(self) -> float | None:
        if not self._record.runs:
            return None
        try:
            return datetime.fromisoformat(self._record.runs[-1].began).timestamp()
        except ValueError:
            return None

    def _time_left(self, running: list[str], failed: Iterable[str], now: float) -> TimeLeft | None:
        began = self._run_began()
        if began is None:
            return None
        gone = {*running, *failed}
        waiting = Counter(
            _cell(spec) for name, spec in self._specs.items() if name not in self._done and name not in gone
        )
        so_far = [
            (
                _cell(self._specs[name]),
                self._tails[name].last_at + max(0.0, now - self._tails[name].written_at),
            )
            for name in running
            if name in self._tails
        ]
        return time_left(tuple(self._done.values()), waiting=waiting, running=so_far, began=began, now=now)


def _cell(spec: EpisodeSpec) -> Cell:
    return (spec.task, spec.team.name)


def _add(spent: dict[str, float], axis: str, amount: float) -> None:
    spent[axis] = spent.get(axis, 0.0) + amount


def _keep_better(bests: dict[str, Best], task: str, found: Best, direction: Direction) -> None:
    sign = 1.0 if direction == "max" else -1.0
    known = bests.get(task)
    if known is None or sign * found.value > sign * known.value:
        bests[task] = found


def _plain_best(best: Best | None) -> Best | None:
    return Best(value=best.value, episode=one_line(best.episode)) if best is not None else None


def _queue(name: str, limit: int, asked: int) -> Queue:
    return Queue(name=one_line(name), limit=limit, busy=min(limit, asked), waiting=max(0, asked - limit))


def _waits_for(effect: OpenEffect) -> str:
    what = {
        "model": f"answer of {effect.what}",
        "scoring": f"{effect.what} score",
        "command": "command",
        "clock": "clock",
    }[effect.doing]
    return one_line(f"{effect.member}: {what}", 80)
