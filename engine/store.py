"""Artefacts by content: every version that was ever scored stays, once, and can be scored again."""

import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from engine.errors import BadSpecification, OutputUnusable, RecordDamaged
from engine.messages import ArtefactHash

_PATH = re.compile(r"[^\x00-\x1f\x7f\\]{1,255}")
_HASH = re.compile(r"[0-9a-f]{64}")
MAX_FILES = 10_000


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an artefact consists of; its canonical JSON is what the artefact's hash is taken of."""

    files: dict[str, str]
    """Relative POSIX path to the SHA-256 (hex) of the content, in path order."""


def check_path(path: str) -> None:
    """Refuse a path that is not plainly relative and inside.

    Raises:
        BadSpecification: naming the path and what is allowed.
    """
    parts = path.split("/")
    if not _PATH.fullmatch(path) or any(part in ("", ".", "..") for part in parts) or len(parts) > 32:
        raise BadSpecification(
            repr(path[:80]), "not a plain relative path (no '..', no leading '/', at most 255 characters)"
        )


def artefact_hash(files: Mapping[str, bytes]) -> ArtefactHash:
    """The hash that an artefact with these files has."""
    return ArtefactHash(hashlib.sha256(_manifest_bytes(files)).hexdigest())


def _manifest_bytes(files: Mapping[str, bytes]) -> bytes:
    for path in files:
        check_path(path)
        parts = path.split("/")
        if any("/".join(parts[:depth]) in files for depth in range(1, len(parts))):
            raise BadSpecification(repr(path[:80]), "lies in a folder that is also a file of the artefact")
    if len(files) > MAX_FILES:
        raise BadSpecification("artefact", f"{len(files)} files; at most {MAX_FILES} are allowed")
    return msgspec.json.encode(
        Manifest(files={path: hashlib.sha256(files[path]).hexdigest() for path in sorted(files)})
    )


class ArtefactStore:
    """A folder of contents by hash. Writing is atomic and idempotent; reading checks the hash.

    Its calls do file input and output of artefact size (kilobytes) and do not yield to the loop.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: set[str] = set()

    def put(self, files: Mapping[str, bytes]) -> ArtefactHash:
        """Keep an artefact.

        Raises:
            BadSpecification: for a path outside the artefact or too many files.
            OutputUnusable: when the folder cannot be written.
        """
        manifest = _manifest_bytes(files)
        for content in files.values():
            self._keep(content)
        return ArtefactHash(self._keep(manifest))

    def get(self, artefact: ArtefactHash) -> dict[str, bytes]:
        """The files of an artefact.

        Raises:
            RecordDamaged: when a content is missing or does not have its hash, or the hash is no artefact's.
        """
        try:
            manifest = msgspec.json.decode(self._read(artefact), type=Manifest)
            for path in manifest.files:
                check_path(path)  # any content can be named by its hash, also one that an agent wrote
        except (ValueError, BadSpecification) as error:
            raise RecordDamaged(f"{artefact} in {self.folder} is not an artefact: {error}") from error
        return {path: self._read(digest) for path, digest in manifest.files.items()}

    def __contains__(self, artefact: str) -> bool:
        return bool(_HASH.fullmatch(artefact)) and self._place(artefact).exists()

    def _place(self, digest: str) -> Path:
        return self.folder / digest[:2] / digest

    def _keep(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        place = self._place(digest)
        if digest in self._known:
            return digest
        # Another episode of this process never runs between these lines, and another process uses another name.
        partial = place.with_name(f"{digest}.{os.getpid()}.partial")
        try:
            # A crash of the machine can leave a name without its content.
            if not place.exists() or place.stat().st_size != len(content):
                place.parent.mkdir(parents=True, exist_ok=True)
                partial.write_bytes(content)
                partial.replace(place)
        except OSError as error:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise OutputUnusable(
                f"cannot keep an artefact in {self.folder}: {error.strerror or error}; "
                "free some space and run the same command again"
            ) from error
        self._known.add(digest)
        return digest

    def _read(self, digest: str) -> bytes:
        if not _HASH.fullmatch(digest):
            raise RecordDamaged(f"{digest[:80]!r} is not an artefact's hash")
        try:
            content = self._place(digest).read_bytes()
        except OSError as error:
            raise RecordDamaged(f"artefact content {digest} is missing from {self.folder}") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise RecordDamaged(
                f"artefact content {digest} in {self.folder} was changed; restore it from a copy"
            )
        return content
