"""Python environments of tasks, built once and cached outside any home."""

from pathlib import Path

import msgspec


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """A built environment: a folder that a sandbox shows read-only."""

    digest: str
    """SHA-256 (hex) over the requirements and the interpreter's version; part of the record."""
    prefix: Path | None = None
    """The virtual environment's folder, or None for the plain interpreter."""
    requirements: tuple[str, ...] = ()
