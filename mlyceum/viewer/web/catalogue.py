"""The episodes of one study as rows that can be filtered, sorted and paged: ended, running, waiting and failed alike.

The rows live in a database of our own in a temporary file, so that neither a page nor the memory grows with the study.
It follows the study's index by the order of commits, and decodes of each result only what a row shows.
"""

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from engine.errors import RecordDamaged
from engine.index import Index, open_index
from engine.seeds import Seeds
from mlyceum.folders import EPISODES, INDEX, STUDY
from mlyceum.viewer.web.inside import NotServed, open_inside
from mlyceum.viewer.web.locks import is_held

Sort: TypeAlias = Literal[
    "episode", "task", "arm", "seed", "outcome", "final", "evaluations", "cost", "seconds", "latest"
]
SORTS: tuple[Sort, ...] = (
    "episode", "task", "arm", "seed", "outcome", "final", "evaluations", "cost", "seconds", "latest",
)  # fmt: skip
OUTCOMES = ("submitted", "budget", "deadlock", "error", "failed", "running", "interrupted", "waiting")
PAGE = 50
CHUNK = 500
"""Results of the index that are held at once."""
MOST_AT_ONCE = 20_000
"""Results that are read before one answer: an index of any size delays no page for long."""
MOST_POINTS = 40
"""Of one cell of the table of arms and tasks."""
MOST_CELLS = 2_000
PROBLEM_CHARACTERS = 300
"""Of why an episode has no score; its page has the whole."""
_CACHE_KIB = 2_000

_SCHEMA = """
CREATE TABLE rows (
    episode TEXT PRIMARY KEY, task TEXT NOT NULL, arm TEXT NOT NULL, seed INTEGER NOT NULL, outcome TEXT NOT NULL,
    final REAL, standard_error REAL, evaluations INTEGER NOT NULL DEFAULT 0, messages INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0, cost REAL NOT NULL DEFAULT 0, tokens REAL NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '', place INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX in_order ON rows (task, arm, seed, episode);
"""


_PUT = """
INSERT INTO rows (episode, task, arm, seed, outcome, final, standard_error, evaluations, messages, seconds, cost, tokens,
    problem, place)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (episode) DO UPDATE SET outcome = excluded.outcome, final = excluded.final,
    standard_error = excluded.standard_error, evaluations = excluded.evaluations, messages = excluded.messages,
    seconds = excluded.seconds, cost = excluded.cost, tokens = excluded.tokens, problem = excluded.problem,
    place = excluded.place
"""


_COLUMNS = "episode, task, arm, seed, outcome, final, standard_error, evaluations, messages, seconds, cost, tokens, problem"
"""As the fields of `Row`."""
_IN_ORDER = ("task", "arm", "seed", "episode")
_BY: dict[Sort, tuple[str, ...]] = {"episode": _IN_ORDER, "latest": ("place",)}
_BESIDE = (
    "SELECT episode FROM rows WHERE (task, arm, seed, episode) {}"
    " (SELECT task, arm, seed, episode FROM rows WHERE episode = ?)"
)
_BEFORE = f"{_BESIDE.format('<')} ORDER BY task DESC, arm DESC, seed DESC, episode DESC LIMIT 1"
_AFTER = f"{_BESIDE.format('>')} ORDER BY task, arm, seed, episode LIMIT 1"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One episode in a list."""

    episode: str
    task: str
    arm: str
    seed: int
    outcome: str
    """How it ended; ``running``, ``waiting`` or ``failed`` (the outside let it down) for one that has not."""
    final: float | None
    standard_error: float | None
    evaluations: int
    messages: int
    seconds: float
    cost: float
    tokens: float
    problem: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows of a list."""

    rows: tuple[Row, ...]
    total: int
    """Rows that the filter leaves."""
    offset: int


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One arm on one task."""

    arm: str
    task: str
    planned: int
    ended: int
    scored: int
    mean: float | None
    """Of the final scores; failures are left out here, and counted in ``ended - scored``."""
    points: tuple[float, ...] = ()
    """Final scores in the order of seeds, the first ones where there are many."""


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What a study has come to so far."""

    outcomes: dict[str, int]
    episodes: int
    ended: int
    evaluations: int
    tokens: float
    cost_usd: float
    seconds: float
    """Of all episodes, one after the other."""
    held: bool | None
    """Whether a run works in the folder; None where that cannot be told."""
    behind: bool
    """Whether the index holds more than was read so far; asked again, more of it is."""
    problem: str


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows; an empty text leaves all."""

    task: str = ""
    arm: str = ""
    outcome: str = ""
    text: str = ""


class _Team(msgspec.Struct, frozen=True):
    name: str


class _Spec(msgspec.Struct, frozen=True):
    task: str
    team: _Team
    seeds: Seeds


class _Score(msgspec.Struct, frozen=True):
    value: float | None = None
    standard_error: float = 0.0
    failure: str = ""


class _Measured(msgspec.Struct, frozen=True):
    seconds: float = 0.0


class _Result(msgspec.Struct, frozen=True):
    """Of a result, what a row shows; the rest is skipped undecoded."""

    episode: str
    spec: _Spec
    outcome: str
    final: _Score
    reason: str = ""
    evaluations: int = 0
    messages: int = 0
    spending: dict[str, float] = {}
    measured: _Measured = _Measured()


class _Run(msgspec.Struct, frozen=True):
    failed: dict[str, str] = {}


class _Study(msgspec.Struct, frozen=True):
    episodes: tuple[_Spec, ...] = ()
    runs: tuple[_Run, ...] = ()


_decoder = msgspec.json.Decoder(_Result)
_study_decoder = msgspec.json.Decoder(_Study)


class Catalogue:
    """The rows of one study. Safe to call from several threads.

    Args:
        study: its folder.
    """

    def __init__(self, study: Path) -> None:
        self._study = study
        self._lock = threading.Lock()
        # An empty name is a temporary file that SQLite removes; its pages are held up to the cache's size.
        self._database = sqlite3.connect("", check_same_thread=False)
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._database.execute("PRAGMA synchronous = OFF")
        self._start_again()

    def close(self) -> None:
        """Let go of the rows."""
        with self._lock:
            self._database.close()

    def _start_again(self) -> None:
        self._database.executescript(f"DROP TABLE IF EXISTS rows; {_SCHEMA}")
        self._place = self._taken = 0
        self._index_inode = 0
        self._study_seen: tuple[int, int, int] | None = None
        self._episodes_seen: tuple[int, bool | None] | None = None
        self._held: bool | None = None
        self._behind = False
        self._problem = ""
        self._tasks: dict[str, None] = {}
        self._arms: dict[str, None] = {}
        # What was counted, with the number of changes at which it was: counted again only when something changed.
        self._sums_at: tuple[int, dict[str, int], tuple[float, float, float, float]] | None = None
        self._names_at: tuple[int, tuple[str, ...], tuple[str, ...]] | None = None
        self._cells_at: tuple[int, tuple[Cell, ...]] | None = None

    def page(self, chosen: Filter, *, sort: Sort, descending: bool, offset: int, most: int = PAGE) -> Page:
        """Some rows.

        Args:
            chosen: which rows.
            sort: by what; ``latest``: by the order in which they ended.
            descending: the other way round; rows without a value come last either way.
            offset: rows to pass over.
            most: rows at most.
        """
        where, values = _where(chosen)
        way = "DESC" if descending else "ASC"
        columns = _BY.get(sort, (sort,))
        order = ", ".join((f"{columns[0]} IS NULL", *(f"{column} {way}" for column in columns), *_IN_ORDER))
        with self._lock:
            self._catch_up()
            total = self._one(f"SELECT count(*) FROM rows {where}", *values)  # noqa: S608 - made of fixed words
            # Only the numbers of rows are sorted, not the rows.
            wanted = f"SELECT rowid FROM rows {where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608 - same
            found = self._database.execute(
                f"SELECT {_COLUMNS} FROM rows WHERE rowid IN ({wanted}) ORDER BY {order}",  # noqa: S608 - same
                (*values, most, offset),
            ).fetchall()
        rows = tuple(Row(**dict(zip(Row.__struct_fields__, each, strict=True))) for each in found)
        return Page(rows=rows, total=total, offset=offset)

    def beside(self, episode: str) -> tuple[str | None, str | None]:
        """The episodes before and after one, by task, arm and seed."""
        with self._lock:
            self._catch_up()
            before = self._database.execute(_BEFORE, (episode,)).fetchone()
            after = self._database.execute(_AFTER, (episode,)).fetchone()
            return before[0] if before else None, after[0] if after else None

    def totals(self) -> Totals:
        """What the study has come to."""
        with self._lock:
            self._catch_up()
            outcomes, (evaluations, tokens, cost, seconds) = self._sums()
            return Totals(
                outcomes=outcomes,
                episodes=sum(outcomes.values()),
                ended=self._taken,
                evaluations=int(evaluations),
                tokens=tokens,
                cost_usd=cost,
                seconds=seconds,
                held=self._held,
                behind=self._behind,
                problem=self._problem,
            )

    def _sums(self) -> tuple[dict[str, int], tuple[float, float, float, float]]:
        if self._sums_at is None or self._sums_at[0] != self._database.total_changes:
            found = dict(self._database.execute("SELECT outcome, count(*) FROM rows GROUP BY outcome"))
            sums = self._database.execute(
                "SELECT total(evaluations), total(tokens), total(cost), total(seconds) FROM rows WHERE place > 0"
            ).fetchone()
            outcomes = {name: found[name] for name in OUTCOMES if name in found}
            self._sums_at = (self._database.total_changes, outcomes, sums)
        return self._sums_at[1], self._sums_at[2]

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The tasks and the arms, in the order in which they were planned."""
        with self._lock:
            self._catch_up()
            if self._names_at is None or self._names_at[0] != self._database.total_changes:
                tasks = self._database.execute("SELECT task FROM rows GROUP BY task ORDER BY min(rowid)")
                arms = self._database.execute("SELECT arm FROM rows GROUP BY arm ORDER BY min(rowid)")
                named = _planned_first(self._tasks, tasks), _planned_first(self._arms, arms)
                self._names_at = (self._database.total_changes, *named)
            return self._names_at[1], self._names_at[2]

    def cells(self) -> tuple[Cell, ...]:
        """Each arm on each task, with its first points."""
        with self._lock:
            self._catch_up()
            if self._cells_at is None or self._cells_at[0] != self._database.total_changes:
                self._cells_at = (self._database.total_changes, self._make_cells())
            return self._cells_at[1]

    def _make_cells(self) -> tuple[Cell, ...]:
        counted = self._database.execute(
            "SELECT arm, task, count(*), total(place > 0), count(final), avg(final) FROM rows"
            " GROUP BY task, arm LIMIT ?",
            (MOST_CELLS,),
        ).fetchall()
        points: dict[tuple[str, str], list[float]] = {}
        for arm, task, final in self._database.execute(
            "SELECT arm, task, final FROM (SELECT arm, task, final, row_number() OVER"
            " (PARTITION BY task, arm ORDER BY seed) AS number FROM rows WHERE final IS NOT NULL)"
            " WHERE number <= ?",
            (MOST_POINTS,),
        ):
            points.setdefault((arm, task), []).append(final)
        return tuple(
            Cell(
                arm=arm,
                task=task,
                planned=planned,
                ended=int(ended),
                scored=scored,
                mean=mean,
                points=tuple(points.get((arm, task), ())),
            )
            for arm, task, planned, ended, scored, mean in counted
        )

    def _one(self, query: str, *values: str | int) -> int:
        return int(self._database.execute(query, values).fetchone()[0])

    def _catch_up(self) -> None:
        """Take what came since."""
        with self._database:
            # The index first: a row that is there already is not planned again, which is most of the work of a first look.
            self._read_index()
            self._read_study()
            self._read_folders()

    def _read_study(self) -> None:
        try:
            with open_inside(self._study, STUDY) as file:
                status = os.fstat(file.fileno())
                seen = (status.st_ino, status.st_size, status.st_mtime_ns)
                if seen == self._study_seen:
                    return
                study = _study_decoder.decode(file.read())
        except (NotServed, msgspec.DecodeError):
            return  # a folder of episodes without a plan is shown as it is
        self._study_seen = seen
        self._tasks = dict.fromkeys(spec.task for spec in study.episodes)
        self._arms = dict.fromkeys(spec.team.name for spec in study.episodes)
        self._database.executemany(
            "INSERT INTO rows (episode, task, arm, seed, outcome) VALUES (?, ?, ?, ?, 'waiting') ON CONFLICT DO NOTHING",
            ((_name(spec), spec.task, spec.team.name, spec.seeds.team) for spec in study.episodes),
        )
        self._database.execute("UPDATE rows SET outcome = 'waiting', problem = '' WHERE outcome = 'failed'")
        failed = study.runs[-1].failed if study.runs else {}
        self._database.executemany(
            "UPDATE rows SET outcome = 'failed', problem = ? WHERE episode = ? AND place = 0",
            ((reason[:PROBLEM_CHARACTERS], episode) for episode, reason in failed.items()),
        )
        self._episodes_seen = None

    def _read_index(self) -> None:
        path = self._study / INDEX
        try:
            inode = path.lstat().st_ino
            with open_inside(self._study, INDEX), open_index(path, read_only=True) as index:
                if self._index_inode not in (0, inode) or index.count() < self._taken:
                    self._start_again()
                self._index_inode = inode
                for rows in self._chunks(index):
                    self._database.executemany(
                        _PUT,
                        rows,
                    )
            self._problem = ""
        except (OSError, NotServed):
            return  # no run has come so far
        except RecordDamaged as error:
            self._problem = "" if "no such table" in str(error) else str(error)

    def _chunks(self, index: Index) -> Iterator[list[tuple[object, ...]]]:
        most = self._taken + MOST_AT_ONCE
        self._behind = False
        while found := index.page(after=self._place, most=CHUNK):
            rows: list[tuple[object, ...]] = []
            for place, content in found:
                self._place = place
                self._taken += 1
                try:
                    result = _decoder.decode(content)
                except ValueError as error:
                    self._problem = f"a result cannot be read: {error}"
                    continue
                rows.append(_row(result, place))
            yield rows
            if self._taken >= most:
                self._behind = self._taken < index.count()
                return

    def _read_folders(self) -> None:
        """Which of the episodes that have not ended were begun."""
        held = is_held(self._study)
        self._held = held
        folder = self._study / EPISODES
        with suppress(OSError):
            seen = (folder.stat().st_mtime_ns, held)
            if seen != self._episodes_seen:
                self._episodes_seen = seen
                begun = [path.name for path in folder.iterdir()]
                self._database.execute("CREATE TEMP TABLE IF NOT EXISTS begun (episode TEXT PRIMARY KEY)")
                self._database.execute("DELETE FROM begun")
                self._database.executemany("INSERT INTO begun VALUES (?)", ((name,) for name in begun))
                self._database.execute(
                    "INSERT INTO rows (episode, task, arm, seed, outcome) SELECT episode, '', '', 0, 'waiting' FROM begun"
                    " WHERE true ON CONFLICT DO NOTHING"
                )
                state = "running" if held is not False else "interrupted"
                self._database.execute(
                    "UPDATE rows SET outcome = ? WHERE place = 0 AND outcome != 'failed'"
                    " AND episode IN (SELECT episode FROM begun)",
                    (state,),
                )


def _planned_first(planned: dict[str, None], found: Iterable[tuple[str]]) -> tuple[str, ...]:
    """Names in the order in which they were planned, then those that no plan has."""
    names = [name for (name,) in found]
    return (*(name for name in planned if name in names), *(name for name in names if name not in planned))


def _name(spec: _Spec) -> str:
    """As `engine.episode.EpisodeSpec.id` makes it, of which a row has not the whole."""
    seeds = spec.seeds
    same = seeds.task == seeds.team == seeds.evaluation
    seed = f"{seeds.team}" if same else f"{seeds.task}-{seeds.team}-{seeds.evaluation}"
    return f"{spec.task.replace('@', '.')}--{spec.team.name}--seed-{seed}"


def _row(result: _Result, place: int) -> tuple[object, ...]:
    spending = result.spending
    return (
        result.episode,
        result.spec.task,
        result.spec.team.name,
        result.spec.seeds.team,
        result.outcome,
        result.final.value,
        result.final.standard_error if result.final.value is not None else None,
        result.evaluations,
        result.messages,
        result.measured.seconds,
        spending.get("cost_usd", 0.0),
        spending.get("tokens", 0.0),
        (result.reason or result.final.failure)[:PROBLEM_CHARACTERS],
        place,
    )


def _where(chosen: Filter) -> tuple[str, tuple[str, ...]]:
    """The condition with its values; every word of the text must be in the name or in the problem."""
    conditions: list[str] = []
    values: list[str] = []
    for column in ("task", "arm", "outcome"):
        wanted: str = getattr(chosen, column)
        if wanted:
            conditions.append(f"{column} = ?")
            values.append(wanted)
    for word in chosen.text.split()[:8]:
        escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        conditions.append("(episode LIKE ? ESCAPE '\\' OR problem LIKE ? ESCAPE '\\')")
        values += [f"%{escaped}%"] * 2
    return (f"WHERE {' AND '.join(conditions)}" if conditions else ""), tuple(values)
