"""Looks: each time the results of a study were summarised is put down, since adding seeds after one is not free."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.studies.design import Sequential
from engine.errors import OutputUnusable, RecordDamaged

LOOKS = "looks.jsonl"
"""The name of the file in a study's folder, a line a look."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What a planned look of a sequential study found."""

    seeds: int
    """After so many."""
    p: float
    """Of the primary comparison, by flipping signs over blocks."""
    nominal_p: float
    """What it had to be below at this look."""
    stops: bool
    """Whether the study has its answer."""


class Look(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Results were summarised."""

    at: str
    """UTC, ISO 8601."""
    by: str
    """The command or function that did, as ``study`` or ``report``."""
    complete_blocks: int
    """Blocks in which every arm had ended, pilots left out."""
    blocks: int
    """Blocks in all, pilots left out."""
    planned: Planned | None = None
    """None: a look that no plan had foreseen."""


def record_look(
    folder: Path, *, by: str, complete_blocks: int, blocks: int, planned: Planned | None = None
) -> Look:
    """Put down that results were summarised. A folder that cannot be written (an archive) keeps no looks.

    Returns:
        The look.
    """
    look = Look(
        at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        by=by,
        complete_blocks=complete_blocks,
        blocks=blocks,
        planned=planned,
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


def planned_looks(folder: Path) -> tuple[Planned, ...]:
    """What the planned looks that were taken have found, in order.

    Raises:
        RecordDamaged: when a line cannot be read.
    """
    return tuple(look.planned for look in read_looks(folder) if look.planned is not None)


def look_notes(folder: Path, plan: Sequential | None) -> tuple[str, ...]:
    """What the planned looks have found, in sentences.

    Raises:
        RecordDamaged: the folder's looks cannot be read.
    """
    if plan is None:
        return ()
    taken = planned_looks(folder)
    notes = [
        f"planned look {number} of {len(plan.looks)}, after {look.seeds} seeds: p = {look.p:.4f} of the primary "
        f"comparison, {look.nominal_p:.4f} was needed"
        for number, look in enumerate(taken, start=1)
    ]
    if taken and taken[-1].stops and taken[-1].seeds < plan.looks[-1]:
        notes.append(
            f"the study stopped early, at {taken[-1].seeds} of {plan.looks[-1]} seeds: the primary comparison is told apart "
            "from nothing, and its estimate is on average too large"
        )
    return tuple(notes)
