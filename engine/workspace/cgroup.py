"""Control groups, where this user may make them: hard limits of memory and processes, and exact CPU time.

A group is made below the group that this process is in (version 1), or below the nearest ancestor that hands its
controllers on (version 2: a group with processes in it cannot). Machines that mix both use version 1.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import trio

_ROOT = Path("/sys/fs/cgroup")
_REMOVE_ATTEMPTS = 200


@dataclass(frozen=True)
class Homes:
    """Where groups may be made: a folder for each controller (all the same one under version 2)."""

    memory: Path | None
    pids: Path | None
    cpu: Path | None
    unified: bool

    @property
    def limits_memory(self) -> bool:
        """Whether memory can be limited for a whole sandbox."""
        return self.memory is not None


NO_HOMES = Homes(memory=None, pids=None, cpu=None, unified=False)


def find_homes() -> Homes:
    """The folders in which this process may make groups; `NO_HOMES` fields are None where it may not."""
    try:
        own = dict(_own_groups())
    except OSError:
        return NO_HOMES
    if "memory" in own:
        memory, pids, cpu = (_usable(_ROOT / name, own.get(name)) for name in ("memory", "pids", "cpuacct"))
        return Homes(memory=memory, pids=pids, cpu=cpu, unified=False)
    home = _unified_home(own.get("", "/"))
    return Homes(memory=home, pids=home, cpu=home, unified=True)


def _own_groups() -> Iterator[tuple[str, str]]:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _usable(root: Path, own: str | None) -> Path | None:
    """The own group of one version 1 hierarchy, when a group can be made in it."""
    if own is None:
        return None
    for folder in (root / own.lstrip("/"), root):
        # Within a container the path is the host's, and the mount's root is what is meant.
        if folder.is_dir():
            return folder if _can_make(folder) else None
    return None


def _unified_home(own: str) -> Path | None:
    folder = _ROOT / own.lstrip("/")
    for home in (folder, *folder.parents):
        if not home.is_relative_to(_ROOT):
            break
        with contextlib.suppress(OSError):
            handed_on = (home / "cgroup.subtree_control").read_text().split()
            if {"memory", "pids"} <= set(handed_on):
                return home if _can_make(home) else None
    return None


def _can_make(folder: Path) -> bool:
    _sweep(folder)
    trial = folder / f"mlyceum-trial-{os.getpid()}"
    try:
        trial.mkdir()
        trial.rmdir()
    except OSError:
        return False
    return True


def _sweep(folder: Path) -> None:
    """Remove the empty groups of programs that were killed before they could."""
    for group in folder.glob("mlyceum-*-*"):
        if not Path("/proc", group.name.split("-")[1]).exists():
            with contextlib.suppress(OSError):
                group.rmdir()


class Group:
    """One control group of a sandbox, over as many hierarchies as the machine has."""

    def __init__(self, homes: Homes, name: str) -> None:
        folders = [home / name for home in (homes.memory, homes.pids, homes.cpu) if home is not None]
        self._homes, self._name = homes, name
        self.folders = tuple(dict.fromkeys(folders))

    @classmethod
    def make(cls, homes: Homes, name: str, *, memory_bytes: int, processes: int) -> Self:
        """Make the group and set its limits; nothing is in it yet."""
        group = cls(homes, name)
        try:
            for folder in group.folders:
                folder.mkdir()
            if homes.unified:
                group._set(homes.memory, "memory.max", memory_bytes)
                group._set(homes.memory, "memory.swap.max", 0, may_fail=True)
                group._set(homes.pids, "pids.max", processes)
            else:
                group._set(homes.memory, "memory.limit_in_bytes", memory_bytes)
                group._set(homes.memory, "memory.memsw.limit_in_bytes", memory_bytes, may_fail=True)
                group._set(homes.pids, "pids.max", processes)
        except OSError:
            for folder in group.folders:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            raise
        return group

    def _set(self, home: Path | None, knob: str, value: int, *, may_fail: bool = False) -> None:
        if home is None:
            return
        try:
            (home / self._name / knob).write_text(str(value))
        except OSError:
            if not may_fail:
                raise

    @property
    def entries(self) -> tuple[str, ...]:
        """The files into which a process writes ``0`` to enter."""
        return tuple(str(folder / "cgroup.procs") for folder in self.folders)

    def cpu_seconds(self) -> float | None:
        """CPU time of everything that ever ran in the group; None where it is not counted."""
        home = self._homes.cpu
        if home is None:
            return None
        with contextlib.suppress(OSError, ValueError):
            if not self._homes.unified:
                return int((home / self._name / "cpuacct.usage").read_text()) / 1e9
            for line in (home / self._name / "cpu.stat").read_text().splitlines():
                if line.startswith("usage_usec "):
                    return int(line.split()[1]) / 1e6
        return None

    def peak_bytes(self) -> int | None:
        """Most memory ever in use in the group, files in memory included; None where it is not counted."""
        home = self._homes.memory
        knob = "memory.peak" if self._homes.unified else "memory.max_usage_in_bytes"
        if home is not None:
            with contextlib.suppress(OSError, ValueError):
                return int((home / self._name / knob).read_text())
        return None

    def out_of_memory_kills(self) -> int:
        """How many processes of the group the kernel has killed for memory."""
        home = self._homes.memory
        knob = "memory.events" if self._homes.unified else "memory.oom_control"
        if home is not None:
            with contextlib.suppress(OSError, ValueError):
                for line in (home / self._name / knob).read_text().splitlines():
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        return 0

    async def remove(self) -> None:
        """Remove the group; its processes are dead, but the kernel may take milliseconds to see it."""
        left = list(self.folders)
        for _ in range(_REMOVE_ATTEMPTS):
            for folder in list(left):
                with contextlib.suppress(OSError):
                    folder.rmdir()
                if not folder.exists():
                    left.remove(folder)
            if not left:
                return
            await trio.sleep(0.005)
