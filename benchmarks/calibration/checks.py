"""A backend that opens workspaces in this process: it keeps files, and knows one program, the check of ``planted``.

That check reads settings and compares two of them; it is repeated here because virtual time cannot wait for a process.
A test holds it against the real one.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import msgspec
import trio

from engine.errors import EngineDefect
from engine.workspace.interface import (
    CommandResult,
    IsolationReport,
    Limits,
    Process,
    Usage,
    Workspace,
    WorkspaceSpec,
)
from tasks.planted.landscape import BREAKS_AT_DEPTH

_REPORT: Final = IsolationReport(backend="in-process", facts=(), memory="none", cpu="none", disk="none")
_NO_USAGE: Final = Usage(wall_seconds=0.0, cpu_seconds=0.0, max_rss_bytes=0)
_SETTINGS: Final = frozenset({"mode", "guard", "depth", "heat", "flow", "mix"})


class _Answer(msgspec.Struct, frozen=True):
    guard: str
    depth: int


def problem_with(files: Mapping[str, bytes]) -> str:
    """What the check of ``planted`` says of an answer; empty when it keeps the rules."""
    try:
        whole = msgspec.json.decode(files["answer.json"], type=dict[str, str | int | float])
        answer = msgspec.convert(whole, _Answer)
    except (KeyError, msgspec.MsgspecError) as error:
        return f"answer.json cannot be read: {error}"
    if whole.keys() != _SETTINGS:
        return "answer.json must have exactly mode, guard, depth, heat, flow and mix"
    if answer.guard == "off" and answer.depth >= BREAKS_AT_DEPTH:
        return f"at depth {BREAKS_AT_DEPTH} or more the process breaks without the guard"
    return ""


class CheckBackend:
    """Opens `CheckWorkspace`; an `engine.workspace.interface.Backend`."""

    name = "in-process"

    async def self_test(self) -> IsolationReport:
        """Nothing is enforced, and nothing foreign runs."""
        await trio.lowlevel.checkpoint()
        return _REPORT

    @asynccontextmanager
    async def open(self, spec: WorkspaceSpec) -> AsyncGenerator[Workspace]:
        """A workspace in memory."""
        await trio.lowlevel.checkpoint()
        yield CheckWorkspace(spec)

    def open_process(self, spec: WorkspaceSpec, argv: Sequence[str]) -> AbstractAsyncContextManager[Process]:
        """Never called: ``planted`` is scored without one."""
        raise EngineDefect(f"an in-process backend opens no process ({spec.name}: {argv})")


class CheckWorkspace:
    """Files in memory; the only program that runs is the check."""

    isolation = _REPORT

    def __init__(self, spec: WorkspaceSpec) -> None:
        self.spec = spec
        self._files = dict(spec.files)

    async def run(  # noqa: D102 - of the interface
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        cwd: str = ".",
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> CommandResult:
        del stdin, cwd, env, limits
        raise EngineDefect(f"an in-process workspace runs no program ({argv})")

    async def run_shell(
        self,
        script: str,
        *,
        stdin: bytes = b"",
        cwd: str = ".",
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> CommandResult:
        """Only ever asked to make or empty a member's folder, which needs nothing here: files are written over."""
        del script, stdin, cwd, env, limits
        await trio.lowlevel.checkpoint()
        return CommandResult(exit_code=0, measured=_NO_USAGE)

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
        """The check, on the files below ``cwd``."""
        del source, argv, stdin, env, limits
        await trio.lowlevel.checkpoint()
        below = f"{cwd}/"
        files = {
            path.removeprefix(below): data for path, data in self._files.items() if path.startswith(below)
        }
        problem = problem_with(files)
        said = (problem or "keeps the rules") + "\n"
        return CommandResult(exit_code=1 if problem else 0, stdout=said.encode(), measured=_NO_USAGE)

    async def read(self, path: str, *, limit_bytes: int = 1 << 20) -> bytes:
        """A file."""
        await trio.lowlevel.checkpoint()
        return self._files[path][:limit_bytes]

    async def write(self, path: str, data: bytes) -> None:
        """Put a file in place."""
        await trio.lowlevel.checkpoint()
        self._files[path] = data

    async def list_files(self) -> tuple[str, ...]:
        """All paths."""
        await trio.lowlevel.checkpoint()
        return tuple(sorted(self._files))

    async def collect(self, *, limit_bytes: int = 64 << 20, limit_files: int = 1_000) -> dict[str, bytes]:
        """All files."""
        del limit_bytes, limit_files
        await trio.lowlevel.checkpoint()
        return dict(sorted(self._files.items()))

    def fork(self) -> AbstractAsyncContextManager[Workspace]:
        """Never called."""
        raise EngineDefect(f"an in-process workspace forks nothing ({self.spec.name})")
