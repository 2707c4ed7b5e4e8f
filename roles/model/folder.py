"""The files that a model works on: read and changed by tool calls, run in the sandbox, kept in the store."""

from collections.abc import Mapping

from engine.member import Member
from engine.messages import ArtefactHash, NodeId
from roles.model.tools.files import SHOWN_CHARACTERS, FilesOf
from roles.model.tools.tool import shorten


class Folder:
    """A copy of an artefact's files.

    Args:
        member: whose.
        files: what it holds first.
        writable: whether its member's function is to change files.
        of_node: finds the files of other nodes, where its member knows of them.
    """

    def __init__(
        self,
        member: Member,
        files: Mapping[str, bytes],
        *,
        writable: bool = True,
        of_node: FilesOf | None = None,
    ) -> None:
        self._member, self._of_node = member, of_node
        self.files = dict(files)
        self.writable = writable

    @property
    def artefact(self) -> ArtefactHash:
        """The files as they are, kept."""
        return self._member.store.put(self.files)

    def look(self, node: NodeId | None) -> Mapping[str, bytes] | None:
        """The files, or those of another node; None where nothing is known of it."""
        if node is None:
            return self.files
        return self._of_node(node) if self._of_node is not None else None

    def replace(self, files: Mapping[str, bytes]) -> None:
        """Let the folder hold these files."""
        self.files.clear()
        self.files.update(files)

    def shown(self) -> str:
        """The files as text, bounded."""
        parts = [
            f"--- {path} ---\n{shorten(content.decode(errors='replace'), SHOWN_CHARACTERS)}"
            for path, content in sorted(self.files.items())
        ]
        return shorten("\n\n".join(parts), 2 * SHOWN_CHARACTERS)
