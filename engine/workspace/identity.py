"""User ids for sandboxes: one for each that is open, never shared, given back by the kernel if we die.

As root every open sandbox runs under its own unprivileged user id, so that two of them share neither process limits
nor anything that is kept by user. A lease is a lock on a small file: the lock ends with the process that holds it.
"""

import contextlib
import fcntl
import os
import pwd
from collections.abc import Generator
from pathlib import Path

from engine.errors import WorkspaceError

FIRST_ID, LAST_ID = 20_001, 24_000
_FOLDERS = (Path("/run/mlyceum"), Path("/var/tmp/mlyceum-ids"))  # noqa: S108 - root's own, mode 0700, checked


@contextlib.contextmanager
def leased_id() -> Generator[int | None]:
    """A user id that no other open sandbox has, or None for an ordinary user, who has only one.

    Raises:
        WorkspaceError: when all ids are taken, or root can keep its locks nowhere.
    """
    if os.geteuid() != 0:
        yield None
        return
    folder = _lock_folder()
    for number in range(FIRST_ID, LAST_ID + 1):
        lock = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            if not _is_somebody(number):
                yield number
                return
        finally:
            os.close(lock)
    raise WorkspaceError(
        f"all user ids from {FIRST_ID} to {LAST_ID} are in use; open fewer workspaces at once"
    )


def _is_somebody(number: int) -> bool:
    try:
        pwd.getpwuid(number)
    except KeyError:
        return False
    return True


def _lock_folder() -> Path:
    for folder in _FOLDERS:
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            status = folder.lstat()
            if status.st_uid == 0 and folder.is_dir() and not folder.is_symlink():
                return folder
    raise WorkspaceError(f"cannot keep locks in {' or '.join(map(str, _FOLDERS))}; make one of them writable")
