"""Runs of MLGym where they lie: below a folder, or in the newest commit of a bare git repository."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

import msgspec

from engine.errors import UserError
from roles.mlgym.trajectory import LARGEST_BYTES, TrajectoryUnusable

_NAME = re.compile(r"(?:metagen-)?(?P<model>.+?)__(?P<task>\w+?)__(?P<rest>.*?)(?:_run_(?P<run>\d+))?")
RESULTS = "results.json"


class Source(Protocol):
    """Files by path."""

    def paths(self) -> list[str]:
        """Every ``.traj`` and ``results.json``, sorted."""
        ...

    def read(self, path: str) -> bytes:
        """The content of one.

        Raises:
            TrajectoryUnusable: it cannot be had.
        """
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class RunFiles(msgspec.Struct, frozen=True, kw_only=True):
    """What one folder holds of a run."""

    name: str
    """Of the folder."""
    trajectory: str | None
    """Path of the ``.traj``."""
    results: str | None
    """Path of the ``results.json``."""
    model: str
    """As the folder's name says; ``unknown`` where it does not."""
    task: str
    """MLGym's id; of the trajectory's file where there is one, else of the folder's name."""
    run: int | None
    """Which of the runs of that model on that task, from 0."""


def open_source(path: Path) -> Source:
    """Files below a folder, or of a bare git repository.

    Raises:
        UserError: there is nothing to read.
    """
    if (path / "HEAD").is_file() and (path / "objects").is_dir():
        return _Repository(path)
    if path.is_dir():
        return _Folder(path)
    raise UserError(
        f"{path} is no folder; name the one that holds the runs, or a bare git repository of MLGym"
    )


def find_runs(source: Source) -> Iterator[RunFiles]:
    """Each folder that holds a trajectory or results, in the order of their paths; several trajectories are several runs."""
    folders: dict[str, list[str]] = {}
    for path in source.paths():
        folders.setdefault(str(PurePosixPath(path).parent), []).append(path)
    for folder, paths in folders.items():
        results = next((path for path in paths if path.endswith(f"/{RESULTS}") or path == RESULTS), None)
        trajectories: list[str | None] = [path for path in paths if path.endswith(".traj")]
        for trajectory in trajectories or [None]:
            yield _run_files(PurePosixPath(folder).name, trajectory, results)


def _run_files(name: str, trajectory: str | None, results: str | None) -> RunFiles:
    match = _NAME.fullmatch(name)
    task = PurePosixPath(trajectory).stem if trajectory is not None else match["task"] if match else "unknown"
    return RunFiles(
        name=name,
        trajectory=trajectory,
        results=results,
        model=match["model"] if match else "unknown",
        task=task,
        run=int(match["run"]) if match and match["run"] else None,
    )


def _is_wanted(path: str) -> bool:
    return path.endswith(".traj") or PurePosixPath(path).name == RESULTS


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def paths(self) -> list[str]:
        found = (
            path.relative_to(self._root).as_posix()
            for pattern in ("*.traj", RESULTS)
            for path in self._root.rglob(pattern)
            if path.is_file() and not path.is_symlink()
        )
        return sorted(found)

    def read(self, path: str) -> bytes:
        try:
            if (self._root / path).stat().st_size > LARGEST_BYTES:
                raise TrajectoryUnusable(f"{path} has more than the {LARGEST_BYTES} bytes that are read")
            return (self._root / path).read_bytes()
        except OSError as error:
            raise TrajectoryUnusable(f"{path} cannot be read: {error.strerror}") from error

    def close(self) -> None:
        pass


class _Repository:
    """The newest commit. One process of git answers every read."""

    def __init__(self, root: Path) -> None:
        self._git = ["git", f"--git-dir={root}"]
        listing = self._run("ls-tree", "-r", "-z", "HEAD").decode(errors="replace")
        entries = (entry.partition("\t") for entry in listing.split("\0") if entry)
        self._objects = {path: about.split()[2] for about, _, path in entries if _is_wanted(path)}
        self._process: subprocess.Popen[bytes] | None = None

    def _run(self, *arguments: str) -> bytes:
        try:
            return subprocess.run([*self._git, *arguments], capture_output=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise UserError(
                f"{self._git[1].partition('=')[2]} cannot be read by git; name a folder of runs instead"
            ) from error

    def paths(self) -> list[str]:
        return sorted(self._objects)

    def read(self, path: str) -> bytes:
        if self._process is None:
            self._process = subprocess.Popen(
                [*self._git, "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        process = self._process
        assert process.stdin is not None  # both are pipes
        assert process.stdout is not None
        process.stdin.write(f"{self._objects[path]}\n".encode())
        process.stdin.flush()
        said = process.stdout.readline().split()
        if len(said) != 3:
            raise TrajectoryUnusable(f"{path} is listed in the repository and its content is not there")
        data = process.stdout.read(int(said[2]))
        process.stdout.read(1)
        return data

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()
