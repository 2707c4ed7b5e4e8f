"""Completions by the hash of their request, on disk: one SQLite file that several processes may use at once.

A row holds a hash, a completion and its checksum; neither requests nor keys are in it. What cannot be read back (a
damaged row, a row of another version) counts as never kept. Calls are bounded, and short enough to do on the loop.
"""

import hashlib
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.errors import BadSpecification, OutputUnusable
from engine.models.interface import Completion

CACHE_FILE: Final = "completions.sqlite"
DEFAULT_BYTES: Final = 1 << 30
"""What the completions of a cache may take, pages and hashes aside."""
_PRUNE_EVERY: Final = 64
"""Completions kept between two looks at the size."""
_PRUNE_TO: Final = 0.9
_BUSY_SECONDS: Final = 2.0
"""How long another process's write is waited for; each takes milliseconds."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS completions (
    key TEXT PRIMARY KEY, used INTEGER NOT NULL, size INTEGER NOT NULL, checksum BLOB NOT NULL, completion BLOB NOT NULL
) STRICT
"""
_decoder = msgspec.json.Decoder(Completion)


class CacheStore:
    """An open cache. Made by `open_cache_store`."""

    def __init__(self, connection: sqlite3.Connection, path: Path, *, max_bytes: int) -> None:
        self._connection, self._path, self._max_bytes = connection, path, max_bytes
        self._since_pruned = 0
        # Use is counted in openings of the cache, by no clock: at most one write a row and process.
        newest = self._rows("SELECT coalesce(max(used), 0) FROM completions")[0][0]
        self._now = int(newest) + 1

    def find(self, key: str) -> Completion | None:
        """The completion kept under a key; None where there is none, or none that can be read.

        Raises:
            OutputUnusable: the file is damaged.
        """
        rows = self._rows("SELECT used, checksum, completion FROM completions WHERE key = ?", key)
        if not rows:
            return None
        used, checksum, encoded = rows[0]
        if hashlib.sha256(encoded).digest() != checksum:
            return None
        try:
            completion = _decoder.decode(encoded)
        except msgspec.MsgspecError:
            return None
        if used != self._now:
            self._write("UPDATE completions SET used = ? WHERE key = ?", self._now, key)
        return completion

    def keep(self, key: str, completion: Completion) -> None:
        """Keep a completion, in place of what was kept under its key and could not be read.

        Where nothing can be written (a full disk, another process that holds the file) it is not kept.

        Raises:
            OutputUnusable: the file is damaged.
        """
        encoded = msgspec.json.encode(completion)
        checksum = hashlib.sha256(encoded).digest()
        self._write(
            "INSERT OR REPLACE INTO completions VALUES (?, ?, ?, ?, ?)",
            key,
            self._now,
            len(encoded),
            checksum,
            encoded,
        )
        self._since_pruned += 1
        if self._since_pruned >= _PRUNE_EVERY:
            self.prune(self._max_bytes)

    def prune(self, max_bytes: int) -> int:
        """Drop what was not used for longest, where all together are larger.

        Returns:
            How many were dropped.

        Raises:
            OutputUnusable: the file is damaged.
        """
        self._since_pruned = 0
        surplus = self.size() - max_bytes
        if surplus <= 0:
            return 0
        surplus += int(max_bytes * (1 - _PRUNE_TO))
        dropped: list[str] = []
        for key, size in self._rows("SELECT key, size FROM completions ORDER BY used, rowid"):
            if surplus <= 0:
                break
            dropped.append(key)
            surplus -= size
        for key in dropped:
            self._write("DELETE FROM completions WHERE key = ?", key)
        return len(dropped)

    def size(self) -> int:
        """Bytes of all completions together."""
        return int(self._rows("SELECT coalesce(sum(size), 0) FROM completions")[0][0])

    def __len__(self) -> int:
        return int(self._rows("SELECT count(*) FROM completions")[0][0])

    def _rows(self, query: str, *values: str | int) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._damaged(error) from error

    def _write(self, statement: str, *values: str | int | bytes) -> None:
        try:
            self._connection.execute(statement, values)
        except sqlite3.OperationalError:
            return  # busy, full, read-only: a cache that cannot grow still serves
        except sqlite3.Error as error:
            raise self._damaged(error) from error

    def _damaged(self, error: sqlite3.Error) -> OutputUnusable:
        return OutputUnusable(f"{self._path} cannot be read ({error}); remove it, it is only a cache")


@contextmanager
def open_cache_store(folder: Path, *, max_bytes: int = DEFAULT_BYTES) -> Generator[CacheStore]:
    """The cache in a folder, made where there is none; pruned to its size when it is left.

    Args:
        folder: may be shared by several processes of one machine, not over a network.
        max_bytes: of all completions together.

    Raises:
        BadSpecification: `max_bytes` is no size.
        OutputUnusable: the folder cannot be written, or holds something else under the cache's name.
    """
    if max_bytes < 1:
        raise BadSpecification("max_bytes", f"{max_bytes} is no size; give 1 or more")
    path = folder / CACHE_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise _unusable(path, error) from error
    try:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # A crash of the machine may lose the last completions, never damage the others.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_SCHEMA)
        except sqlite3.Error as error:
            raise _unusable(path, error) from error
        store = CacheStore(connection, path, max_bytes=max_bytes)
        yield store
        store.prune(max_bytes)
    finally:
        connection.close()


def _unusable(path: Path, error: OSError | sqlite3.Error) -> OutputUnusable:
    return OutputUnusable(
        f"cannot use {path} as a cache of completions ({error}); remove it, or name another folder"
    )
