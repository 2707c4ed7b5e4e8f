"""Shards of one study, each in a folder of its own, brought together in one.

Only episodes that have ended are brought over: one that was cut short is run again where it is wanted. Merging again
brings over what has ended since.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.studies.design import LOCK, Lock, read_whole_lock
from benchmarks.studies.implied import keep_study_file, study_text
from benchmarks.studies.locking import merge_lock, write_lock
from benchmarks.studies.resolving import blocks_of, resolve
from benchmarks.studies.study import RunRecord, Study, open_study, read_study
from engine.episode import EpisodeResult, EpisodeSpec
from engine.errors import BadSpecification, OutputUnusable
from engine.index import open_index


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge came to."""

    folder: str
    shards: tuple[str, ...]
    episodes: int
    """Of the whole study."""
    done: int
    """Of them, in the merged folder."""
    brought: int
    """Of those, by this merge."""


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    folder: Path
    lock: Lock
    specs: dict[str, EpisodeSpec]
    results: tuple[EpisodeResult, ...]
    runs: tuple[RunRecord, ...]


def merge_shards(out: Path, shards: Sequence[Path], *, partial: bool = False) -> Merged:
    """Bring shards together; nothing is written unless they fit.

    Args:
        out: folder of the whole study: new, empty, or of an earlier merge of the same study.
        shards: their folders.
        partial: whether shards or episodes may be missing.

    Raises:
        BadSpecification: they are no shards of one study, overlap, or (unless ``partial``) are not all or not done.
        OutputUnusable: ``out`` cannot be written, or a run works in it.
        RecordDamaged: a shard cannot be read.
    """
    if not shards:
        raise BadSpecification(
            "SHARD", f"none is named, and there is none in {out.name}.shards; name their folders"
        )
    parts = [_read(folder) for folder in shards]
    _check_together(parts, partial=partial)
    if not partial:
        for part in parts:
            _check_done(part)
    first = parts[0].lock
    whole = msgspec.structs.replace(
        first, shard=None, amendments=max((part.lock.amendments for part in parts), key=len)
    )
    specs = _all_specs(whole, parts)
    lock = merge_lock(out, whole)
    brought = 0
    with open_study(out, specs, extends=True) as study:
        write_lock(out, lock)
        keep_study_file(out, study_text(lock.design))
        try:
            for part in parts:
                brought += _bring(part, study)
        except OSError as error:
            raise OutputUnusable(
                f"cannot bring shards into {out}: {error}; free some space and merge again"
            ) from error
        study.add_runs(tuple(run for part in parts for run in part.runs))
        done = len(study.index.results())
    return Merged(
        folder=str(out),
        shards=tuple(str(part.folder) for part in parts),
        episodes=len(specs),
        done=done,
        brought=brought,
    )


def shards_beside(out: Path) -> tuple[Path, ...]:
    """The shards of a study that lie where ``mlyceum study --shard`` puts them, in order."""
    folder = out.with_name(f"{out.name}.shards")
    found = [path for path in folder.glob("*-of-*") if (path / LOCK).exists()]
    return tuple(sorted(found, key=lambda path: (len(path.name), path.name)))


def _read(folder: Path) -> _Part:
    lock = read_whole_lock(folder)
    if lock is None:
        raise BadSpecification(str(folder), f"holds no {LOCK}; name the folders of shards")
    if lock.shard is None:
        raise BadSpecification(
            str(folder), "holds a whole study and no shard of one; name the folders of shards"
        )
    record = read_study(folder)
    specs = {spec.id: spec for spec in record.episodes}
    path = folder / "index.sqlite"
    results: tuple[EpisodeResult, ...] = ()
    if path.exists():
        with open_index(path, read_only=True) as index:
            results = index.results()
    ours = {(block.task, block.seeds) for block in blocks_of(lock.blocks, lock.shard)}
    for spec in specs.values():
        if (spec.task, spec.seeds) not in ours:
            raise BadSpecification(
                str(folder), f"{spec.id} does not belong to shard {_name(lock)}; restore the folder"
            )
    for result in results:
        if specs.get(result.episode) != result.spec:
            raise BadSpecification(
                str(folder), f"{result.episode} in its index is of another study; restore the folder"
            )
    return _Part(folder=folder, lock=lock, specs=specs, results=results, runs=record.runs)


def _check_together(parts: Sequence[_Part], *, partial: bool) -> None:
    first = parts[0]
    assert first.lock.shard is not None  # `_read` has checked it
    seen: dict[int, Path] = {}
    for part in parts:
        shard = part.lock.shard
        assert shard is not None
        if part.lock.design != first.lock.design or part.lock.blocks != first.lock.blocks:
            raise BadSpecification(
                str(part.folder),
                f"is a shard of another study than {first.folder}; run both with the same file",
            )
        if shard.of != first.lock.shard.of:
            raise BadSpecification(
                str(part.folder),
                f"is shard {_name(part.lock)}, {first.folder} is {_name(first.lock)}; they overlap",
            )
        if shard.number in seen:
            raise BadSpecification(
                str(part.folder),
                f"is shard {_name(part.lock)}, and so is {seen[shard.number]}; name one of them",
            )
        seen[shard.number] = part.folder
    missing = sorted(set(range(1, first.lock.shard.of + 1)) - set(seen))
    if missing and not partial:
        named = ", ".join(f"{number}/{first.lock.shard.of}" for number in missing)
        raise BadSpecification("SHARD", f"{named} missing; name them too, or give --partial")


def _check_done(part: _Part) -> None:
    left = len(part.specs) - len(part.results)
    if left:
        raise BadSpecification(
            str(part.folder),
            f"{left} of {len(part.specs)} episodes are not done; run the shard again, or give --partial",
        )


def _all_specs(lock: Lock, parts: Sequence[_Part]) -> tuple[EpisodeSpec, ...]:
    """Every episode of the study, in the order of its blocks."""
    known = {(spec.task, spec.seeds, spec.team.name): spec for part in parts for spec in part.specs.values()}
    wanted = [(block.task, block.seeds, arm) for block in lock.blocks for arm in block.arms]
    if any(key not in known for key in wanted):
        rest = {(spec.task, spec.seeds, spec.team.name): spec for spec in resolve(lock.design).plan.specs}
        known = {**rest, **known}
    return tuple(known[key] for key in wanted)


def _bring(part: _Part, study: Study) -> int:
    """Bring over what has ended in a shard and is not there yet.

    Returns:
        How many episodes that were.
    """
    here = {result.episode for result in study.index.results()}
    new = [result for result in part.results if result.episode not in here]
    if not new:
        return 0
    _bring_artefacts(part.folder / "artefacts", study.folder / "artefacts")
    _bring_scores(part.folder / "scores.jsonl", study.scores)
    for result in new:
        _bring_folder(part.folder / "episodes" / result.episode, study.folder / "episodes" / result.episode)
        study.index.commit(result)  # last: the row says that all the rest is there
    return len(new)


def _bring_folder(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial)
    shutil.rmtree(
        target, ignore_errors=True
    )  # of an episode without a row: a merge or run that was cut short
    partial.replace(target)


def _bring_artefacts(source: Path, target: Path) -> None:
    """Contents by hash: what is there already is the same."""
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_symlink() or not path.is_file() or place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(f".{place.name}.partial")
        shutil.copyfile(path, partial)
        partial.replace(place)


def _bring_scores(source: Path, target: Path) -> None:
    """Lines that are not there yet; a torn last line, which counts as never written, is left behind."""
    if not source.exists():
        return
    known = set(target.read_bytes().splitlines()) if target.exists() else set[bytes]()
    lines = [line for line in source.read_bytes().split(b"\n")[:-1] if line and line not in known]
    with target.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in dict.fromkeys(lines)))


def _name(lock: Lock) -> str:
    assert lock.shard is not None
    return f"{lock.shard.number}/{lock.shard.of}"
