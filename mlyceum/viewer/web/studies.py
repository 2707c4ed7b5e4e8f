"""The studies below a folder, by names that stand in addresses; the folder itself may be one."""

import os
import threading
import time
from collections import OrderedDict
from pathlib import Path

import msgspec

from mlyceum.folders import is_study
from mlyceum.viewer.web.catalogue import Catalogue
from mlyceum.viewer.web.inside import NotServed

DEEPEST = 3
MOST_FOLDERS = 5_000
"""Looked into; more are not searched for studies."""
FRESH_SECONDS = 2.0
"""For so long the list of studies is not made again."""
MOST_OPEN = 32
PAGE = 25


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A study's folder."""

    name: str
    """In addresses: the way to it below the folder that is served, with ``~`` between folders."""
    folder: Path
    changed: float
    """When its index, plan or folder was written last, in seconds since 1970."""


class Studies:
    """What is served. Safe to call from several threads.

    Args:
        root: a study's folder, or one with studies below it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._lock = threading.Lock()
        self._found: dict[str, Found] = {}
        self._looked = float("-inf")
        self._open: OrderedDict[str, Catalogue] = OrderedDict()

    @property
    def is_single(self) -> bool:
        """Whether the folder itself is the one study."""
        return is_study(self.root)

    def all(self) -> tuple[Found, ...]:
        """Every study, the one that changed last first."""
        with self._lock:
            # The clock of the machine, not of an engine: how old a list is, is not part of any record.
            if time.monotonic() - self._looked > FRESH_SECONDS:
                self._found = {found.name: found for found in _search(self.root)}
                self._looked = time.monotonic()
            return tuple(sorted(self._found.values(), key=lambda found: (-found.changed, found.name)))

    def folder(self, name: str) -> Path:
        """The folder of a study; only names that were found lead anywhere.

        Raises:
            NotServed: there is none of that name.
        """
        known = self._found.get(name)
        if known is None:
            self.all()
            known = self._found.get(name)
        if known is None:
            raise NotServed(f"there is no study {name[:200]!r} below the folder that is served")
        return known.folder

    def catalogue(self, name: str) -> Catalogue:
        """The rows of a study.

        Raises:
            NotServed: there is none of that name.
        """
        folder = self.folder(name)
        with self._lock:
            if name not in self._open:
                self._open[name] = Catalogue(folder)
            self._open.move_to_end(name)
            while len(self._open) > MOST_OPEN:
                # Not closed here, as a thread may be reading it: it goes when the last one lets go of it.
                self._open.popitem(last=False)
            return self._open[name]


def _search(root: Path) -> list[Found]:
    if is_study(root):
        return [_found(root, root.name or "study")]
    found: list[Found] = []
    waiting = [(root, 0)]
    looked = 0
    while waiting and looked < MOST_FOLDERS:
        folder, depth = waiting.pop(0)
        try:
            # Links (as `latest`) are not followed: they lead to what is listed anyway, or outside.
            below = sorted(
                entry.name
                for entry in os.scandir(folder)
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            )
        except OSError:
            continue
        for name in below:
            looked += 1
            path = folder / name
            if is_study(path):
                found.append(_found(path, str(path.relative_to(root)).replace("/", "~")))
            elif depth + 1 < DEEPEST:
                waiting.append((path, depth + 1))
    return found


def _found(folder: Path, name: str) -> Found:
    times = [0.0]
    for part in ("index.sqlite", "index.sqlite-wal", "study.json", "episodes"):
        try:
            times.append((folder / part).lstat().st_mtime)
        except OSError:
            continue
    return Found(name=name, folder=folder, changed=max(times))
