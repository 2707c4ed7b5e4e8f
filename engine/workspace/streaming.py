"""A running program as a `Process`: frames over its pipes, limits watched from outside, usage taken by the host."""

# ruff: noqa: D102 - the interface has the docstrings

import contextlib
import os
import resource
import struct
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Literal

import trio

from engine.workspace import interpreter, tree
from engine.workspace.background import open_background
from engine.workspace.cgroup import Group
from engine.workspace.child import Child
from engine.workspace.errors import FrameTooLarge, InvalidCommand, ProcessEnded
from engine.workspace.interface import CommandResult, Limits, Usage, WorkspaceSpec

LENGTH = struct.Struct(">I")
_LOOK_SECONDS = 0.1
_FIRST_LOOK_SECONDS = 0.01
"""The first look comes sooner, and each pause is twice the one before: else a short life is never looked at."""
_CHUNK = 1 << 16
_OPTION = {
    "RLIMIT_CPU": "cpu",
    "RLIMIT_FSIZE": "fsize",
    "RLIMIT_CORE": "core",
    "RLIMIT_NOFILE": "nofile",
    "RLIMIT_AS": "as",
    "RLIMIT_NPROC": "nproc",
}


def prlimit_options(rlimits: Mapping[str, int]) -> list[str]:
    """The options of ``prlimit`` that set these limits, soft and hard; what is lower already stays."""
    options: list[str] = []
    for name, value in rlimits.items():
        _, hard = resource.getrlimit(getattr(resource, name))
        soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # One second between the two: the soft limit's signal names the cause, the hard one only kills.
        top = soft + 1 if name == "RLIMIT_CPU" and (hard == resource.RLIM_INFINITY or soft < hard) else soft
        options.append(f"--{_OPTION[name]}={soft}:{top}")
    return options


def program_of(spec: WorkspaceSpec, argv: Sequence[str]) -> list[str]:
    """The command with ``python`` replaced by the interpreter's path.

    Raises:
        InvalidCommand: when it is empty or has a NUL in it.
    """
    if not argv or not argv[0]:
        raise InvalidCommand("it is empty")
    if any("\0" in string for string in argv):
        raise InvalidCommand("it has a NUL in it")
    program = str(interpreter.interpreter(spec.environment)) if argv[0] == "python" else argv[0]
    return [program, *argv[1:]]


class StreamProcess:
    """See `Process`. Made by `open_stream`."""

    def __init__(
        self,
        child: Child,
        limits: Limits,
        group: Group | None,
        *,
        code_is_signal: bool,
        changed: Callable[[], tuple[str, ...]],
    ) -> None:
        self._child, self._limits, self._group = child, limits, group
        self._code_is_signal, self._changed = code_is_signal, changed
        self._inbox = bytearray()
        self._stdout_bytes = 0
        self._stdout_ended = False
        self._started = trio.current_time()
        self._seen_cpu = 0.0
        self._seen_rss = 0
        self._limit: Literal["wall", "cpu", "memory"] | None = None
        self._kills = 0
        self._result: CommandResult | None = None
        self._waiting = trio.Lock()

    async def send(self, data: bytes) -> None:
        try:
            await self._child.stdin.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise await self._ended("it no longer reads its input") from None

    async def send_frame(self, data: bytes) -> None:
        await self.send(LENGTH.pack(len(data)) + data)

    async def close_stdin(self) -> None:
        await self._child.stdin.aclose()

    async def receive_exactly(self, count: int) -> bytes:
        while len(self._inbox) < count:
            if not await self._more():
                raise await self._ended(f"{len(self._inbox)} of {count} bytes had come")
        taken = bytes(self._inbox[:count])
        del self._inbox[:count]
        return taken

    async def receive_frame(self, limit_bytes: int = 1 << 20) -> bytes:
        (length,) = LENGTH.unpack(await self.receive_exactly(LENGTH.size))
        if length > limit_bytes:
            raise FrameTooLarge(
                f"a frame of {length} bytes was announced, {limit_bytes} are allowed",
                stderr=bytes(self._child.stderr),
            )
        return await self.receive_exactly(length)

    async def _more(self) -> bool:
        if self._stdout_ended:
            return False
        try:
            data = await self._child.stdout.receive_some(_CHUNK)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        self._stdout_ended = not data
        self._stdout_bytes += len(data)
        self._inbox += data
        return bool(data)

    async def _ended(self, what: str) -> ProcessEnded:
        """The error for an early end, with how it ended once that is known (it is, within moments)."""
        with trio.move_on_after(1.0):
            await self._child.wait()
            await self._child.wait_stderr()
        how = "closed its output" if self._child.status is None else f"ended ({self._how()})"
        return ProcessEnded(f"the process {how} too early: {what}", stderr=bytes(self._child.stderr))

    def _how(self) -> str:
        exit_code, signal = self._exit()
        if self._limit is not None:
            return f"limit: {self._limit}"
        return f"signal {signal}" if exit_code is None else f"exit code {exit_code}"

    def _exit(self) -> tuple[int | None, int | None]:
        code = os.waitstatus_to_exitcode(self._child.status or 0)
        if code < 0:
            return None, -code
        if self._code_is_signal and 128 < code <= 128 + 64:
            # bubblewrap passes a signal on the way that shells do.
            return None, code - 128
        return code, None

    async def wait(self) -> CommandResult:
        async with self._waiting:
            if self._result is None:
                # What nobody received stays in the inbox, to the limit; beyond it is counted and dropped.
                while await self._more():
                    del self._inbox[self._limits.output_bytes :]
                await self._child.wait()
                with trio.move_on_after(1.0):
                    await self._child.wait_stderr()
                self._result = self._make_result()
            await trio.lowlevel.checkpoint()
            return self._result

    async def kill(self) -> CommandResult:
        self._look()
        with trio.CancelScope(shield=True):
            await self._child.kill_tree()
        return await self.wait()

    async def changed_files(self) -> tuple[str, ...]:
        await trio.lowlevel.checkpoint()
        return self._changed()

    async def cpu_seconds(self) -> float:
        await trio.lowlevel.checkpoint()
        self._look()
        return self._cpu()

    def _cpu(self) -> float:
        """The most that any witness has seen: kernel at burial, looks at /proc, the control group."""
        usage = self._child.usage
        counted = self._group.cpu_seconds() if self._group is not None else None
        return max(self._seen_cpu, usage.ru_utime + usage.ru_stime, counted or 0.0)

    def _peak_bytes(self) -> int:
        """Of the control group, else what was seen: ru_maxrss would begin with our own size, from the fork."""
        counted = self._group.peak_bytes() if self._group is not None else None
        return counted or self._seen_rss

    def _look(self) -> None:
        if self._child.status is None:
            seen = tree.sample(self._child.pid)
            self._seen_cpu = max(self._seen_cpu, seen.cpu_seconds)
            self._seen_rss = max(self._seen_rss, seen.rss_bytes)

    async def watch(self) -> None:
        """Look after the limits that the kernel does not hold for the whole tree. Runs as long as the process."""
        deadline = self._started + self._limits.wall_seconds
        pause = _FIRST_LOOK_SECONDS
        while self._child.status is None:
            with trio.move_on_after(min(pause, max(0.0, deadline - trio.current_time()))):
                await self._child.wait()
                break
            pause = min(2.0 * pause, _LOOK_SECONDS)
            self._look()
            if trio.current_time() >= deadline:
                self._limit = "wall"
            elif self._cpu() > self._limits.cpu_seconds:
                self._limit = "cpu"
            elif self._group is None and self._seen_rss > self._limits.memory_bytes:
                self._limit = "memory"
            else:
                continue
            await self._child.kill_tree()

    def _make_result(self) -> CommandResult:
        exit_code, signal = self._exit()
        out_of_memory = self._limit == "memory" or (
            self._group is not None and self._group.out_of_memory_kills() > 0
        )
        by_signal = {24: "cpu", 25: "file"}.get(signal or 0)
        limit = self._limit or ("memory" if out_of_memory else by_signal)
        stdout, stderr = bytes(self._inbox), bytes(self._child.stderr)
        return CommandResult(
            exit_code=exit_code,
            signal=signal,
            stdout=stdout,
            stderr=stderr,
            truncated=self._stdout_bytes > self._limits.output_bytes
            or self._child.stderr_bytes > len(stderr),
            stdout_bytes=self._stdout_bytes,
            stderr_bytes=self._child.stderr_bytes,
            timed_out=self._limit == "wall",
            out_of_memory=out_of_memory,
            limit=limit,  # type: ignore[arg-type]
            measured=Usage(
                wall_seconds=trio.current_time() - self._started,
                cpu_seconds=self._cpu(),
                max_rss_bytes=self._peak_bytes(),
            ),
        )


@contextlib.asynccontextmanager
async def open_stream(
    child: Child,
    limits: Limits,
    group: Group | None,
    *,
    code_is_signal: bool,
    changed: Callable[[], tuple[str, ...]],
) -> AsyncGenerator[StreamProcess]:
    """The process around a child, with its limits watched; the child's own context kills it at the end.

    Args:
        child: just started.
        limits: for its whole life.
        group: its control group, where it has one.
        code_is_signal: whether an exit code above 128 stands for a signal.
        changed: looks which protected files are no longer what they were.
    """
    process = StreamProcess(child, limits, group, code_is_signal=code_is_signal, changed=changed)
    async with open_background() as background:
        background.start_soon(process.watch)
        yield process
