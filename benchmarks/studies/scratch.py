"""Working on a node's own disk, and keeping the folder on the network up to date: no locks and no database over there.

The folder on the network is held by a lease, copied to the scratch, and brought up to date every half minute and at the
end. Whatever stands there at any moment is a study's folder that can be gone on with: the index is taken first and put
there last, so that everything its rows speak of is there before them. A node that is taken away without a word loses at
most what was done since; with SIGTERM it loses nothing.
"""

import hashlib
import shutil
import sqlite3
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final

import trio

from benchmarks.studies.lease import RENEW_SECONDS, Lease, take_lease
from benchmarks.studies.looks import LOOKS
from benchmarks.studies.study import refuse_locked, refuse_strangers
from engine.errors import OutputUnusable

LAST_SECONDS: Final = 300.0
"""Most that the last bringing up to date may take once a run is cancelled."""
_INDEX: Final = "index.sqlite"
_PLAIN: Final = ("secret", "scores.jsonl", "study.toml", "study.lock", "study.json")


@asynccontextmanager
async def open_scratch(folder: Path, scratch: Path) -> AsyncGenerator[Path]:
    """A copy of a study's folder on the scratch; the folder is up to date when the block has ended.

    Args:
        folder: on the network; made where there is none.
        scratch: on the node's own disk.

    Yields:
        The folder to work in.

    Raises:
        OutputUnusable: one of them cannot be written, or another run holds the folder.
    """
    own = _place(folder, scratch)
    lease = await trio.to_thread.run_sync(_begin, folder, own)
    mirror = _Mirror(own, folder)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep_up, mirror, lease)
            try:
                yield own
            finally:
                nursery.cancel_scope.cancel()
    finally:
        with trio.move_on_after(LAST_SECONDS, shield=True) as scope:
            await trio.to_thread.run_sync(_end, mirror, lease, own, abandon_on_cancel=True)
        if scope.cancelled_caught:
            raise OutputUnusable(
                f"{folder} could not be brought up to date within {LAST_SECONDS:.0f} s; {own} holds the rest, and "
                "the same command does it again"
            )


def _place(folder: Path, scratch: Path) -> Path:
    return scratch / f"{folder.name}-{hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:12]}"


def _begin(folder: Path, own: Path) -> Lease:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        refuse_strangers(folder)
        refuse_locked(folder)
        lease = take_lease(folder)
        try:
            # What an earlier run left on this node may be older than what another node has done since.
            shutil.rmtree(own, ignore_errors=True)
            own.mkdir(parents=True)
            for name in (*_PLAIN, LOOKS, _INDEX):
                if (folder / name).exists():
                    shutil.copy2(folder / name, own / name)
            for name in ("artefacts", "episodes"):
                if (folder / name).exists():
                    shutil.copytree(folder / name, own / name)
        except BaseException:  # whatever ends the copy, Ctrl-C too, the folder must not stay taken
            lease.release()
            raise
    except OSError as error:
        raise OutputUnusable(
            f"cannot copy {folder} to {own}: {error.strerror or error}; free some space or name another --scratch"
        ) from error
    return lease


async def _keep_up(mirror: "_Mirror", lease: Lease) -> None:
    while True:
        await trio.sleep(RENEW_SECONDS)
        # Cancelled, it leaves its thread to the last copy, which waits for it, and whose wait has a bound.
        await trio.to_thread.run_sync(_bring, mirror, lease, abandon_on_cancel=True)


def _bring(mirror: "_Mirror", lease: Lease) -> None:
    with mirror.one_at_a_time:
        if not mirror.is_over:
            lease.renew()  # a folder that another run has taken over is left to it
            mirror.bring()


def _end(mirror: "_Mirror", lease: Lease, own: Path) -> None:
    _bring(mirror, lease)
    with mirror.one_at_a_time:
        mirror.is_over = True
        lease.release()
    shutil.rmtree(own, ignore_errors=True)  # all of it is over there now


class _Mirror:
    """Brings one folder up to date with another. Everything in it only grows, or is replaced whole."""

    def __init__(self, source: Path, target: Path) -> None:
        self._source, self._target = source, target
        self._brought: dict[Path, tuple[int, int]] = {}
        """File to its size and time of change when it was copied."""
        self.one_at_a_time = threading.Lock()
        """Held by the thread that copies."""
        self.is_over = False
        """Whether the last copy was made: one that comes later must not touch the folder, nor its lease."""

    def bring(self) -> None:
        """Copy what has changed.

        Raises:
            OutputUnusable: it cannot be written.
        """
        try:
            index = self._index()
            for name in ("artefacts", "episodes"):
                self._bring_tree(self._source / name)
            for name in _PLAIN:
                self._bring_file(self._source / name)
            self._bring_looks()
            if index is not None:
                self._put(index, self._target / _INDEX)
                index.unlink()
        except (OSError, sqlite3.Error) as error:
            raise OutputUnusable(
                f"cannot bring {self._target} up to date from {self._source}: {error}; free some space and run again"
            ) from error

    def _index(self) -> Path | None:
        """A copy of the index as it stands, in one file."""
        if not (self._source / _INDEX).exists():
            return None
        copy = self._source / f"{_INDEX}.partial"
        copy.unlink(missing_ok=True)
        with closing(sqlite3.connect(self._source / _INDEX)) as index, closing(sqlite3.connect(copy)) as to:
            index.backup(to)
            # A log beside the file would need shared memory, which a network does not have.
            to.execute("PRAGMA journal_mode = DELETE")
        return copy

    def _bring_tree(self, folder: Path) -> None:
        # ``early.jsonl`` before ``journal.jsonl``: an answer moves from one to the other, and must not fall between.
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and not path.name.endswith(".partial"):
                self._bring_file(path)
        for early in self._target.glob("episodes/*/early.jsonl"):
            # The journal, which has just been copied, holds what it held.
            if not (self._source / early.relative_to(self._target)).exists():
                early.unlink(missing_ok=True)

    def _bring_looks(self) -> None:
        """Lines that are not there yet: a report may have looked at the folder meanwhile."""
        here, there = self._source / LOOKS, self._target / LOOKS
        if not here.exists():
            return
        known = set(there.read_bytes().splitlines()) if there.exists() else set[bytes]()
        if lines := [line for line in here.read_bytes().splitlines() if line not in known]:
            with there.open("ab") as file:
                file.write(b"".join(line + b"\n" for line in lines))

    def _bring_file(self, path: Path) -> None:
        try:
            state = path.stat()
            mark = (state.st_size, state.st_mtime_ns)
            if self._brought.get(path) != mark:
                self._put(path, self._target / path.relative_to(self._source))
                self._brought[path] = mark
        except FileNotFoundError:
            return  # gone meanwhile: an early answer that the journal holds now

    @staticmethod
    def _put(path: Path, place: Path) -> None:
        """Whole or not at all."""
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(f".{place.name}.partial")
        shutil.copy2(path, partial)
        partial.replace(place)
