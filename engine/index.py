"""The index of a study: one SQLite row is the commit point of an episode; the journals are the evidence."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from engine.episode import EpisodeResult
from engine.errors import OutputUnusable, RecordDamaged

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
        """The result of an episode that has ended, if it had this specification.

        Args:
            episode: its name.
            spec: SHA-256 (hex) of its specification.
        """
        row = self._connection.execute(
            "SELECT result FROM episodes WHERE episode = ? AND spec = ?", (episode, spec)
        ).fetchone()
        return None if row is None else _decode(row[0], self._path)

    def results(self) -> tuple[EpisodeResult, ...]:
        """Every result, by episode name."""
        rows = self._connection.execute("SELECT result FROM episodes ORDER BY episode").fetchall()
        return tuple(_decode(row[0], self._path) for row in rows)

    def commit(self, result: EpisodeResult) -> None:
        """Put down that an episode has ended; a second time changes nothing.

        Raises:
            OutputUnusable: when it cannot be written.
        """
        try:
            with self._connection:
                self._connection.execute(
                    "INSERT INTO episodes VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (
                        result.episode,
                        result.spec.digest(),
                        result.outcome,
                        result.final.value,
                        msgspec.json.encode(result),
                    ),
                )
        except sqlite3.Error as error:
            raise OutputUnusable(
                f"cannot write {self._path}: {error}; free some space and run again"
            ) from error


def _decode(blob: bytes, path: Path) -> EpisodeResult:
    try:
        return msgspec.json.decode(blob, type=EpisodeResult)
    except msgspec.DecodeError as error:
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
