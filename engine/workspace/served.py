"""A workspace over an exec server and an open folder: what the sandbox and the process backend have in common."""

# ruff: noqa: D102 - the interface has the docstrings

import contextlib
import math
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

import msgspec
import trio

from engine.workspace import beneath
from engine.workspace.channel import Channel, Request
from engine.workspace.errors import InvalidCommand, InvalidPath
from engine.workspace.interface import CommandResult, IsolationReport, Limits, Workspace, WorkspaceSpec
from engine.workspace.paths import checked_directory, checked_path, is_below

MOST_ARGUMENT_BYTES = 1 << 21
MOST_OPEN_FILES = 1024


class ServedWorkspace:
    """A `Workspace` whose commands go through an exec server and whose files the host reads itself.

    Args:
        spec: what it was opened with.
        isolation: what is enforced.
        channel: to the exec server inside.
        folder: an open descriptor of the workspace's folder, seen from the host.
        owner: user id that owns the files, or None for ours.
        variables: inner environment.
        limits_memory: whether something harder than an address-space limit bounds the memory.
        limits_processes: whether processes are counted for this workspace alone.
        kills: counts the processes killed for memory so far.
        reopen: opens a workspace of the same backend.
    """

    def __init__(
        self,
        spec: WorkspaceSpec,
        isolation: IsolationReport,
        channel: Channel,
        folder: int,
        *,
        owner: int | None,
        variables: Mapping[str, str],
        limits_memory: bool,
        limits_processes: bool,
        kills: Callable[[], int],
        reopen: Callable[[WorkspaceSpec], AbstractAsyncContextManager[Workspace]],
    ) -> None:
        self._spec, self._isolation, self._channel = spec, isolation, channel
        self._folder, self._owner, self._variables = folder, owner, variables
        self._limits_memory, self._limits_processes = limits_memory, limits_processes
        self._kills, self._reopen = kills, reopen

    @property
    def isolation(self) -> IsolationReport:
        return self._isolation

    @property
    def spec(self) -> WorkspaceSpec:
        return self._spec

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        cwd: str = ".",
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> CommandResult:
        if not argv or not argv[0]:
            raise InvalidCommand("it is empty")
        return await self._ask(argv, None, stdin, cwd, env, limits)

    async def run_shell(
        self,
        script: str,
        *,
        stdin: bytes = b"",
        cwd: str = ".",
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> CommandResult:
        return await self._ask(["bash", "-c", script], None, stdin, cwd, env, limits)

    async def run_python(
        self,
        source: str,
        *,
        argv: Sequence[str] = (),
        stdin: bytes = b"",
        cwd: str = ".",
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> CommandResult:
        encoded = source.encode(errors="surrogateescape")
        return await self._ask(argv, encoded, stdin, cwd, env, limits)

    async def _ask(
        self,
        argv: Sequence[str],
        source: bytes | None,
        stdin: bytes,
        cwd: str,
        env: Mapping[str, str] | None,
        limits: Limits | None,
    ) -> CommandResult:
        variables = {**self._variables, **(env or {})}
        _check_strings(argv, variables)
        limits = limits or self._spec.limits
        before = self._kills()
        request = Request(
            argv=argv,
            stdin=stdin,
            source=source,
            cwd=checked_directory(cwd),
            env=variables,
            rlimits=rlimits(
                limits,
                memory=not self._limits_memory,
                processes=self._limits_processes,
                files=MOST_OPEN_FILES,
            ),
            limits=limits,
        )
        result = await self._channel.run(request)
        if self._kills() > before:
            # Of concurrent commands each is told: the group does not say whose process it was.
            limit = result.limit if result.ok else result.limit or "memory"
            return msgspec.structs.replace(result, out_of_memory=True, limit=limit)
        return result

    async def read(self, path: str, *, limit_bytes: int = 1 << 20) -> bytes:
        return await trio.to_thread.run_sync(beneath.read_file, self._folder, path, limit_bytes)

    async def write(self, path: str, data: bytes) -> None:
        checked_path(path)
        protected = self._spec.read_only
        if is_below(path, protected) or any(is_below(kept, [path]) for kept in protected):
            raise InvalidPath(path, "is protected in this workspace")
        await trio.to_thread.run_sync(
            partial(beneath.write_file, self._folder, path, data, owner=self._owner)
        )

    async def list_files(self) -> tuple[str, ...]:
        return await trio.to_thread.run_sync(beneath.list_files, self._folder)

    async def collect(self, *, limit_bytes: int = 64 << 20, limit_files: int = 1_000) -> dict[str, bytes]:
        return await trio.to_thread.run_sync(
            partial(beneath.collect, self._folder, limit_bytes=limit_bytes, limit_files=limit_files)
        )

    @contextlib.asynccontextmanager
    async def fork(self) -> AsyncGenerator[Workspace]:
        files = await self.collect(limit_bytes=self._spec.limits.disk_bytes, limit_files=4_000)
        async with self._reopen(msgspec.structs.replace(self._spec, files=files)) as copy:
            yield copy


def rlimits(limits: Limits, *, memory: bool, processes: bool, files: int) -> dict[str, int]:
    """Limits that the kernel holds for each process, by their names in the `resource` module."""
    chosen = {
        "RLIMIT_CPU": max(1, math.ceil(limits.cpu_seconds)),
        "RLIMIT_FSIZE": limits.file_bytes,
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": files,
    }
    if memory:
        chosen["RLIMIT_AS"] = limits.memory_bytes
    if processes:
        chosen["RLIMIT_NPROC"] = limits.processes
    return chosen


def _check_strings(argv: Sequence[str], variables: Mapping[str, str]) -> None:
    strings = [*argv, *variables, *variables.values()]
    if any("\0" in string for string in strings):
        raise InvalidCommand("it has a NUL in it")
    if any(not name or "=" in name for name in variables):
        raise InvalidCommand("a variable's name is empty or has '=' in it")
    if sum(len(string) for string in strings) > MOST_ARGUMENT_BYTES:
        raise InvalidCommand(f"it is longer than {MOST_ARGUMENT_BYTES} bytes")
