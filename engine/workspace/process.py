"""The backend without isolation, by its explicit name only and for code that no model wrote.

Commands run as this user, with this user's files and network; the limits are those that the kernel holds for each
process. It is the same exec server as in the sandbox, started directly, so both behave alike. What a command started
is killed with it as far as it can be found.
"""

import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, Generator, Sequence
from functools import partial
from pathlib import Path

import trio

from engine.workspace import beneath, interpreter
from engine.workspace.background import open_background
from engine.workspace.channel import Channel
from engine.workspace.child import open_child
from engine.workspace.interface import REQUIRED, Fact, IsolationReport, Process, Workspace, WorkspaceSpec
from engine.workspace.served import MOST_OPEN_FILES, ServedWorkspace, rlimits
from engine.workspace.specification import PRELOAD, changed_files, checked, protected_files, server_source
from engine.workspace.streaming import open_stream, prlimit_options, program_of

_TAG = "MLYCEUM_PROCESS"
_ROUNDS = 16
_DYING_SECONDS = 0.2
"""How long a killed process is waited for: it is dead in well under a millisecond, unless the kernel holds it."""
_REPORT = IsolationReport(
    backend="process",
    facts=tuple(Fact(name=name, enforced=False, by="nothing: asked for by name") for name in REQUIRED),
    memory="per process",
    cpu="per process",
    disk="none",
    notes=("no isolation: commands run as this user; protected files are only marked read-only",),
)


class Unisolated:
    """The `Backend` named ``process``."""

    name = "process"

    async def self_test(self) -> IsolationReport:
        """What is enforced: limits of each process, and nothing else."""
        await trio.lowlevel.checkpoint()
        return _REPORT

    @contextlib.asynccontextmanager
    async def open(self, spec: WorkspaceSpec) -> AsyncGenerator[Workspace]:
        """See `Backend.open`."""
        with _filled_folder(spec) as (folder, handle):
            options = json.dumps({"workspace": str(folder), "preload": PRELOAD})
            variables = _variables(spec, folder)
            python = str(interpreter.interpreter(spec.environment))
            server = ["-S", "-s", "-P", "-B", "-c", server_source().decode(), options]
            async with open_child([python, *server], env=variables, cwd=str(folder)) as child:
                channel = Channel(child.stdin, child.stdout, child.kill_tree)
                await channel.wait_ready()
                workspace = ServedWorkspace(
                    spec,
                    _REPORT,
                    channel,
                    handle,
                    owner=None,
                    variables=variables,
                    limits_memory=False,
                    limits_processes=False,
                    kills=lambda: 0,
                    reopen=self.open,
                )
                async with open_background() as background:
                    background.start_soon(channel.listen)
                    try:
                        yield workspace
                    finally:
                        await channel.close()

    @contextlib.asynccontextmanager
    async def open_process(self, spec: WorkspaceSpec, argv: Sequence[str]) -> AsyncGenerator[Process]:
        """See `Backend.open_process`."""
        program = program_of(spec, argv)
        limits = rlimits(spec.limits, memory=True, processes=False, files=MOST_OPEN_FILES)
        token = secrets.token_hex(16)
        with _filled_folder(spec) as (folder, handle):
            async with (
                open_child(
                    ["prlimit", *prlimit_options(limits), "--", *program],
                    env={**_variables(spec, folder), _TAG: token},
                    cwd=str(folder),
                    keep_stderr=spec.limits.output_bytes,
                    also_kill=partial(_kill_tagged, token),
                ) as child,
                open_stream(
                    child,
                    spec.limits,
                    None,
                    code_is_signal=False,
                    changed=partial(changed_files, handle, protected_files(spec)),
                ) as process,
            ):
                yield process


@contextlib.contextmanager
def _filled_folder(spec: WorkspaceSpec) -> Generator[tuple[Path, int]]:
    files = checked(spec)
    folder = Path(tempfile.mkdtemp(prefix=f"mlyceum-{os.getpid()}-"))
    try:
        handle = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            beneath.write_files(handle, files, owner=None)
            for path in spec.read_only:
                _protect(folder / path)
            yield folder, handle
        finally:
            os.close(handle)
    finally:
        _remove(folder)


def _protect(path: Path) -> None:
    """Against mistakes only: whoever runs as this user can undo it."""
    for each in (path, *path.rglob("*")):
        each.chmod(each.stat().st_mode & 0o555)


def _remove(folder: Path) -> None:
    def make_removable(function: object, path: str, _: object) -> None:
        del function
        with contextlib.suppress(OSError):
            Path(path).parent.chmod(0o700)
            Path(path).chmod(0o700)
            Path(path).rmdir() if Path(path).is_dir() else Path(path).unlink()

    shutil.rmtree(folder, onerror=make_removable)
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


def _variables(spec: WorkspaceSpec, folder: Path) -> dict[str, str]:
    first = interpreter.interpreter(spec.environment).parent
    return interpreter.inner_variables(str(first), str(folder), spec.env)


def _kill_tagged(token: str) -> None:
    """Kill what escaped the tree and still carries this process's variable; what was found is dead on return.

    Again until nothing is found: a process that forks, or is just becoming another program, may be missed once.
    """
    wanted = f"{_TAG}={token}".encode()
    for _ in range(_ROUNDS):
        found = [
            int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and _has(each, wanted)
        ]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(OSError):
                handle = os.pidfd_open(pid)
                try:
                    os.kill(pid, signal.SIGKILL)
                    select.select([handle], [], [], _DYING_SECONDS)
                finally:
                    os.close(handle)


def _has(process: Path, variable: bytes) -> bool:
    try:
        return variable in (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
