"""The index of a study: one SQLite row is the commit point of an episode; the journals are the evidence."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from engine.episode import EpisodeResult
from engine.errors import BadSpecification, OutputUnusable, RecordDamaged

_SCHEMA = """
CREATE TABLE IF NOT EXISTS episodes (
    episode TEXT PRIMARY KEY, spec TEXT NOT NULL, outcome TEXT NOT NULL, final REAL, result BLOB NOT NULL
) STRICT
"""


class Index:
    """Which episodes are done, and what came of them."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self._path = connection, path

    def done(self, episode: str, spec: str) -> EpisodeResult | None:
        """The result of an episode, if it has ended.

        Args:
            episode: its name.
            spec: SHA-256 (hex) of its specification.

        Raises:
            BadSpecification: when an episode of that name but another specification has ended here.
            RecordDamaged: when the index cannot be read.
        """
        rows = self._rows("SELECT spec, result FROM episodes WHERE episode = ?", episode)
        if not rows:
            return None
        known, result = rows[0]
        if known != spec:
            raise self._another(episode)
        return _decode(result, self._path)

    def results(self) -> tuple[EpisodeResult, ...]:
        """Every result, by episode name.

        Raises:
            RecordDamaged: when the index cannot be read.
        """
        rows = self._rows("SELECT spec, result FROM episodes ORDER BY episode")
        return tuple(_decode(result, self._path) for _, result in rows)

    def one(self, episode: str) -> EpisodeResult | None:
        """The result of one episode, whatever its specification; None while it has not ended.

        Raises:
            RecordDamaged: when the index cannot be read.
        """
        rows = self._rows("SELECT spec, result FROM episodes WHERE episode = ?", episode)
        return _decode(rows[0][1], self._path) if rows else None

    def page(self, *, after: int = 0, most: int = 500) -> tuple[tuple[int, bytes], ...]:
        """Some results, undecoded, in the order in which they were committed: for who must not hold them all.

        Args:
            after: the place of the last one that is known; 0 begins.
            most: how many at most.

        Returns:
            Pairs of a place, which grows, and an `EpisodeResult` as JSON.

        Raises:
            RecordDamaged: when the index cannot be read.
        """
        query = "SELECT rowid, result FROM episodes WHERE rowid > ? ORDER BY rowid LIMIT ?"
        return tuple((int(place), result) for place, result in self._rows(query, after, most))

    def count(self) -> int:
        """How many episodes have ended.

        Raises:
            RecordDamaged: when the index cannot be read.
        """
        return int(self._rows("SELECT count(*), x'' FROM episodes")[0][0])

    def _rows(self, query: str, *values: str | int) -> list[tuple[str, bytes]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise RecordDamaged(
                f"{self._path} cannot be read: {error}; remove it, and a rerun makes it again from the journals"
            ) from error

    def _another(self, episode: str) -> BadSpecification:
        return BadSpecification(
            f"{self._path}",
            f"{episode} has ended here with another specification; name another folder with --out",
        )

    def commit(self, result: EpisodeResult) -> None:
        """Put down that an episode has ended; a second time changes nothing.

        Raises:
            BadSpecification: when an episode of that name but another specification has ended here.
            OutputUnusable: when it cannot be written.
        """
        spec = result.spec.digest()
        try:
            with self._connection:
                self._connection.execute(
                    "INSERT INTO episodes VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (
                        result.episode,
                        spec,
                        result.outcome,
                        result.final.value,
                        msgspec.json.encode(result),
                    ),
                )
        except sqlite3.Error as error:
            raise OutputUnusable(
                f"cannot write {self._path}: {error}; free some space and run again"
            ) from error
        if self._rows("SELECT spec, x'' FROM episodes WHERE episode = ?", result.episode)[0][0] != spec:
            raise self._another(result.episode)


def _decode(blob: bytes, path: Path) -> EpisodeResult:
    try:
        return msgspec.json.decode(blob, type=EpisodeResult)
    except ValueError as error:  # a `DecodeError` is one, and so is a bad encoding
        raise RecordDamaged(f"{path}: {error}; it was written by another version, or changed") from error


@contextmanager
def open_index(path: Path, *, read_only: bool = False) -> Generator[Index]:
    """An index.

    Raises:
        OutputUnusable: when it cannot be opened or made.
    """
    connection: sqlite3.Connection | None = None
    try:
        mode = "ro" if read_only else "rwc"
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True)
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(_SCHEMA)
            connection.commit()
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise OutputUnusable(f"cannot open {path}: {error}") from error
    try:
        yield Index(connection, path)
    finally:
        connection.close()
