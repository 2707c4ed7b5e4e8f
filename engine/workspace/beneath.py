"""Reading and writing below a folder whose content is hostile, from the host.

Paths are walked one part at a time from an open folder, and no part may be a symbolic link, so nothing inside can
point the host elsewhere, and nothing is awaited that never comes (pipes, devices). All functions block, briefly.
"""

import contextlib
import ctypes
import errno
import os
import secrets
import stat
from collections.abc import Generator, Iterator

from engine.workspace.errors import FileRefused, WorkspaceFull
from engine.workspace.paths import MAX_DEPTH, Files, checked_path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20
_libc = ctypes.CDLL(None)
_MOST_ENTRIES = 100_000


def read_file(root: int, path: str, limit_bytes: int) -> bytes:
    """The content of a plain file below the open folder `root`.

    Raises:
        FileRefused: when it is missing, no plain file, behind a link, or larger than `limit_bytes`.
    """
    checked_path(path)
    with _opened_parent(root, path, make=False) as (folder, name):
        try:
            handle = os.open(name, _READ, dir_fd=folder)
        except OSError as error:
            raise FileRefused(path, _why(error)) from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise FileRefused(path, f"is {_kind(status.st_mode)}")
        return _read_all(handle, path, limit_bytes)
    finally:
        os.close(handle)


def _read_all(handle: int, path: str, limit_bytes: int) -> bytes:
    # By what is read and not by the size it claims: the file may grow meanwhile.
    content = bytearray()
    while data := os.read(handle, min(_CHUNK, limit_bytes + 1 - len(content))):
        content += data
        if len(content) > limit_bytes:
            raise FileRefused(path, f"is larger than {limit_bytes} bytes")
    return bytes(content)


def write_file(root: int, path: str, data: bytes, *, owner: int | None) -> None:
    """Put a file in place atomically, making the folders above it.

    Scripts (content that begins with ``#!``) are made executable.

    Args:
        root: the open folder below which `path` lies.
        path: a plain relative path.
        data: the content.
        owner: user and group id to act as on files, or None for ours.

    Raises:
        FileRefused: when something that is no folder is on the way, or a folder is in its place.
        WorkspaceFull: when it does not fit.
    """
    checked_path(path)
    with _acting_as(owner), _opened_parent(root, path, make=True) as (folder, name):
        trial = f".mlyceum-{secrets.token_hex(8)}"
        try:
            mode = 0o755 if data.startswith(b"#!") else 0o644
            handle = os.open(trial, _CREATE, mode, dir_fd=folder)
            try:
                _write_all(handle, data)
                os.fchmod(handle, mode)
            finally:
                os.close(handle)
            os.rename(trial, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(trial, dir_fd=folder)
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise WorkspaceFull(
                    f"{path!r} does not fit; remove files or raise Limits.disk_bytes"
                ) from None
            raise FileRefused(path, _why(error)) from None


def write_files(root: int, files: Files, *, owner: int | None) -> None:
    """`write_file` for each."""
    for path, data in files.items():
        write_file(root, path, data, owner=owner)


def _write_all(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]


def list_files(root: int) -> tuple[str, ...]:
    """The paths of all plain files below `root`, sorted; everything else is left out."""
    return tuple(
        sorted(path for path, mode in _walk(root, "", 1, [0]) if stat.S_ISREG(mode) and _is_text(path))
    )


def collect(root: int, *, limit_bytes: int, limit_files: int) -> dict[str, bytes]:
    """All files below `root` in path order.

    Raises:
        FileRefused: for anything that is neither a plain file nor a folder, and past the limits.
    """
    found: list[str] = []
    for path, mode in _walk(root, "", 1, [0]):
        if not _is_text(path):
            raise FileRefused(repr(os.fsencode(path)), "has a name that is not UTF-8")
        if stat.S_ISDIR(mode):
            continue
        if not stat.S_ISREG(mode):
            raise FileRefused(path, f"is {_kind(mode)}")
        found.append(path)
        if len(found) > limit_files:
            raise FileRefused(path, f"is one file more than {limit_files}")
    content: dict[str, bytes] = {}
    left = limit_bytes
    for path in sorted(found):
        try:
            content[path] = read_file(root, path, left)
        except FileRefused as error:
            if error.why.startswith("is larger"):
                raise FileRefused(path, f"takes the sum of all files past {limit_bytes} bytes") from None
            raise
        left -= len(content[path])
    return content


def _walk(root: int, prefix: str, depth: int, seen: list[int]) -> Iterator[tuple[str, int]]:
    """Path and mode of everything below `root` except the folder itself."""
    if depth > MAX_DEPTH:
        raise FileRefused(prefix, f"is deeper than {MAX_DEPTH} folders")
    folder = os.open(prefix.rpartition("/")[2] or ".", _FOLDER, dir_fd=root)
    try:
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 - of a descriptor, not of a path
            seen[0] += 1
            if seen[0] > _MOST_ENTRIES:
                raise FileRefused(prefix or ".", f"holds more than {_MOST_ENTRIES} entries")
            try:
                mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            except FileNotFoundError:
                continue
            path = f"{prefix}/{name}" if prefix else name
            yield path, mode
            if stat.S_ISDIR(mode):
                try:
                    yield from _walk(folder, path, depth + 1, seen)
                except OSError as error:
                    raise FileRefused(path, _why(error)) from None
    finally:
        os.close(folder)


@contextlib.contextmanager
def _opened_parent(root: int, path: str, *, make: bool) -> Generator[tuple[int, str]]:
    """The open folder that holds the path's last part, and that part."""
    *folders, name = path.split("/")
    at = os.open(".", _FOLDER, dir_fd=root)
    try:
        for part in folders:
            try:
                below = _enter(at, part, make=make)
            except OSError as error:
                raise FileRefused(path, _why(error)) from None
            os.close(at)
            at = below
        yield at, name
    finally:
        os.close(at)


@contextlib.contextmanager
def _acting_as(user: int | None) -> Generator[None]:
    """Touch files as that user, in this thread only.

    A sandbox's file system belongs to its user namespace, in which root does not exist: what root makes there is
    refused (EOVERFLOW). It also leaves root's rights over files behind while the host walks a hostile tree.
    """
    if user is None:
        yield
        return
    try:
        _libc.setfsgid(user)
        _libc.setfsuid(user)
        yield
    finally:
        _libc.setfsuid(os.geteuid())
        _libc.setfsgid(os.getegid())


def _enter(folder: int, name: str, *, make: bool) -> int:
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=folder)
    return os.open(name, _FOLDER, dir_fd=folder)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    return next((name for test, name in kinds if test(mode)), "no plain file")


def _why(error: OSError) -> str:
    reasons = {
        errno.ENOENT: "does not exist",
        errno.ELOOP: "is a symbolic link",
        errno.ENOTDIR: "lies behind something that is no folder, or behind a symbolic link",
        errno.ENXIO: "is a socket or a pipe",
        errno.EISDIR: "is a folder",
        errno.ENOTEMPTY: "is a folder",
        errno.EEXIST: "is a folder",
    }
    return reasons.get(error.errno or 0, f"cannot be used ({error.strerror})")
