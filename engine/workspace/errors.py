"""What can go wrong with a workspace, named for what the caller can do.

::

    WorkspaceError
    ├── InvalidPath          a path that may not be used (absolute, ``..``, NUL, too long, protected)
    ├── InvalidCommand       a command that cannot be given to any program (empty, NUL in it, too long)
    ├── FileRefused          a file inside that may not leave: link, device, directory, too large, missing
    ├── WorkspaceFull        more files or bytes than the workspace holds
    ├── WorkspaceLost        the workspace's own processes are gone or misbehaved; open a new one
    │   └── ProtocolBroken   the inside sent bytes that are no valid reply
    └── ProcessFault         a streaming process did not keep to its frames
        ├── ProcessEnded     it ended before it had sent what was awaited
        └── FrameTooLarge    it announced a frame beyond the limit
"""

from engine.errors import WorkspaceError


class InvalidPath(WorkspaceError):
    """Raised when a path is not a plain relative path inside the workspace.

    Attributes:
        path: the path as given.
        why: what is wrong with it.
    """

    def __init__(self, path: str, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(f"path {path[:200]!r} {why}; use a relative path below the workspace")


class InvalidCommand(WorkspaceError):
    """Raised when a command cannot be passed to any program: empty, a NUL in it, or too long."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the command cannot be run: {why}; pass long input as a file or on stdin")


class FileRefused(WorkspaceError):
    """Raised when something inside the workspace is not a plain file within the limit.

    Attributes:
        path: the path asked for, or found while collecting.
        why: what it is instead (``"is a symbolic link"``, ``"is larger than 1000 bytes"`` …).
    """

    def __init__(self, path: str, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(f"{path[:200]!r} {why}; only plain files within the limit leave a workspace")


class WorkspaceFull(WorkspaceError):
    """Raised when files or bytes exceed what a workspace may hold."""


class WorkspaceLost(WorkspaceError):
    """Raised when the processes that serve a workspace are gone; nothing in it can be used any more."""


class ProtocolBroken(WorkspaceLost):
    """Raised when the inside sent bytes that are no valid reply; the workspace has been killed."""


class ProcessFault(WorkspaceError):
    """Raised when a streaming process did not keep to what was agreed.

    Attributes:
        stderr: the end of what it wrote to stderr (bounded), for the report.
    """

    def __init__(self, message: str, *, stderr: bytes = b"") -> None:
        self.stderr = stderr
        tail = stderr.decode(errors="replace").strip()[-500:]
        super().__init__(message + (f"; stderr ends with {tail!r}" if tail else ""))


class ProcessEnded(ProcessFault):
    """Raised when a process ended, or closed its output, before it sent what was awaited."""


class FrameTooLarge(ProcessFault):
    """Raised when a process announced a frame larger than the caller allows."""
