"""What a tree of processes is and uses, as the host reads it from /proc."""

# ruff: noqa: PTH123, PTH208 - looked at ten times a second for each process: a path object costs more than the look

import contextlib
import os
from dataclasses import dataclass

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MOST = 10_000


@dataclass(frozen=True)
class Sample:
    """One look at a tree."""

    cpu_seconds: float
    """Of all living processes and of the children that they have waited for."""
    rss_bytes: int
    processes: int


def children(pid: int) -> list[int]:
    """The living and the dead but unburied children of a process; empty when it is gone."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
            found += [int(child) for child in file.read().split()]
    return found


def descendants(pid: int) -> list[int]:
    """All processes below one, nearest first (a process that moves while we look may be missed)."""
    found = children(pid)
    for child in found:
        if len(found) > _MOST:
            break
        found += children(child)
    return found


def state(pid: int) -> str:
    """The one-letter state of a process, or ``"X"`` when it is gone."""
    fields = _stat(pid)
    return fields[0].decode() if fields else "X"


def sample(pid: int) -> Sample:
    """CPU time, resident memory and number of processes from `pid` downwards.

    CPU of children that died unwaited-for (SIGCHLD ignored) is missed; a control group counts that too.
    """
    cpu = rss = count = 0
    for each in (pid, *descendants(pid)):
        fields = _stat(each)
        if fields:
            cpu += sum(int(ticks) for ticks in fields[11:15])
            rss += max(0, int(fields[21]))
            count += 1
    return Sample(cpu_seconds=cpu / _TICK, rss_bytes=rss * _PAGE, processes=count)


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat after the name, which may hold blanks and brackets."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []
