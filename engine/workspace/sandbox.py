"""The default backend: bubblewrap, seccomp, limits, an own user and, where they can be made, control groups.

Everything of a sandbox lives in its own namespaces, the files too (a sized tmpfs): when its first process dies the
kernel clears it all away, also when it is we who were killed. The host reads and writes the files through
``/proc/PID/root``, from a descriptor opened before anything hostile ran.
"""

import contextlib
import itertools
import json
import os
from collections.abc import AsyncGenerator, Sequence
from functools import cache, partial
from pathlib import Path

import trio

from engine.errors import IsolationUnavailable
from engine.workspace import beneath, cgroup, interpreter, profile, stage, tree
from engine.workspace.background import open_background
from engine.workspace.channel import Channel
from engine.workspace.child import Child, open_child
from engine.workspace.errors import WorkspaceLost
from engine.workspace.guard import guard_workspace
from engine.workspace.identity import leased_id
from engine.workspace.interface import IsolationReport, Process, Workspace, WorkspaceSpec
from engine.workspace.paths import Files
from engine.workspace.served import MOST_OPEN_FILES, ServedWorkspace, rlimits
from engine.workspace.specification import PRELOAD, changed_files, checked, protected_files, server_source
from engine.workspace.streaming import open_stream, prlimit_options, program_of

START_SECONDS = 30.0
_LAUNCHER_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LAUNCHER = {"PATH": _LAUNCHER_PATH}
_ENTER = 'while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift; exec "$@"'
_OVERHEAD_BYTES = 192 << 20
"""What a control group gets beyond memory and disk: /tmp and /dev/shm (64 MiB each), and the server."""
_OVERHEAD_PROCESSES = 4
_numbers = itertools.count(1)


@cache
def _homes() -> cgroup.Homes:
    return cgroup.find_homes() if os.geteuid() == 0 else cgroup.NO_HOMES


class Sandbox:
    """The `Backend` named ``sandbox``."""

    name = "sandbox"

    def __init__(self) -> None:
        self._report: IsolationReport | None = None
        self._testing = trio.Lock()

    async def self_test(self) -> IsolationReport:
        """Run real attacks and say what is enforced; run once, then remembered."""
        from engine.workspace.self_test import attack

        async with self._testing:
            if self._report is None:
                self._report = await attack(self)
            return self._report

    async def require(self) -> IsolationReport:
        """The self-test's report.

        Raises:
            IsolationUnavailable: when it found required isolation missing.
        """
        report = await self.self_test()
        if report.missing:
            raise IsolationUnavailable(report.missing, "; ".join(report.notes) or "see `mlyceum doctor`")
        return report

    @contextlib.asynccontextmanager
    async def open(self, spec: WorkspaceSpec) -> AsyncGenerator[Workspace]:
        """See `Backend.open`."""
        async with self.open_untested(spec, await self.require()) as workspace:
            yield workspace

    @contextlib.asynccontextmanager
    async def open_untested(self, spec: WorkspaceSpec, report: IsolationReport) -> AsyncGenerator[Workspace]:
        """A workspace whatever the self-test says: for the self-test."""
        files = checked(spec)
        protected = protected_files(spec)
        writable = {path: data for path, data in files.items() if path not in protected}
        options = json.dumps({"workspace": profile.WORKSPACE, "preload": PRELOAD})
        python = str(interpreter.interpreter(spec.environment))
        serve = [python, "-S", "-s", "-P", "-B", profile.SERVER, options]
        async with _started(spec, protected, serve, server=server_source()) as (child, group, user):
            channel = Channel(child.stdin, child.stdout, child.kill_tree)
            await _wait_ready(channel, child)
            folder = _open_inside(child.pid)
            try:
                if writable:
                    await trio.to_thread.run_sync(partial(beneath.write_files, folder, writable, owner=user))
                workspace = ServedWorkspace(
                    spec,
                    report,
                    channel,
                    folder,
                    owner=user,
                    variables=_variables(spec),
                    limits_memory=group is not None and _homes().limits_memory,
                    limits_processes=True,
                    kills=group.out_of_memory_kills if group is not None else lambda: 0,
                    reopen=partial(self.open_untested, report=report),
                )
                async with open_background() as background:
                    background.start_soon(channel.listen)
                    background.start_soon(
                        partial(
                            guard_workspace,
                            channel,
                            child.pid,
                            folder,
                            spec.limits,
                            memory=group is None or not _homes().limits_memory,
                        )
                    )
                    try:
                        yield workspace
                    finally:
                        await channel.close()
            finally:
                os.close(folder)

    @contextlib.asynccontextmanager
    async def open_process(self, spec: WorkspaceSpec, argv: Sequence[str]) -> AsyncGenerator[Process]:
        """See `Backend.open_process`."""
        await self.require()
        files = checked(spec)
        program = program_of(spec, argv)
        memory = _homes().limits_memory
        limits = rlimits(spec.limits, memory=not memory, processes=True, files=MOST_OPEN_FILES)
        command = ["/usr/bin/prlimit", *prlimit_options(limits), "--", *program]
        async with (
            _started(spec, files, command, server=None) as (child, group, _),
            open_stream(
                child,
                spec.limits,
                group,
                code_is_signal=True,
                changed=lambda: _changed_inside(child.pid, protected_files(spec)),
            ) as process,
        ):
            yield process


@contextlib.asynccontextmanager
async def _started(
    spec: WorkspaceSpec, files: Files, command: Sequence[str], *, server: bytes | None
) -> AsyncGenerator[tuple[Child, cgroup.Group | None, int | None]]:
    """A sandbox in which `command` runs, its control group and its user."""
    shown, enter = _shown(spec)
    with leased_id() as user:
        async with _grouped(spec) as group:
            descriptors = profile.Descriptors()
            walls = profile.walls(
                descriptors,
                variables=_variables(spec),
                shown=shown,
                user=os.geteuid() if user is None else user,
                disk_bytes=spec.limits.disk_bytes,
                files=files,
                read_only=spec.read_only,
                server=server,
            )
            launcher = _launcher(group, enter, user)
            async with open_child(
                [*launcher, *walls, "--", *command],
                env=_LAUNCHER,
                pass_fds=descriptors.numbers,
                started=descriptors.close,
                keep_stderr=spec.limits.output_bytes,
                only_waits=True,
            ) as child:
                yield child, group, user


@contextlib.asynccontextmanager
async def _grouped(spec: WorkspaceSpec) -> AsyncGenerator[cgroup.Group | None]:
    homes = _homes()
    if not any((homes.memory, homes.pids, homes.cpu)):
        yield None
        return
    limits = spec.limits
    group = cgroup.Group.make(
        homes,
        f"mlyceum-{os.getpid()}-{next(_numbers)}",
        memory_bytes=limits.memory_bytes + limits.disk_bytes + _OVERHEAD_BYTES,
        processes=limits.processes + _OVERHEAD_PROCESSES,
    )
    try:
        yield group
    finally:
        with trio.CancelScope(shield=True):
            await group.remove()


def _launcher(group: cgroup.Group | None, enter: Sequence[str], user: int | None) -> list[str]:
    """What runs before bubblewrap, as root: into the control group, then down to the user without privileges."""
    bubblewrap = profile.bubblewrap()
    if bubblewrap is None or not profile.is_recent(bubblewrap[1]):
        raise IsolationUnavailable(("bubblewrap 0.8",), "install it: `apt-get install bubblewrap`")
    launcher = ["/bin/sh", "-c", _ENTER, "sh", *group.entries, "--"] if group is not None else []
    if user is not None:
        launcher += ["nsenter", *enter, "-S", str(user), "-G", str(user)]
    return [*launcher, bubblewrap[0]]


def _shown(spec: WorkspaceSpec) -> tuple[dict[Path, Path], list[str]]:
    """Folders to show inside, with where they can be read from, and nsenter's way to there."""
    prefix = spec.environment.prefix if spec.environment is not None else None
    folders = profile.folders_shown(prefix)
    closed = [folder for folder in folders if os.geteuid() == 0 and stage.is_closed(folder)]
    if not closed:
        return {folder: folder for folder in folders}, []
    made = stage.stage_for(closed)
    return {folder: made.places.get(folder, folder) for folder in folders}, [f"--mount={made.namespace}"]


def _variables(spec: WorkspaceSpec) -> dict[str, str]:
    prefix = spec.environment.prefix if spec.environment is not None else None
    first = profile.TOOLS if prefix is None else f"{prefix}/bin"
    return interpreter.inner_variables(first, profile.HOME, spec.env)


async def _wait_ready(channel: Channel, child: Child) -> None:
    with trio.move_on_after(START_SECONDS):
        try:
            await channel.wait_ready()
        except WorkspaceLost:
            with trio.move_on_after(1):
                await child.wait_stderr()
        else:
            return
    said = child.stderr.decode(errors="replace").strip()[-300:] or "nothing"
    raise IsolationUnavailable(
        ("a sandbox that starts",),
        f"its start said {said!r}; allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
        "user.max_user_namespaces > 0, no AppArmor restriction) or run outside a container",
    )


def _open_inside(launcher: int) -> int:
    """The workspace's folder inside, as an open descriptor."""
    for pid in tree.children(launcher):
        with contextlib.suppress(OSError):
            return os.open(f"/proc/{pid}/root{profile.WORKSPACE}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    raise WorkspaceLost("the sandbox's files cannot be reached from here; open a new workspace")


def _changed_inside(launcher: int, expected: Files) -> tuple[str, ...]:
    """Protected files that changed in a sandbox that still runs; nothing is said of one that has ended."""
    try:
        folder = _open_inside(launcher)
    except WorkspaceLost:
        return ()
    try:
        return changed_files(folder, expected)
    finally:
        os.close(folder)
