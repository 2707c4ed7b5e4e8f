"""What a workspace promises: files and isolated execution, whatever runs beneath.

A *backend* opens workspaces (files + many commands) and processes (one program, streamed, for scoring).
Everything here is async and cancellable: when a call is cancelled or its time is up, every process of that
command is dead before the call returns. A non-zero exit is a result, not an error.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Literal, Protocol

import msgspec

from engine.workspace.environment import Environment
from engine.workspace.paths import Files

Positive = Annotated[int, msgspec.Meta(gt=0)]
PositiveSeconds = Annotated[float, msgspec.Meta(gt=0)]

Strength = Literal["hard", "per process", "polled", "none"]
"""How firmly a limit holds: by the kernel for the whole sandbox, by the kernel for each process, by a look
every tenth of a second, or not at all."""

REQUIRED = ("file", "network", "process", "secrets", "tree_kill")
"""The isolation without which code that a model wrote is not run."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one command, or one process, may use. Whatever strikes is named in `CommandResult.limit`."""

    wall_seconds: PositiveSeconds = 60.0
    cpu_seconds: PositiveSeconds = 60.0
    memory_bytes: Positive = 1 << 30
    """Of all processes of the sandbox together where a cgroup can be made, else of each process."""
    processes: Positive = 64
    file_bytes: Positive = 64 << 20
    """Largest single file."""
    output_bytes: Positive = 1 << 20
    """Kept of stdout, and as much of stderr; what is beyond is read, counted and dropped."""
    disk_bytes: Positive = 256 << 20
    """Of all files in the workspace together; taken when it opens."""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One isolation that is required: whether it holds here, and by what."""

    name: str
    enforced: bool
    by: str
    """What enforces it, or, where nothing does, what the attack achieved."""


class IsolationReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend enforces on this machine, found by running real attacks."""

    backend: str
    facts: tuple[Fact, ...]
    """One for each name in `REQUIRED`."""
    memory: Strength
    cpu: Strength
    disk: Strength
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """The required isolation that is not enforced, by name."""
        held = {fact.name for fact in self.facts if fact.enforced}
        return tuple(name for name in REQUIRED if name not in held)

    def text(self) -> str:
        """The report as `mlyceum doctor` prints it, one line a fact."""
        lines = [f"workspace backend: {self.backend}"]
        lines += [f"  {'enforced' if f.enforced else 'MISSING':8}  {f.name:9}  {f.by}" for f in self.facts]
        limits = (("memory", self.memory), ("cpu", self.cpu), ("disk", self.disk))
        lines += [f"  limit     {name:9}  {strength}" for name, strength in limits]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)


class WorkspaceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a workspace holds when it opens."""

    files: Files = {}
    read_only: tuple[str, ...] = ()
    """Files or folders among `files` that cannot be written, removed, renamed or replaced from inside."""
    limits: Limits = Limits()
    """Of the whole workspace (disk, processes, memory), and the default of each command."""
    env: Mapping[str, str] = {}
    """Added to PATH, HOME, LANG, PYTHONHASHSEED=0 and one thread for numeric libraries."""
    environment: Environment | None = None
    """Python packages to have at hand; None is the plain interpreter."""
    name: str = "workspace"


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a command really used. Measured values: comparisons of records drop them."""

    wall_seconds: float
    cpu_seconds: float
    """User and system time of all processes of the command."""
    max_rss_bytes: int
    """Largest process of a command; of a `Process` the most that the whole sandbox held, files included."""


class CommandResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended and what it said."""

    exit_code: int | None
    """None when a signal ended it. 127: no such program; 126: it could not be started (stderr says why)."""
    signal: int | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    truncated: bool = False
    """Whether stdout or stderr was longer than `Limits.output_bytes`."""
    stdout_bytes: int = 0
    """Written in all, kept or not."""
    stderr_bytes: int = 0
    timed_out: bool = False
    out_of_memory: bool = False
    limit: Literal["wall", "cpu", "memory", "file", "disk", "output"] | None = None
    """The limit that ended the command, where one did and it is known."""
    measured: Usage

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with exit code 0."""
        return self.exit_code == 0


class Workspace(Protocol):
    """Files and isolated execution, open until its context is left.

    Commands may run concurrently. What a command started ends with it: background children are killed when
    its main process exits. Paths are relative POSIX paths below the workspace.

    Every method raises `WorkspaceLost` once the workspace's own processes are gone.
    """

    @property
    def isolation(self) -> IsolationReport:
        """What is enforced here."""
        ...

    @property
    def spec(self) -> WorkspaceSpec:
        """What it was opened with."""
        ...

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        cwd: str = ".",
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> CommandResult:
        """Run a program to its end.

        Args:
            argv: program and arguments; the program is looked up on the inner PATH.
            stdin: all of its standard input.
            cwd: relative to the workspace.
            env: variables over those of the spec.
            limits: instead of those of the spec; disk stays that of the spec, and memory and processes can
                only be lowered.

        Raises:
            InvalidCommand: empty, a NUL in it, or longer than the kernel takes.
            InvalidPath: for `cwd`.
        """
        ...

    async def run_shell(
        self,
        script: str,
        *,
        stdin: bytes = b"",
        cwd: str = ".",
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> CommandResult:
        """Run a script by ``bash -c``; arguments and errors as in `run`."""
        ...

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
        """Run Python source as ``__main__`` in a fork of a warm interpreter; arguments as in `run`.

        `argv` is ``sys.argv[1:]``. Modules of the workspace are importable from `cwd`.
        """
        ...

    async def read(self, path: str, *, limit_bytes: int = 1 << 20) -> bytes:
        """The content of one plain file.

        Raises:
            InvalidPath: when the path is not plain.
            FileRefused: when it is missing, no plain file, behind a symbolic link, or too large.
        """
        ...

    async def write(self, path: str, data: bytes) -> None:
        """Put a file in place atomically, making the folders above it.

        Raises:
            InvalidPath: when the path is not plain, or protected.
            FileRefused: when something that is no folder is in the way.
            WorkspaceFull: when it does not fit.
        """
        ...

    async def list_files(self) -> tuple[str, ...]:
        """The paths of all plain files, sorted; links, devices and the like are left out."""
        ...

    async def collect(self, *, limit_bytes: int = 64 << 20, limit_files: int = 1_000) -> dict[str, bytes]:
        """All files with their content, in path order.

        Raises:
            FileRefused: at the first symbolic link, device, socket or pipe, or when the sum of bytes or the
                number of files passes a limit. Nothing is left out silently.
        """
        ...

    def fork(self) -> "AbstractAsyncContextManager[Workspace]":
        """A new workspace with a copy of the files as they are now, and the same spec otherwise."""
        ...


class Process(Protocol):
    """One running program with pipes, alone in its own sandbox.

    Bytes received are untrusted. Every method may raise `ProcessEnded`.
    """

    async def send(self, data: bytes) -> None:
        """Write to its stdin."""
        ...

    async def send_frame(self, data: bytes) -> None:
        """Write the length (4 bytes, big endian) and the data."""
        ...

    async def close_stdin(self) -> None:
        """Let it read the end of its input."""
        ...

    async def receive_exactly(self, count: int) -> bytes:
        """Exactly so many bytes of its stdout.

        Raises:
            ProcessEnded: when stdout ends before; the rest is dropped.
        """
        ...

    async def receive_frame(self, limit_bytes: int = 1 << 20) -> bytes:
        """The next frame of its stdout (4 bytes length, big endian, then the data).

        Raises:
            FrameTooLarge: when the announced length passes the limit; nothing of it is read.
            ProcessEnded: when stdout ends before or within the frame.
        """
        ...

    async def wait(self) -> CommandResult:
        """Wait for the end, reading what is left of stdout.

        The result's stdout is what no `receive_…` took (bounded by `Limits.output_bytes`). The usage is
        measured by the host over the whole sandbox, never told by the program. May be called again.
        """
        ...

    async def kill(self) -> CommandResult:
        """Kill the whole sandbox now, and say how it ended and what it had used."""
        ...

    async def changed_files(self) -> tuple[str, ...]:
        """Protected files of the spec that no longer hold what was put there, sorted; read by the host, again each time.

        Nothing where all are as they were. In the sandbox a program that has ended takes its files with it, so that
        nothing can be said then; ask before the end.
        """
        ...

    async def cpu_seconds(self) -> float:
        """CPU time of the whole sandbox up to now, measured by the host.

        Includes its start (about 10 ms); take differences to time one exchange.
        """
        ...


class Backend(Protocol):
    """One way to isolate."""

    @property
    def name(self) -> str:
        """``"sandbox"`` or ``"process"``; part of the record."""
        ...

    async def self_test(self) -> IsolationReport:
        """Run real attacks and say what is enforced; run once, then remembered."""
        ...

    def open(self, spec: WorkspaceSpec) -> AbstractAsyncContextManager[Workspace]:
        """A workspace; when the block ends no process, mount, cgroup or folder of it is left.

        Raises:
            IsolationUnavailable: on entry, when required isolation is missing.
            WorkspaceFull, InvalidPath: on entry, for files that may not enter.
        """
        ...

    def open_process(self, spec: WorkspaceSpec, argv: Sequence[str]) -> AbstractAsyncContextManager[Process]:
        """One program in a one-shot sandbox whose files are `spec.files`; starts as fast as can be.

        The program ``"python"`` is the interpreter of the spec's environment. The limits of the spec hold for
        the whole life of the process. When the block ends it is dead.
        """
        ...
