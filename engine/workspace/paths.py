"""Which relative paths and how many bytes may enter a workspace."""

from collections.abc import Iterable, Mapping

from engine.workspace.errors import InvalidPath, WorkspaceFull

MAX_PATH_BYTES = 1_000
MAX_DEPTH = 32
MAX_FILES = 4_000
MAX_TOTAL_BYTES = 1 << 30

Files = Mapping[str, bytes]
"""Relative POSIX path to content."""


def checked_path(path: str) -> str:
    """The path itself, once it is known to be a plain relative POSIX path.

    Plain means: no leading ``/``, no empty, ``.`` or ``..`` part, no NUL, valid UTF-8, at most
    ``MAX_PATH_BYTES`` bytes, 255 bytes a part, and ``MAX_DEPTH`` parts.

    Raises:
        InvalidPath: otherwise.
    """
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        raise InvalidPath(path, "is not valid UTF-8") from None
    if not path:
        raise InvalidPath(path, "is empty")
    if "\0" in path:
        raise InvalidPath(path, "has a NUL in it")
    if path.startswith("/"):
        raise InvalidPath(path, "is absolute")
    if len(encoded) > MAX_PATH_BYTES:
        raise InvalidPath(path, f"is longer than {MAX_PATH_BYTES} bytes")
    parts = path.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise InvalidPath(path, "has an empty, '.' or '..' part")
    if len(parts) > MAX_DEPTH or any(len(part.encode()) > 255 for part in parts):
        raise InvalidPath(path, f"is deeper than {MAX_DEPTH} parts or has a part over 255 bytes")
    return path


def checked_directory(path: str) -> str:
    """Like `checked_path`, and ``"."`` (the workspace itself) is allowed."""
    return path if path == "." else checked_path(path)


def checked_files(files: Files, *, limit_bytes: int = MAX_TOTAL_BYTES) -> dict[str, bytes]:
    """A copy of the files in path order, once every path and their sum are within bounds.

    Raises:
        InvalidPath: for a path that is not plain, or that is both a file and a folder.
        WorkspaceFull: for more than `MAX_FILES` files or `limit_bytes` bytes.
    """
    if len(files) > MAX_FILES:
        raise WorkspaceFull(f"{len(files)} files, a workspace takes {MAX_FILES}; pack them into fewer")
    total = sum(len(content) for content in files.values())
    if total > limit_bytes:
        raise WorkspaceFull(f"{total} bytes of files, the limit is {limit_bytes}; raise Limits.disk_bytes")
    ordered = {checked_path(path): bytes(files[path]) for path in sorted(files)}
    for path in ordered:
        for parent in parents(path):
            if parent in ordered:
                raise InvalidPath(path, f"lies below {parent!r}, which is a file")
    return ordered


def parents(path: str) -> tuple[str, ...]:
    """The folders above a path, outermost first: ``"a/b/c"`` gives ``("a", "a/b")``."""
    parts = path.split("/")
    return tuple("/".join(parts[:n]) for n in range(1, len(parts)))


def is_below(path: str, roots: Iterable[str]) -> bool:
    """Whether the path is one of the roots or lies inside one."""
    return any(path == root or path.startswith(root + "/") for root in roots)
