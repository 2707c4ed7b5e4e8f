"""The sandbox's walls as bubblewrap's arguments. The order matters; the holes each line closes are in the tests."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from engine.workspace.interpreter import base_interpreter, base_prefix
from engine.workspace.paths import Files, is_below, parents
from engine.workspace.seccomp import build_filter

WORKSPACE = "/workspace"
HOME = "/tmp"  # noqa: S108 - inside the sandbox, a private tmpfs
TOOLS = "/.tools"
SERVER = "/.tools/exec_server.py"
_TMP_BYTES = 64 << 20
_SYSTEM_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/ssl/certs")
_OLDEST = (0, 8)


@cache
def bubblewrap() -> tuple[str, tuple[int, int]] | None:
    """Path and version of bubblewrap, or None when it is not installed."""
    path = shutil.which("bwrap", path="/usr/local/bin:/usr/bin:/bin") or shutil.which("bwrap")
    if path is None:
        return None
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, env={}).stdout
    match = re.search(r"(\d+)\.(\d+)", said)
    return path, (int(match[1]), int(match[2])) if match else (0, 0)


def is_recent(version: tuple[int, int]) -> bool:
    """Whether this bubblewrap knows every option used here."""
    return version >= _OLDEST


class Descriptors:
    """Data handed to bubblewrap as open descriptors; close them once it runs."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def of(self, data: bytes, name: str) -> str:
        """A descriptor from which `data` can be read, as an argument."""
        number = os.memfd_create(name, os.MFD_CLOEXEC)
        self.numbers.append(number)
        left = memoryview(data)
        while left:
            left = left[os.write(number, left) :]
        os.lseek(number, 0, os.SEEK_SET)
        return str(number)

    def close(self) -> None:
        """Close all."""
        for number in self.numbers:
            os.close(number)
        self.numbers = []


def walls(
    descriptors: Descriptors,
    *,
    variables: Mapping[str, str],
    shown: Mapping[Path, Path],
    user: int,
    disk_bytes: int,
    files: Files,
    read_only: Sequence[str],
    server: bytes | None,
) -> list[str]:
    """Arguments of bubblewrap up to the command.

    Args:
        descriptors: takes the data that goes in by descriptor.
        variables: the whole inner environment.
        shown: folders to show read-only: place inside to source outside.
        user: user id inside, for /etc/passwd.
        disk_bytes: size of the workspace.
        files: content of the workspace at the start.
        read_only: files or folders among them that are protected.
        server: source of the exec server, which then becomes the first process; None to run a program directly.
    """
    arguments = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]
    arguments += ["--clearenv"]
    for name, value in variables.items():
        arguments += ["--setenv", name, value]
    arguments += _system()
    passwd = f"agent:x:{user}:{user}::{HOME}:/bin/bash\n".encode()
    arguments += ["--perms", "0444", "--ro-bind-data", descriptors.of(passwd, "passwd"), "/etc/passwd"]
    for name in ("python", "python3"):
        arguments += ["--symlink", str(base_interpreter()), f"{TOOLS}/{name}"]
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    for place in ("/tmp", "/dev/shm"):  # noqa: S108 - inside the sandbox
        arguments += ["--perms", "1777", "--size", str(_TMP_BYTES), "--tmpfs", place]
    # After /tmp, where a cache or a clone may lie: else they would be covered.
    for inside, source in shown.items():
        arguments += ["--ro-bind", str(source), str(inside)]
    arguments += ["--size", str(disk_bytes), "--tmpfs", WORKSPACE]
    arguments += _files(descriptors, files, read_only, disk_bytes)
    if server is not None:
        arguments += ["--perms", "0444", "--ro-bind-data", descriptors.of(server, "server"), SERVER]
        arguments += ["--as-pid-1"]
    arguments += ["--chdir", WORKSPACE, "--remount-ro", "/dev", "--remount-ro", "/"]
    arguments += ["--seccomp", descriptors.of(_filter(), "seccomp")]
    return arguments


@cache
def _filter() -> bytes:
    return build_filter()


@cache
def _system() -> tuple[str, ...]:
    arguments = ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM_LINKS:
        path = Path("/", name)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    for path_name in _ETC:
        arguments += ["--ro-bind-try", path_name, path_name]
    return tuple(arguments)


def _files(descriptors: Descriptors, files: Files, read_only: Sequence[str], disk_bytes: int) -> list[str]:
    """Protected files are mounts of their own, so they can be neither written, renamed nor removed.

    A folder above a protected file could still be renamed and another put in its place: each is made a mount too. A
    protected folder is closed once it is filled.
    """
    arguments: list[str] = []
    folders = [path for path in read_only if path not in files]
    single = [path for path in read_only if path in files and not is_below(path, folders)]
    made: set[str] = set()
    for path in sorted((*folders, *single)):
        for parent in parents(path):
            if parent not in made and not is_below(parent, folders):
                made.add(parent)
                arguments += ["--size", str(disk_bytes), "--tmpfs", f"{WORKSPACE}/{parent}"]
    for folder in sorted(folders):
        if not is_below(folder, [other for other in folders if other != folder]):
            arguments += ["--tmpfs", f"{WORKSPACE}/{folder}"]
    for path, content in files.items():
        mode = "0755" if content.startswith(b"#!") else "0644"
        how = "--ro-bind-data" if path in single else "--file"
        arguments += ["--perms", mode, how, descriptors.of(content, "file"), f"{WORKSPACE}/{path}"]
    for folder in folders:
        if not is_below(folder, [other for other in folders if other != folder]):
            arguments += ["--remount-ro", f"{WORKSPACE}/{folder}"]
    return arguments


def folders_shown(environment_prefix: Path | None) -> list[Path]:
    """The folders outside /usr that a workspace needs to see."""
    return [folder for folder in (base_prefix(), environment_prefix) if folder is not None]
