"""Keeping a study's lock: written once, and amended only by more seeds, with the looks that had been taken by then."""

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.studies.design import LOCK, Amendment, Design, Lock, read_whole_lock
from benchmarks.studies.looks import read_looks
from benchmarks.studies.resolving import Resolved
from engine.errors import BadSpecification, OutputUnusable

_MAY_CHANGE = frozenset({"question", "notes", "seeds"})
"""What does not change an episode, and seeds, of which there may be more."""


def make_lock(
    resolved: Resolved, *, overrides: tuple[str, ...] = (), sources: dict[str, str] | None = None
) -> Lock:
    """The lock that a resolved design asks for."""
    return Lock(
        design=resolved.design,
        overrides=overrides,
        sources=sources or {},
        blocks=resolved.blocks,
        shard=resolved.shard,
    )


def merge_lock(folder: Path, asked: Lock) -> Lock:
    """What a folder's lock is to be: as asked for, or as it stands with more seeds. Nothing is written.

    Raises:
        BadSpecification: the folder holds another study.
        RecordDamaged: its lock cannot be read.
    """
    known = read_whole_lock(folder)
    if known is None:
        return asked
    if known.shard != asked.shard:
        raise BadSpecification(
            str(folder),
            f"holds {_shard(known)} of the study, not {_shard(asked)}; name another folder with --out",
        )
    difference = _difference(known.design, asked.design)
    if difference is not None:
        raise BadSpecification(
            str(folder), f"holds a study with another {difference}; name another folder with --out"
        )
    before = set(known.design.seeds)
    added = tuple(each for each in asked.design.seeds if each not in before)
    amendments = known.amendments
    if added:
        looks = len(read_looks(folder))
        amendments = (*amendments, Amendment(at=_now(), added=added, looks_before=looks))
    return msgspec.structs.replace(asked, amendments=amendments)


def write_lock(folder: Path, lock: Lock) -> None:
    """Put a lock into a folder, whole or not at all.

    Raises:
        OutputUnusable: when it cannot be written.
    """
    path = folder / LOCK
    partial = path.with_name(f"{LOCK}.partial")
    content = msgspec.json.format(msgspec.json.encode(lock), indent=1) + b"\n"
    try:
        if path.exists() and path.read_bytes() == content:
            return
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise OutputUnusable(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another folder with --out"
        ) from error


def amendment_notes(lock: Lock) -> tuple[str, ...]:
    """What a reader must know of seeds that were added."""
    return tuple(
        f"seeds were added on {each.at} ({len(each.added)}), after results had been looked at "
        f"({each.looks_before} times): intervals made for a fixed number of seeds are too narrow"
        for each in lock.amendments
        if each.looks_before
    )


def _difference(known: Design, asked: Design) -> str | None:
    """The first field that may not differ and does."""
    for name in Design.__struct_fields__:
        if name not in _MAY_CHANGE and getattr(known, name) != getattr(asked, name):
            return name.replace("_", " ")
    if not set(known.seeds) <= set(asked.seeds):
        return "set of seeds (seeds may be added, never taken away)"
    return None


def _shard(lock: Lock) -> str:
    return "all blocks" if lock.shard is None else f"shard {lock.shard.number} of {lock.shard.of}"


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
