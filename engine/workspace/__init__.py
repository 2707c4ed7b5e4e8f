"""Workspaces: files and isolated execution behind one interface.

`make_backend` gives a backend; `Backend.open` a workspace for many commands, `Backend.open_process` one program with
pipes for scoring. `interface` states what they promise, `sandbox` and `process` keep it.
"""

from engine.workspace.backends import BackendName, ChosenBackend, make_backend
from engine.workspace.environment import Environment
from engine.workspace.errors import (
    FileRefused,
    FrameTooLarge,
    InvalidCommand,
    InvalidPath,
    ProcessEnded,
    ProcessFault,
    ProtocolBroken,
    WorkspaceFull,
    WorkspaceLost,
)
from engine.workspace.interface import (
    Backend,
    CommandResult,
    Fact,
    IsolationReport,
    Limits,
    Process,
    Usage,
    Workspace,
    WorkspaceSpec,
)
from engine.workspace.paths import Files, checked_files, checked_path

__all__ = [
    "Backend",
    "BackendName",
    "ChosenBackend",
    "CommandResult",
    "Environment",
    "Fact",
    "FileRefused",
    "Files",
    "FrameTooLarge",
    "InvalidCommand",
    "InvalidPath",
    "IsolationReport",
    "Limits",
    "Process",
    "ProcessEnded",
    "ProcessFault",
    "ProtocolBroken",
    "Usage",
    "Workspace",
    "WorkspaceFull",
    "WorkspaceLost",
    "WorkspaceSpec",
    "checked_files",
    "checked_path",
    "make_backend",
]
