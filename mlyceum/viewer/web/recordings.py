"""Episodes that somebody looks at: a few are held, each read on from where it was when it is asked for again."""

import threading
from collections import OrderedDict
from pathlib import Path

import msgspec

from engine.errors import RecordDamaged
from engine.index import open_index
from engine.journal import Finished, Started
from engine.messages import MemberId
from mlyceum.folders import INDEX
from mlyceum.reading import EpisodeView, episode_view
from mlyceum.viewer.web.inside import NotServed, is_inside
from mlyceum.viewer.web.tail import Tail

MOST_HELD = 12


class CallPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where an effect is in a journal."""

    started: int
    finished: int = 0
    """0: under way."""
    waited_seconds: float = 0.0
    cpu_seconds: float = 0.0
    max_rss_bytes: int = 0
    attempts: int = 0
    cached: bool = False


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """An episode at one moment."""

    view: EpisodeView
    calls: dict[tuple[MemberId, int], CallPlace]
    version: str
    problem: str
    """Why the record ends where it does, where it is damaged."""


class Recording:
    """One episode, read on whenever it is asked for. Safe to call from several threads.

    Args:
        study: the study's folder.
        episode: the episode's name.
    """

    def __init__(self, study: Path, episode: str) -> None:
        self._study, self._episode = study, episode
        self._tail = Tail(study, episode)
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._has_result = False

    def snapshot(self) -> Snapshot:
        """The episode as it is now.

        Raises:
            NotServed: there is no journal of that name in the study.
        """
        with self._lock:
            changed = self._tail.read_on()
            if self._snapshot is None or changed or not self._has_result:
                self._look(changed=changed)
            assert self._snapshot is not None  # made above
            return self._snapshot

    def line(self, order: int) -> object:
        """One line of the journal, decoded and whole.

        Raises:
            NotServed: there is no such line.
        """
        with self._lock:
            self._tail.read_on()
            return self._tail.line(order)

    def _look(self, *, changed: bool) -> None:
        # The row is the commit point: it comes after the last line, and only once.
        result = None
        if is_inside(self._study, INDEX):
            try:
                with open_index(self._study / INDEX, read_only=True) as index:
                    result = index.one(self._episode)
            except RecordDamaged:
                result = None
        if self._snapshot is not None and not changed and result is None:
            return
        self._has_result = result is not None
        records = self._tail.records
        self._snapshot = Snapshot(
            view=episode_view(
                records,
                episode=self._episode,
                folder=self._episode,
                spec=result.spec if result is not None else None,
                result=result,
            ),
            calls=_calls(self._tail),
            version=f"{self._tail.version}{'-ended' if result is not None else ''}",
            problem=self._tail.problem,
        )


def _calls(tail: Tail) -> dict[tuple[MemberId, int], CallPlace]:
    calls: dict[tuple[MemberId, int], CallPlace] = {}
    for order, record in enumerate(tail.records, start=1):
        if isinstance(record, Started):
            calls[record.member, record.ordinal] = CallPlace(started=order)
        elif isinstance(record, Finished) and (key := (record.member, record.ordinal)) in calls:
            measured = record.measured
            calls[key] = (
                CallPlace(started=calls[key].started, finished=order)
                if measured is None
                else CallPlace(
                    started=calls[key].started,
                    finished=order,
                    waited_seconds=measured.waited_seconds,
                    cpu_seconds=measured.cpu_seconds,
                    max_rss_bytes=measured.max_rss_bytes,
                    attempts=measured.attempts,
                    cached=bool(measured.extra.get("cached")),
                )
            )
    return calls


class Recordings:
    """The episodes that were looked at last. Safe to call from several threads."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[Path, str], Recording] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, study: Path, episode: str) -> Recording:
        """The recording of an episode.

        Raises:
            NotServed: the study has no such episode.
        """
        with self._lock:
            key = (study, episode)
            if key not in self._held:
                if not is_inside(study, "episodes", episode, "journal.jsonl"):
                    raise NotServed(f"this study has no episode {episode[:200]!r} with a journal (yet)")
                self._held[key] = Recording(study, episode)
            self._held.move_to_end(key)
            while len(self._held) > MOST_HELD:
                self._held.popitem(last=False)
            return self._held[key]
