"""Files of a study, and of nothing else: each part of a path is opened in turn, and no link is followed."""

import hashlib
import os
import re
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from engine.errors import BadSpecification, UserError
from engine.messages import ArtefactHash
from engine.store import Manifest, check_path

_HASH = re.compile(r"[0-9a-f]{64}")
MOST_CONTENT = 64 << 20
"""Bytes of one file of an artefact that are read at all."""


class NotServed(UserError):
    """Raised when a study has no such file, or has it somewhere else; becomes a 404."""


@contextmanager
def open_inside(root: Path, *parts: str) -> Generator[BinaryIO]:
    """A regular file below a folder, open for reading.

    Raises:
        NotServed: it is not there, is a link or no plain file, or a part is no plain name.
    """
    for part in parts:
        if part in ("", ".", "..") or "/" in part or "\0" in part:
            raise NotServed(f"{part[:80]!r} is not a name in a study")
    where = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            # Not blocking: a pipe that somebody put there must not hold a thread.
            deeper = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=where)
            os.close(where)
            where = deeper
        is_file = stat.S_ISREG(os.fstat(where).st_mode)
    except (OSError, ValueError) as error:
        os.close(where)
        raise NotServed(f"{'/'.join(parts)[:200]} is not in this study") from error
    if not is_file:
        os.close(where)
        raise NotServed(f"{'/'.join(parts)[:200]} is no plain file")
    with os.fdopen(where, "rb") as file:
        yield file


def is_inside(root: Path, *parts: str) -> bool:
    """Whether there is such a file."""
    with suppress(NotServed, OSError), open_inside(root, *parts):
        return True
    return False


def read_content(study: Path, digest: str, *, most: int = MOST_CONTENT) -> bytes:
    """A content of the study's archive by its hash.

    Raises:
        NotServed: it is not there, too large, or not what its name says.
    """
    if not _HASH.fullmatch(digest):
        raise NotServed(f"{digest[:80]!r} is not a content's hash")
    with open_inside(study, "artefacts", digest[:2], digest) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise NotServed(f"content {digest[:8]} is larger than {most >> 20} MB")
    if hashlib.sha256(content).hexdigest() != digest:
        raise NotServed(f"content {digest[:8]} was changed")
    return content


def read_manifest(study: Path, artefact: ArtefactHash) -> dict[str, str]:
    """Path to content's hash of an archived artefact.

    Raises:
        NotServed: it is not there, or is no artefact.
    """
    try:
        manifest = msgspec.json.decode(read_content(study, artefact), type=Manifest)
        for path in manifest.files:
            check_path(path)
    except (ValueError, BadSpecification) as error:
        raise NotServed(f"{artefact[:8]} is no artefact") from error
    return manifest.files
