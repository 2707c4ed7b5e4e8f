"""A private mount namespace in which closed folders can be reached by a user without privileges (root only).

The interpreter in use may live under a home that only root may enter. Bound to an open place, it could be read by the
sandbox's user, but such a mount must neither show on the host nor survive us. So a tiny process holds a mount namespace
of its own with the binds in it; it waits on a pipe from us, and when we die, however, it ends and the mounts with it.
"""

import atexit
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from engine.errors import IsolationUnavailable

_PLACES = ("/dev/shm", "/run", "/mnt", "/srv")  # noqa: S108 - covered by a mount of our own in a private namespace
_SCRIPT = """
set -e
place=$1; shift
mount -t tmpfs -o size=64k,mode=755 mlyceum "$place"
n=0
for source in "$@"; do
    mkdir "$place/$n"
    mount --bind "$source" "$place/$n"
    n=$((n + 1))
done
echo ready
exec cat >/dev/null
"""


class Stage:
    """A holder process and the places of its binds. Keep it while sandboxes run; `close` ends it."""

    def __init__(self, holder: "subprocess.Popen[bytes]", places: dict[Path, Path]) -> None:
        self._holder = holder
        self.places = places

    @classmethod
    def make(cls, closed: Sequence[Path]) -> Self:
        """Bind each closed folder to an open place. Blocks for some milliseconds.

        Raises:
            IsolationUnavailable: when mounts cannot be made here.
        """
        place = next(
            place
            for place in _PLACES
            if Path(place).is_dir() and not any(folder.is_relative_to(place) for folder in closed)
        )
        sources = [str(folder) for folder in closed]
        holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", _SCRIPT, "sh", place, *sources],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            cwd="/",
            start_new_session=True,
        )
        assert holder.stdout is not None
        assert holder.stderr is not None
        if holder.stdout.readline().strip() != b"ready":
            holder.kill()
            _, error = holder.communicate()
            raise IsolationUnavailable(
                ("a private mount namespace",),
                f"unshare said {error.decode(errors='replace').strip()[-200:]!r}; run as an ordinary user instead, "
                "or allow mounts in this container",
            )
        return cls(holder, {folder: Path(place) / str(n) for n, folder in enumerate(closed)})

    @property
    def namespace(self) -> str:
        """The mount namespace as a path for ``nsenter --mount=``."""
        return f"/proc/{self._holder.pid}/ns/mnt"

    @property
    def is_alive(self) -> bool:
        """Whether the holder still runs."""
        return self._holder.poll() is None

    def close(self) -> None:
        """End the holder; its mounts end with the last process in the namespace."""
        if self._holder.stdin is not None:
            self._holder.stdin.close()
        self._holder.kill()
        self._holder.wait()
        for pipe in (self._holder.stdout, self._holder.stderr):
            if pipe is not None:
                pipe.close()


_made: dict[tuple[Path, ...], Stage] = {}


def stage_for(closed: Sequence[Path]) -> Stage:
    """The stage with these folders, made at the first call and kept until this program ends.

    Raises:
        IsolationUnavailable: when mounts cannot be made here.
    """
    key = tuple(closed)
    stage = _made.get(key)
    if stage is not None and not stage.is_alive:
        _made.pop(key).close()
        stage = None
    if stage is None:
        stage = Stage.make(key)
        atexit.register(stage.close)
        _made[key] = stage
    return stage


def is_closed(folder: Path) -> bool:
    """Whether some folder on the way to `folder` cannot be passed by other users."""
    return any(not parent.stat().st_mode & 0o001 for parent in (folder, *folder.parents))
