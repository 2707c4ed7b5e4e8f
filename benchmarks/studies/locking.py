"""Keeping a study's lock: written once, and amended only by more of something, with the looks taken by then.

Seeds, tasks, arms and comparisons may be added; nothing that was there is taken away or changed.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.studies.design import LOCK, Amendment, BlockOrder, Design, Lock, read_whole_lock
from benchmarks.studies.looks import read_looks
from benchmarks.studies.resolving import Resolved
from engine.errors import BadSpecification, OutputUnusable

_MAY_CHANGE = frozenset({"question", "notes"})
"""What does not change an episode."""
_MAY_GROW = ("seeds", "tasks", "arms", "contrasts")


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
    amendments, amendment = known.amendments, _amendment(folder, known.design, asked.design)
    if amendment is not None:
        amendments = (*amendments, amendment)
    return msgspec.structs.replace(asked, amendments=amendments, blocks=_as_started(known, asked))


def _amendment(folder: Path, known: Design, asked: Design) -> Amendment | None:
    """What is asked for beyond what was known; None where nothing is."""
    seeds, arms = set(known.seeds), {arm.name for arm in known.arms}
    contrasts = {contrast.name for contrast in known.contrasts}
    added = Amendment(
        at=_now(),
        added=tuple(each for each in asked.seeds if each not in seeds),
        tasks=tuple(each for each in asked.tasks if each not in known.tasks),
        arms=tuple(each.name for each in asked.arms if each.name not in arms),
        contrasts=tuple(each.name for each in asked.contrasts if each.name not in contrasts),
        looks_before=len(read_looks(folder)),
    )
    return added if (added.added or added.tasks or added.arms or added.contrasts) else None


def _as_started(known: Lock, asked: Lock) -> tuple[BlockOrder, ...]:
    """The blocks; arms that were added to a block come after those that it began with."""
    before = {(block.task, block.seeds): block.arms for block in known.blocks}
    blocks: list[BlockOrder] = []
    for block in asked.blocks:
        first = before.get((block.task, block.seeds), ())
        arms = (*first, *(arm for arm in block.arms if arm not in first))
        blocks.append(msgspec.structs.replace(block, arms=arms))
    return tuple(blocks)


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
    """What a reader must know of what was added after a look."""
    return tuple(note for each in lock.amendments if each.looks_before for note in _notes_on(each))


def _notes_on(amendment: Amendment) -> Iterator[str]:
    when = f"on {amendment.at}, after results had been looked at ({amendment.looks_before} times)"
    if amendment.added:
        yield (
            f"seeds were added {when}: {len(amendment.added)}; intervals made for a fixed number of seeds are too narrow"
        )
    for what, names in (
        ("tasks", amendment.tasks),
        ("arms", amendment.arms),
        ("comparisons", amendment.contrasts),
    ):
        if names:
            yield f"{what} were added {when}: {', '.join(names)}; what they show is exploratory"


def _difference(known: Design, asked: Design) -> str | None:
    """The first field that may not differ and does."""
    for name in Design.__struct_fields__:
        before, now = getattr(known, name), getattr(asked, name)
        if name in _MAY_CHANGE or before == now:
            continue
        if name not in _MAY_GROW:
            return name.replace("_", " ")
        if any(each not in now for each in before):
            return f"set of {name} ({name} may be added, never taken away or changed)"
    if known.arms[:1] != asked.arms[:1]:
        return "first arm (tables lead with it)"
    if known.primary is None and asked.primary is not None:
        return "primary comparison (named before the first episode or not at all)"
    return None


def _shard(lock: Lock) -> str:
    return "all blocks" if lock.shard is None else f"shard {lock.shard.number} of {lock.shard.of}"


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
