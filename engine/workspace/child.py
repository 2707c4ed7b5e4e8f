"""One child process of the host with its pipes: started, watched, measured, and killed with all below it.

Not `trio.run_process`, for three reasons: the resource usage of the whole tree is wanted (``wait4``), a sandbox dies
with the *thread* that started it (parent-death signal), so it must start on the loop's own thread and not in a worker,
and killing means the tree and not the process.
"""

import contextlib
import logging
import os
import resource
import signal
import subprocess
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

import trio

from engine.workspace import tree
from engine.workspace.background import open_background
from engine.workspace.errors import WorkspaceLost

log = logging.getLogger(__name__)
KILL_SECONDS = 10.0
"""Bound on clean-up: after this long a process that will not die is given up, and said so."""
_KEEP_STDERR = 1 << 16
_NO_USAGE = resource.struct_rusage((0.0, 0.0, *([0] * 14)))
_ROUNDS = 16
"""How often a tree is listed and killed before its root is killed whatever it still holds."""


class Child:
    """A running child; made by `open_child`."""

    def __init__(self, popen: "subprocess.Popen[bytes]", keep_stderr: int, *, only_waits: bool) -> None:
        assert popen.stdin is not None
        assert popen.stdout is not None
        assert popen.stderr is not None
        self.pid = popen.pid
        self._popen = popen
        self.stdin = trio.lowlevel.FdStream(os.dup(popen.stdin.fileno()))
        self.stdout = trio.lowlevel.FdStream(os.dup(popen.stdout.fileno()))
        self._stderr_pipe = trio.lowlevel.FdStream(os.dup(popen.stderr.fileno()))
        for pipe in (popen.stdin, popen.stdout, popen.stderr):
            pipe.close()
        self._keep_stderr = keep_stderr
        self._only_waits = only_waits
        self.stderr = bytearray()
        """What it wrote to stderr, up to the limit given."""
        self.stderr_bytes = 0
        self.status: int | None = None
        """As ``waitpid`` gives it, once the child has ended."""
        self.usage = _NO_USAGE
        """Of the child and all that it waited for, once it has ended."""
        self._ended = trio.Event()
        self._stderr_ended = trio.Event()

    async def watch(self) -> None:
        """Bury the child when it dies. Runs for the child's whole life."""
        handle = os.pidfd_open(self.pid)
        try:
            await trio.lowlevel.wait_readable(handle)
            _, self.status, self.usage = os.wait4(self.pid, 0)  # noqa: ASYNC222 - it is dead already
            self._popen.returncode = os.waitstatus_to_exitcode(self.status)
            self._ended.set()
        finally:
            os.close(handle)

    async def drain_stderr(self) -> None:
        """Read stderr to its end, keeping the first part."""
        try:
            async for data in self._stderr_pipe:
                self.stderr_bytes += len(data)
                self.stderr += data[: max(0, self._keep_stderr - len(self.stderr))]
        finally:
            self._stderr_ended.set()

    async def wait(self) -> int:
        """Wait for the end; the status as ``waitpid`` gives it."""
        await self._ended.wait()
        assert self.status is not None
        return self.status

    async def wait_stderr(self) -> None:
        """Wait until stderr is at its end."""
        await self._stderr_ended.wait()

    async def kill_tree(self) -> None:
        """Kill the child and everything below it; returns when all are dead.

        The child is stopped first, so that its children can be listed, then those are killed from the nearest
        (the first process of a pid namespace takes the whole namespace with it). A launcher with a dead child is
        let go on for a moment to collect its resource usage; anything else is killed where it stands, for one that
        goes on may make a child again that nobody has listed.
        """
        if self.status is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGSTOP)
            while tree.state(self.pid) not in "TtZX":  # noqa: ASYNC110 - nobody tells us of a stop
                await trio.sleep(0.0005)
            had_children = False
            # Again until none is left: one that was listed may have made another before it was killed.
            for _ in range(_ROUNDS):
                below = [pid for pid in tree.descendants(self.pid) if tree.state(pid) not in "ZX"]
                if not below:
                    break
                had_children = True
                await _kill_all(below)
            if had_children and self._only_waits:
                os.kill(self.pid, signal.SIGCONT)
                with trio.move_on_after(1.0):
                    await self._ended.wait()
            if self.status is None:
                os.kill(self.pid, signal.SIGKILL)
        await self._ended.wait()

    def close(self) -> None:
        """Close the pipes."""
        for pipe in (self.stdin, self.stdout, self._stderr_pipe):
            pipe.close()


async def _kill_all(pids: Sequence[int]) -> None:
    handles: list[int] = []
    try:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                handles.append(os.pidfd_open(pid))
                os.kill(pid, signal.SIGKILL)
        for handle in handles:
            await trio.lowlevel.wait_readable(handle)
    finally:
        for handle in handles:
            os.close(handle)


@contextlib.asynccontextmanager
async def open_child(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    pass_fds: Sequence[int] = (),
    cwd: str = "/",
    keep_stderr: int = _KEEP_STDERR,
    only_waits: bool = False,
    started: "Callable[[], None] | None" = None,
    also_kill: "Callable[[], None] | None" = None,
) -> AsyncGenerator[Child]:
    """Start a program with three pipes; when the block ends its whole tree is dead and buried.

    Args:
        argv: the program by absolute path or on this process's PATH.
        env: its whole environment.
        pass_fds: descriptors that it inherits.
        cwd: where it starts.
        keep_stderr: how many bytes of stderr to keep.
        only_waits: whether it is a launcher that makes one child, once, and then only waits for it.
        started: called once the program has its descriptors, whether it could be started or not.
        also_kill: called after the tree is dead, for what escaped it.

    Raises:
        WorkspaceLost: when the program cannot be started.
    """
    try:
        popen = subprocess.Popen(  # noqa: ASYNC220 - see above: a worker thread would not do
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
    except OSError as error:
        raise WorkspaceLost(f"{argv[0]} cannot be started: {error.strerror}") from error
    finally:
        if started is not None:
            started()
    child = Child(popen, keep_stderr, only_waits=only_waits)
    try:
        async with open_background() as background:
            background.start_soon(child.watch)
            background.start_soon(child.drain_stderr)
            try:
                yield child
            finally:
                with trio.move_on_after(KILL_SECONDS, shield=True) as scope:
                    await child.kill_tree()
                if scope.cancelled_caught:
                    log.error("process %d could not be killed within %g s", child.pid, KILL_SECONDS)
                if also_kill is not None:
                    also_kill()
    finally:
        child.close()
