"""Looks: each time the results of a study were summarised is put down, since adding seeds after one is not free."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from engine.errors import OutputUnusable, RecordDamaged

LOOKS = "looks.jsonl"
"""The name of the file in a study's folder, a line a look."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Results were summarised."""

    at: str
    """UTC, ISO 8601."""
    by: str
    """The command or function that did, as ``study`` or ``report``."""
    complete_blocks: int
    """Blocks in which every arm had ended, pilots left out."""
    blocks: int
    """Blocks in all, pilots left out."""


def record_look(folder: Path, *, by: str, complete_blocks: int, blocks: int) -> Look:
    """Put down that results were summarised. A folder that cannot be written (an archive) keeps no looks.

    Returns:
        The look.
    """
    look = Look(
        at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", by=by, complete_blocks=complete_blocks, blocks=blocks
    )
    try:
        with (folder / LOOKS).open("ab") as file:
            file.write(msgspec.json.encode(look) + b"\n")
    except OSError:
        return look
    return look


def read_looks(folder: Path) -> tuple[Look, ...]:
    """Every look, in order; none for a folder that keeps none.

    Raises:
        RecordDamaged: when a line cannot be read.
    """
    path = folder / LOOKS
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise OutputUnusable(f"cannot read {path}: {error.strerror or error}") from error
    try:
        return tuple(msgspec.json.decode(line, type=Look) for line in lines if line.strip())
    except msgspec.MsgspecError as error:
        raise RecordDamaged(f"{path} cannot be read ({error}); remove the line that is broken") from error
