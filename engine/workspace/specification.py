"""What every backend makes of a `WorkspaceSpec` before it opens one."""

from functools import cache
from importlib import resources

from engine.workspace import beneath
from engine.workspace.errors import FileRefused, InvalidPath
from engine.workspace.interface import WorkspaceSpec
from engine.workspace.paths import Files, checked_files, is_below

PRELOAD = ("collections", "dataclasses", "functools", "itertools", "math", "random", "re", "string")
"""Modules that the exec server imports before it forks, so that `run_python` finds them warm."""


@cache
def server_source() -> bytes:
    """The exec server as bytes: it is handed in, so that this package may lie where the sandbox cannot look."""
    return resources.files("engine.workspace").joinpath("exec_server.py").read_bytes()


def checked(spec: WorkspaceSpec) -> dict[str, bytes]:
    """The spec's files, once they and the protected paths are known to be good.

    Raises:
        InvalidPath: for a path that is not plain, or a protected one that no file bears.
        WorkspaceFull: for too many files or bytes.
    """
    files = checked_files(spec.files, limit_bytes=spec.limits.disk_bytes)
    for path in spec.read_only:
        if not any(is_below(name, [path]) for name in files):
            raise InvalidPath(path, "is to be protected, but no file of that name, or below it, is given")
    return files


def protected_files(spec: WorkspaceSpec) -> dict[str, bytes]:
    """The files of a spec that nothing inside may change."""
    return {path: data for path, data in spec.files.items() if is_below(path, spec.read_only)}


def changed_files(root: int, expected: Files) -> tuple[str, ...]:
    """Which of these files below the open folder `root` no longer hold what is expected, sorted. Blocks, briefly."""
    return tuple(sorted(path for path, data in expected.items() if not _holds(root, path, data)))


def _holds(root: int, path: str, data: bytes) -> bool:
    try:
        return beneath.read_file(root, path, len(data)) == data
    except FileRefused:  # gone, another kind of file, or longer
        return False
