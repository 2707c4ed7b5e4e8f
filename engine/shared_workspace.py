"""The one workspace that an episode's members share, opened at the first command and parked while nobody uses it.

Open workspaces are a scarce thing (processes, mounts, memory), so a pool keeps at most so many open over all episodes.
When another episode needs one, the workspace that was idle longest is *parked*: its files are taken out and it closes;
its next command opens it again with those files.
"""

import shlex
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Literal

import msgspec
import trio

from engine.errors import WorkspaceError
from engine.workspace.errors import FileRefused
from engine.workspace.interface import Backend, CommandResult, Workspace, WorkspaceSpec

SETTLE_SECONDS = 10.0
"""Bound of parking and closing one workspace."""
KEPT_FILES = 256
KEPT_BYTES = 16 << 20
"""Of a member's folder, where what a command left in it is kept."""


class SharedWorkspace:
    """An episode's workspace: a folder for each member, whether it is open at this moment or not."""

    def __init__(self, pool: "WorkspacePool", spec: WorkspaceSpec) -> None:
        self.started = trio.current_time()
        self._pool, self._spec = pool, spec
        self._open: _Open | None = None
        self._lock = trio.Lock()
        self._users = 0
        self._last_used = 0.0
        self._can_park = True
        self._trouble: Exception | None = None

    async def run(
        self,
        folder: str,
        source: str,
        *,
        language: Literal["python", "shell"],
        files: Mapping[str, bytes] | None,
        wall_seconds: float,
    ) -> CommandResult:
        """Run a program in a member's folder.

        Args:
            folder: the member's name.
            source: Python source or shell script.
            language: which.
            files: what the folder is to hold first; None leaves it as it is.
            wall_seconds: after which the program is killed.

        Raises:
            FileRefused, InvalidPath, WorkspaceFull: when what is in the folder stands in the way.
            IsolationUnavailable, WorkspaceError: when it cannot be run here.
        """
        self._users += 1
        try:
            workspace = await self._opened()
            place = shlex.quote(f"./{folder}")
            made = await workspace.run_shell(
                # What ran there before may have taken away its own right to write.
                f"chmod -R u+rwx -- {place} 2>/dev/null; rm -rf -- {place} && mkdir -p -- {place}"
                if files is not None
                else f"mkdir -p -- {place}"
            )
            if made.exit_code != 0:
                raise FileRefused(
                    folder, "cannot be made a folder: " + made.stderr[-200:].decode(errors="replace")
                )
            for path, content in (files or {}).items():
                await workspace.write(f"{folder}/{path}", content)
            limits = msgspec.structs.replace(self._spec.limits, wall_seconds=wall_seconds)
            if language == "python":
                return await workspace.run_python(source, cwd=folder, limits=limits)
            return await workspace.run_shell(source, cwd=folder, limits=limits)
        finally:
            self._users -= 1
            self._last_used = trio.current_time()
            if not self._users:
                self._pool.one_is_idle()

    async def collect(self, folder: str) -> dict[str, bytes]:
        """The plain files of a member's folder by their paths in it; caches of an interpreter are left out.

        Raises:
            FileRefused: more than `KEPT_FILES` of them, or more than `KEPT_BYTES`.
            WorkspaceError: when they cannot be read here.
        """
        self._users += 1
        try:
            workspace = await self._opened()
            prefix = f"{folder}/"
            paths = [path for path in await workspace.list_files() if path.startswith(prefix)]
            paths = [path for path in paths if "__pycache__" not in path.split("/")]
            if len(paths) > KEPT_FILES:
                raise FileRefused(folder, f"{len(paths)} files, of which {KEPT_FILES} could be kept")
            files: dict[str, bytes] = {}
            room = KEPT_BYTES
            for path in paths:
                content = await workspace.read(path, limit_bytes=room + 1)
                room -= len(content)
                if room < 0:
                    raise FileRefused(
                        path, f"with it they are more than the {KEPT_BYTES} bytes that are kept"
                    )
                files[path.removeprefix(prefix)] = content
            return files
        finally:
            self._users -= 1
            self._last_used = trio.current_time()
            if not self._users:
                self._pool.one_is_idle()

    async def _opened(self) -> Workspace:
        async with self._lock:
            if self._open is None:
                self._open = await self._pool.open(self, self._spec)
            return self._open.workspace

    @property
    def memory_bytes(self) -> int:
        """What one command may use."""
        return self._spec.limits.memory_bytes

    @property
    def is_idle(self) -> bool:
        """Whether it is open and could be parked."""
        return self._open is not None and not self._users and self._can_park

    @property
    def last_used(self) -> float:
        """When its last command ended, in seconds of the clock."""
        return self._last_used

    async def park(self) -> None:
        """Take the files out and close."""
        async with self._lock:
            opened = self._open
            if opened is None or self._users:
                return
            try:
                files = await opened.workspace.collect()
            except WorkspaceError:
                # Links or too much in it: it stays open rather than lose something silently.
                self._can_park = False
                return
            if not self.is_idle:
                return  # a command has come meanwhile, and waits for the lock
            self._spec = msgspec.structs.replace(self._spec, files=files)
            self._open = None
            with trio.move_on_after(SETTLE_SECONDS):
                await self._closed(opened)

    async def close(self) -> None:
        """Close for good; shielded and bounded."""
        opened, self._open = self._open, None
        if opened is not None:
            with trio.move_on_after(SETTLE_SECONDS, shield=True):
                await self._closed(opened)

    async def _closed(self, opened: "_Open") -> None:
        try:
            await opened.close()
        finally:
            self._trouble = self._trouble or opened.trouble

    def check(self) -> None:
        """Say what went wrong when it was closed, parkings included.

        Raises:
            WorkspaceError: so that the episode whose workspace it was is told of, and no other.
        """
        if self._trouble is not None:
            raise WorkspaceError(
                f"a workspace did not close cleanly ({self._trouble}); look for what is left of it, then run again"
            ) from self._trouble


class _Open:
    """An open workspace and the task that holds its context."""

    def __init__(self, pool: "WorkspacePool") -> None:
        self.workspace: Workspace
        self.trouble: Exception | None = None
        """What its context raised once it had been open."""
        self.has_begun = False
        self._pool = pool
        self._leave = trio.Event()
        self._left = trio.Event()

    async def hold(self, spec: WorkspaceSpec, task_status: trio.TaskStatus[None]) -> None:
        self.has_begun, is_open = True, False
        try:
            async with self._pool.backend.open(spec) as workspace:
                self.workspace, is_open = workspace, True
                task_status.started()
                await self._leave.wait()
        except (
            Exception
        ) as error:  # the border of one workspace: in the pool's nursery it would end every episode
            if not is_open:
                raise
            self.trouble = error
        finally:
            self._pool.give_back()
            self._left.set()

    async def close(self) -> None:
        self._leave.set()
        await self._left.wait()


class WorkspacePool:
    """At most ``places`` open workspaces over all episodes."""

    def __init__(self, backend: Backend, places: int, nursery: trio.Nursery) -> None:
        self.backend, self.places = backend, places
        self._nursery = nursery
        self._free = places
        self._changed = trio.Event()
        self._known: set[SharedWorkspace] = set()

    @asynccontextmanager
    async def share(self, spec: WorkspaceSpec) -> AsyncGenerator[SharedWorkspace]:
        """A workspace for one episode; closed when the block is left.

        Raises:
            WorkspaceError: at the end of a block that raised nothing, when it did not close cleanly.
        """
        shared = SharedWorkspace(self, spec)
        self._known.add(shared)
        try:
            yield shared
        finally:
            self._known.discard(shared)
            await shared.close()
        shared.check()

    def one_is_idle(self) -> None:
        """Said by a workspace whose last command has ended: all who wait for a place look again."""
        self._changed.set()
        self._changed = trio.Event()

    def give_back(self) -> None:
        """Said by a workspace that has closed."""
        self._free += 1
        self.one_is_idle()

    async def open(self, asker: SharedWorkspace, spec: WorkspaceSpec) -> _Open:
        """A place and an open workspace; parks the one that is idle longest where no place is free."""
        while not self._free:
            await self._make_room(asker)
        self._free -= 1
        opened = _Open(self)
        try:
            await self._nursery.start(opened.hold, spec)
        finally:
            if not opened.has_begun:
                self.give_back()
        return opened

    async def _make_room(self, asker: SharedWorkspace) -> None:
        idle = [shared for shared in self._known if shared is not asker and shared.is_idle]
        if idle:
            await min(idle, key=lambda shared: shared.last_used).park()
        else:
            await self._changed.wait()


@asynccontextmanager
async def open_pool(backend: Backend, *, places: int) -> AsyncGenerator[WorkspacePool]:
    """A pool; when the block ends every workspace of it is closed."""
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield WorkspacePool(backend, places, nursery)
        except Exception as error:  # noqa: BLE001 - carried over the nursery, which would wrap it in a group
            failure = error
        finally:
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
