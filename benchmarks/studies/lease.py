"""Holding a folder on a network file system without locks: a file that says who holds it, and is kept fresh.

Locks of network file systems are emulated, absent or forgotten by a server that restarts. Making a file that must not
exist and renaming one are atomic on all of them (NFS from version 3 on), and that is all that is used here. A lease that
was not renewed for `LEASE_SECONDS` belongs to a run that is gone (its node was taken away), and is taken over. Ages are
read from the file system's own clock, so that nodes whose clocks differ agree.
"""

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from engine.errors import OutputUnusable

LEASE: Final = ".lease"
RENEW_SECONDS: Final = 30.0
LEASE_SECONDS: Final = 300.0
"""Ten missed renewals; a node that stops for longer than this and then wakes finds its lease gone, and ends."""


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a folder."""

    host: str
    pid: int
    token: str
    """Random: two holders are never taken for one."""


class Lease:
    """A folder, held by this process. Made by `take_lease`."""

    def __init__(self, folder: Path, holder: Holder) -> None:
        self._path, self._holder = folder / LEASE, holder

    def renew(self) -> None:
        """Keep it fresh.

        Raises:
            OutputUnusable: another run has taken the folder over.
        """
        self._check()
        os.utime(self._path)

    def release(self) -> None:
        """Give the folder free; one that another run has taken over stays its own."""
        try:
            self._check()
            self._path.unlink(missing_ok=True)
        except OutputUnusable:
            return

    def _check(self) -> None:
        holder = _read(self._path)
        if holder != self._holder:
            by = (
                f"by {holder.host} (process {holder.pid})"
                if holder is not None
                else "by nobody that can be read"
            )
            raise OutputUnusable(
                f"{self._path.parent} is held {by} now, since this run did not renew its lease for "
                f"{LEASE_SECONDS:.0f} s; run the same command again"
            )


def take_lease(folder: Path) -> Lease:
    """Hold a folder.

    Raises:
        OutputUnusable: another run holds it, or it cannot be written.
    """
    holder = Holder(host=socket.gethostname(), pid=os.getpid(), token=os.urandom(16).hex())
    path = folder / LEASE
    try:
        if not _make(path, holder):
            _remove_stale(path)
            if not _make(path, holder):
                raise _held(path)
    except OSError as error:
        raise OutputUnusable(
            f"cannot write in {folder}: {error.strerror or error}; free some space or choose another folder with --out"
        ) from error
    return Lease(folder, holder)


def refuse_leased(folder: Path) -> None:
    """Refuse a folder that a run on some node works on a copy of.

    Raises:
        OutputUnusable: naming the run.
    """
    path = folder / LEASE
    try:
        if path.exists() and _age(path) < LEASE_SECONDS:
            raise _held(path)
    except OSError:
        return


def _make(path: Path, holder: Holder) -> bool:
    """Whether there was none: written aside and linked, so that nobody ever reads half of it."""
    aside = path.with_name(f"{LEASE}.{holder.token}.partial")
    aside.write_bytes(msgspec.json.encode(holder))
    try:
        os.link(aside, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(holder))
    finally:
        aside.unlink(missing_ok=True)
    return True


def _remove_stale(path: Path) -> None:
    """Remove the lease of a run that is gone.

    Raises:
        OutputUnusable: its run is not known to be gone.
    """
    stale = _read(path)
    try:
        age = _age(path)
    except FileNotFoundError:
        return
    if age < LEASE_SECONDS:
        raise _held(path)
    gone = path.with_name(f"{LEASE}.{os.urandom(8).hex()}.partial")
    try:
        path.rename(gone)
    except FileNotFoundError:
        return  # another run was faster
    if _read(gone) != stale:
        # Between the look and the rename another run had taken over: it gets its lease back.
        with suppress(OSError):
            os.link(gone, path)
        gone.unlink(missing_ok=True)
        raise _held(path)
    gone.unlink(missing_ok=True)


def _age(path: Path) -> float:
    """Seconds since a file was changed, on the clock that dates the folder's files."""
    probe = path.with_name(f"{LEASE}.{os.urandom(8).hex()}.partial")
    probe.write_bytes(b"")
    try:
        return probe.stat().st_mtime - path.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _read(path: Path) -> Holder | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None


def _held(path: Path) -> OutputUnusable:
    holder = _read(path)
    who = f"{holder.host} (process {holder.pid})" if holder is not None else "another run"
    return OutputUnusable(
        f"{who} is working in {path.parent}; wait for it (if it is gone, its lease ends {LEASE_SECONDS:.0f} s after "
        "its last renewal), or name another folder with --out"
    )
