"""The files that a model works on: written by tool calls, run in the sandbox, kept in the store."""

from collections.abc import Mapping

import msgspec

from engine.errors import BadSpecification, BudgetExceeded
from engine.member import EffectFailed, Member
from engine.messages import ArtefactHash
from engine.store import check_path
from roles.model.talk import AnyUse, Reaction, Use, shorten

MAX_FILES = 64
MAX_FILE_CHARACTERS = 200_000
SHOWN_CHARACTERS = 12_000
RUN_SECONDS = 30.0


class WriteFile(msgspec.Struct, frozen=True, kw_only=True):
    """Write a whole file."""

    path: str
    content: str


class RunPython(msgspec.Struct, frozen=True, kw_only=True):
    """Run Python source in a folder that holds the files."""

    source: str


class Folder:
    """A copy of an artefact's files that a model edits."""

    def __init__(self, member: Member, files: Mapping[str, bytes]) -> None:
        self._member = member
        self.files = dict(files)

    @property
    def artefact(self) -> ArtefactHash:
        """The files as they are, kept."""
        return self._member.store.put(self.files)

    def uses(self) -> list[AnyUse]:
        """The tools that work on the folder."""
        return [
            Use("write_file", "Write a whole file of the artefact.", WriteFile, self._write),
            Use(
                "run_python",
                "Run Python source in a sandbox beside the artefact's files.",
                RunPython,
                self._run,
            ),
        ]

    def shown(self) -> str:
        """The files as text, bounded."""
        parts = [
            f"--- {path} ---\n{shorten(content.decode(errors='replace'), SHOWN_CHARACTERS)}"
            for path, content in sorted(self.files.items())
        ]
        return shorten("\n\n".join(parts), 2 * SHOWN_CHARACTERS)

    async def _write(self, asked: WriteFile) -> Reaction:
        try:
            check_path(asked.path)
            content = asked.content.encode()
        except BadSpecification as error:
            return Reaction(f"Not written: {error}.", is_wrong=True)
        except UnicodeEncodeError:
            return Reaction("Not written: the content is not valid text.", is_wrong=True)
        if len(asked.content) > MAX_FILE_CHARACTERS:
            return Reaction(f"Not written: at most {MAX_FILE_CHARACTERS} characters a file.", is_wrong=True)
        if len({*self.files, asked.path}) > MAX_FILES:
            return Reaction(f"Not written: at most {MAX_FILES} files.", is_wrong=True)
        self.files[asked.path] = content
        return Reaction(f"Wrote {asked.path} ({len(content)} bytes).")

    async def _run(self, asked: RunPython) -> Reaction:
        try:
            outcome = await self._member.run(asked.source, artefact=self.artefact, wall_seconds=RUN_SECONDS)
        except (BudgetExceeded, EffectFailed) as error:
            return Reaction(f"Not run: {error}", is_wrong=True)
        ended = (
            f"stopped by the {outcome.limit} limit" if outcome.limit else f"exit status {outcome.exit_code}"
        )
        output = shorten(
            "\n".join(part for part in (outcome.stdout, outcome.stderr) if part), SHOWN_CHARACTERS // 3
        )
        return Reaction(f"{ended}\n{output}")
