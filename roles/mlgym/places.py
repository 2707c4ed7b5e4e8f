"""Where a shell's actions run: a member's folder, every command an effect on the record, or a workspace by itself."""

import shlex

import msgspec

from engine.member import Member
from engine.messages import ArtefactHash
from engine.task import Files
from engine.workspace.interface import Limits, Workspace
from roles.mlgym.script import TOOLS
from roles.mlgym.shell import Ran


class MemberPlace:
    """A member's folder. It is filled anew before each action from what the last one left, so a rerun can go on anywhere.

    Args:
        member: whose.
        files: the task's files.
        tools: those of the shell.
    """

    def __init__(self, member: Member, files: Files, tools: Files) -> None:
        self._member = member
        self._next: ArtefactHash | None = member.store.put({**files, **tools})
        self._last = self._next
        self.trouble = ""
        """Why what the last action left could not be kept; it is worked on nevertheless."""

    async def run(self, script: str, *, wall_seconds: float) -> Ran:
        """Run a script by bash, in the folder, and keep what it leaves."""
        outcome = await self._member.run(
            script, language="shell", artefact=self._next, wall_seconds=wall_seconds, keep=True
        )
        self._next = outcome.artefact
        self._last = outcome.artefact or self._last
        self.trouble = "" if outcome.artefact is not None else outcome.stderr[-300:]
        return Ran(
            output=outcome.stdout,
            errors=outcome.stderr,
            exit_code=outcome.exit_code,
            timed_out=outcome.limit == "wall",
        )

    def handed_in(self) -> dict[str, bytes]:
        """What the folder holds, as an artefact: hidden files left out. The last state that could be kept."""
        assert self._last is not None  # the first one was
        return {
            path: content
            for path, content in self._member.store.get(self._last).items()
            if not any(part.startswith(".") for part in path.split("/"))
        }


class WorkspacePlace:
    """A folder of an open workspace; nothing is recorded.

    Args:
        workspace: open.
        folder: in it; made where it does not exist.
        limits: of one command, wall time aside.
    """

    def __init__(self, workspace: Workspace, *, folder: str = "agent", limits: Limits | None = None) -> None:
        self._workspace, self._folder = workspace, folder
        self._limits = limits or workspace.spec.limits

    async def fill(self, files: Files) -> None:
        """Put files into the folder."""
        await self._workspace.run_shell(f"mkdir -p -- {shlex.quote(self._folder)}")
        for path, content in files.items():
            await self._workspace.write(f"{self._folder}/{path}", content)

    async def run(self, script: str, *, wall_seconds: float) -> Ran:
        """Run a script by bash, in the folder."""
        limits = msgspec.structs.replace(self._limits, wall_seconds=wall_seconds)
        result = await self._workspace.run_shell(script, cwd=self._folder, limits=limits)
        return Ran(
            output=result.stdout.decode(errors="replace"),
            errors=result.stderr.decode(errors="replace"),
            exit_code=result.exit_code,
            timed_out=result.timed_out,
        )

    async def collect(self) -> dict[str, bytes]:
        """The folder's plain files, hidden ones left out."""
        prefix = f"{self._folder}/"
        paths = [path for path in await self._workspace.list_files() if path.startswith(prefix)]
        return {
            path.removeprefix(prefix): await self._workspace.read(path, limit_bytes=16 << 20)
            for path in paths
            if f"/{TOOLS}/" not in path and "/." not in path
        }
