"""What a sandbox enforces on this machine, found by attacking it: takes about a second, once for each backend."""

import contextlib
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Generator, Iterator
from contextlib import AbstractAsyncContextManager
from importlib import resources
from pathlib import Path
from typing import Protocol

import msgspec
import trio

from engine.errors import IsolationUnavailable, WorkspaceError
from engine.workspace.interface import (
    REQUIRED,
    Fact,
    IsolationReport,
    Limits,
    Strength,
    Workspace,
    WorkspaceSpec,
)
from engine.workspace.interpreter import inner_variables

_ENFORCERS = {
    "file": "mount namespace, read-only binds",
    "network": "network namespace, seccomp",
    "process": "pid and user namespace, no capabilities, seccomp",
    "secrets": "empty environment, closed descriptors, seccomp",
    "tree_kill": "pid namespace, subreaper",
}
_SHELL_VARIABLES = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}
_TEST_SECONDS = 60.0
_LIMITS = Limits(wall_seconds=20, memory_bytes=64 << 20, disk_bytes=1 << 20)


class Attackable(Protocol):
    """What the self-test needs of a backend."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see Backend

    def open_untested(  # noqa: D102 - see Sandbox
        self, spec: WorkspaceSpec, report: IsolationReport
    ) -> AbstractAsyncContextManager[Workspace]: ...


class _Findings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    attacks: dict[str, str]
    variables: tuple[str, ...]


async def attack(backend: Attackable) -> IsolationReport:
    """Attack a workspace of this backend and report what held.

    Where none can be opened every fact is missing and the notes say why.
    """
    nothing = _nothing_holds(backend.name, "not tested", ())
    try:
        with trio.fail_after(_TEST_SECONDS):
            async with backend.open_untested(
                WorkspaceSpec(limits=_LIMITS, name="self-test"), nothing
            ) as workspace:
                findings = await _inside(workspace)
                survivors = await _daemons(workspace)
                memory = await _memory(workspace)
                disk = await _disk(workspace)
    except IsolationUnavailable as error:
        return _nothing_holds(backend.name, ", ".join(error.missing), (error.how_to_fix,))
    except (WorkspaceError, msgspec.DecodeError, trio.TooSlowError, OSError) as error:
        return _nothing_holds(backend.name, "the self-test broke off", (str(error) or type(error).__name__,))
    facts = [_fact(name, findings) for name in REQUIRED if name != "tree_kill"]
    tree_kill = "daemons survived" if survivors else _ENFORCERS["tree_kill"]
    facts.append(Fact(name="tree_kill", enforced=not survivors, by=tree_kill))
    notes: tuple[str, ...] = ()
    if memory != "hard":
        notes = ("memory and processes are limited without a control group: memory of each process only",)
    return IsolationReport(
        backend=backend.name, facts=tuple(facts), memory=memory, cpu="per process", disk=disk, notes=notes
    )


def _nothing_holds(name: str, why: str, notes: tuple[str, ...]) -> IsolationReport:
    facts = tuple(Fact(name=each, enforced=False, by=why) for each in REQUIRED)
    return IsolationReport(backend=name, facts=facts, memory="none", cpu="none", disk="none", notes=notes)


def _fact(name: str, findings: _Findings) -> Fact:
    tried = {which: came for which, came in findings.attacks.items() if which.startswith(name + ":")}
    done = [f"{which} {came}" for which, came in tried.items() if not came.startswith("refused")]
    if name == "secrets":
        known = set(inner_variables("", "", {})) | _SHELL_VARIABLES
        done += [f"variable {each} is visible inside" for each in findings.variables if each not in known]
    if not tried:
        done.append("no attack was run")
    return Fact(name=name, enforced=not done, by="; ".join(done)[:500] or _ENFORCERS[name])


async def _inside(workspace: Workspace) -> _Findings:
    source = resources.files("engine.workspace").joinpath("attacks.py").read_text()
    with _bait() as host:
        result = await workspace.run_python(source, argv=[json.dumps(host)])
    try:
        return msgspec.json.decode(result.stdout, type=_Findings)
    except msgspec.DecodeError:
        raise WorkspaceError(f"the attacks did not report: {result.stderr[-300:]!r}; report this") from None


@contextlib.contextmanager
def _bait() -> Generator[dict[str, str | int]]:
    """Things of the host that must be out of reach: a listener, an abstract socket, a file, this process."""
    abstract = f"mlyceum-{secrets.token_hex(8)}"
    with (
        socket.socket(socket.AF_INET) as listener,
        socket.socket(socket.AF_UNIX) as unix,
        tempfile.NamedTemporaryFile(prefix="mlyceum-bait-") as file,
    ):
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        unix.bind("\0" + abstract)
        unix.listen()
        Path(file.name).chmod(0o644)
        file.write(b"secret")
        file.flush()
        port = listener.getsockname()[1]
        command = Path("/proc/self/cmdline").read_bytes().decode(errors="replace")
        yield {"port": port, "abstract": abstract, "file": file.name, "pid": os.getpid(), "command": command}


async def _daemons(workspace: Workspace) -> int:
    """How many of the daemons that a command left behind outlive it."""
    token = f"{300 + secrets.randbelow(1 << 30) / (1 << 30):.12f}"
    script = f"setsid sleep {token} & (setsid sh -c 'sleep {token} & sleep {token}' &); kill -9 $$"
    await workspace.run_shell(script)
    return sum(1 for command in _command_lines() if token in command)


def _command_lines() -> Iterator[list[str]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                yield (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")


async def _memory(workspace: Workspace) -> Strength:
    """Two processes that together take more than the whole may have."""
    source = (
        "import os\n"
        "taken = []\n"
        "os.fork()\n"
        "for _ in range(60): taken.append(bytearray(b'x') * (4 << 20))\n"
        "print('took it all')\n"
    )
    result = await workspace.run_python(source)
    if result.out_of_memory:
        return "hard"
    return "none" if result.ok else "per process"


async def _disk(workspace: Workspace) -> Strength:
    source = (
        "with open('fill', 'wb') as file:\n    for _ in range(64): file.write(bytes(1 << 18)); file.flush()\n"
    )
    result = await workspace.run_python(source)
    return "hard" if b"No space left" in result.stderr else "none"
