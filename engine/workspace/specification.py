"""What every backend makes of a `WorkspaceSpec` before it opens one."""

from functools import cache
from importlib import resources

from engine.workspace.errors import InvalidPath
from engine.workspace.interface import WorkspaceSpec
from engine.workspace.paths import checked_files, is_below

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
