"""A study's folder, read: what was planned, what came of it, under which limits; one folder or several of one study."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benchmarks.offline.curves import Curve
from benchmarks.studies.design import LOCK
from benchmarks.studies.study import RunRecord, StudyRecord, read_study
from engine.episode import EpisodeResult, EpisodeSpec
from engine.errors import RecordDamaged, UserError
from engine.index import open_index

STUDY = "study.json"
INDEX = "index.sqlite"
CURVES = "curves.json"


class NoReport(UserError):
    """Raised when there is nothing to report on; the sentence says what to do first."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One folder that `benchmarks.studies.study` describes."""

    folder: Path
    planned: tuple[EpisodeSpec, ...]
    """Every episode that belongs to it, in the order in which they were asked for."""
    results: tuple[EpisodeResult, ...]
    """Of those that have ended, in the same order."""
    runs: tuple[RunRecord, ...]
    curves: tuple[Curve, ...] = ()
    """Final scores of what stood on the way, where they were taken afterwards."""

    @property
    def failed(self) -> Mapping[str, str]:
        """Episodes that the outside let down in the last run, and why; those that ended since are not in it."""
        ended = {result.episode for result in self.results}
        last = self.runs[-1].failed if self.runs else {}
        return {episode: reason for episode, reason in last.items() if episode not in ended}


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Everything that a report is made from."""

    folder: Path
    each: tuple[Source, ...]
    results: tuple[EpisodeResult, ...] = field(init=False)
    planned: tuple[EpisodeSpec, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "results", tuple(r for source in self.each for r in source.results))
        object.__setattr__(self, "planned", tuple(s for source in self.each for s in source.planned))

    @property
    def failed(self) -> Mapping[str, str]:
        """Episodes that the outside let down, and why."""
        return {name: reason for source in self.each for name, reason in source.failed.items()}

    @property
    def failed_ever(self) -> int:
        """Infrastructure failures over all runs, those too that a later run made good."""
        return sum(len(run.failed) for source in self.each for run in source.runs)

    @property
    def missing(self) -> tuple[EpisodeSpec, ...]:
        """Planned episodes that have not ended."""
        ended = {result.episode for result in self.results}
        return tuple(spec for spec in self.planned if spec.id not in ended)


def read_sources(folder: Path) -> Sources:
    """Read a study's folder, or a folder of such folders (as `benchmarks.offline` makes, one a task).

    Raises:
        NoReport: it is no study, several that do not belong together, or nothing in it has ended.
        RecordDamaged: a file of it cannot be read.
    """
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise NoReport(f"{folder} {what}; name the folder that `mlyceum run --out` wrote")
    folders = [folder] if is_study(folder) else _below(folder)
    if not folders:
        raise NoReport(
            f"{folder} is not a study's folder (it has no {STUDY} and no {INDEX}); name one that `mlyceum run --out` wrote"
        )
    sources = Sources(folder=folder, each=tuple(_read(each) for each in folders))
    if len(folders) > 1 and not _belong_together(sources):
        names = ", ".join(each.name for each in folders[:5]) + (" …" if len(folders) > 5 else "")
        raise NoReport(f"{folder} holds studies that do not belong together ({names}); name one of them")
    if not sources.results:
        planned = len(sources.planned)
        raise NoReport(
            f"{folder}: none of its {planned} episodes has ended yet; run the command that began it again, then report"
        )
    return sources


def is_study(folder: Path) -> bool:
    """Whether a folder holds a study's files itself."""
    return (folder / STUDY).is_file() or (folder / INDEX).is_file()


def _belong_together(sources: Sources) -> bool:
    """Whether folders are parts of one study: no lock of their own, one leading team and budget, each its own tasks."""
    tasks = [task for source in sources.each for task in tasks_of(source.planned)]
    heads = {(specs[0].team.name, specs[0].budget) for source in sources.each if (specs := source.planned)}
    locked = any((source.folder / LOCK).exists() for source in sources.each)
    return not locked and len(set(tasks)) == len(tasks) and len(heads) == 1


def _below(folder: Path) -> list[Path]:
    try:
        return [each for each in sorted(folder.iterdir()) if each.is_dir() and is_study(each)]
    except OSError as error:
        raise NoReport(
            f"{folder} cannot be read: {error.strerror or error}; check its permissions"
        ) from error


def _read(folder: Path) -> Source:
    results = _results(folder / INDEX)
    study = (
        read_study(folder)
        if (folder / STUDY).is_file()
        else StudyRecord(version=0, episodes=tuple(result.spec for result in results))
    )
    places = {spec.id: place for place, spec in enumerate(study.episodes)}
    last = len(places)
    return Source(
        folder=folder,
        planned=study.episodes,
        results=tuple(sorted(results, key=lambda each: (places.get(each.episode, last), each.episode))),
        runs=study.runs,
        curves=_curves(folder / CURVES),
    )


def _results(path: Path) -> tuple[EpisodeResult, ...]:
    if not path.is_file():
        return ()
    try:
        with open_index(path, read_only=True) as index:
            return index.results()
    except RecordDamaged as error:
        if isinstance(error.__cause__, sqlite3.OperationalError) and "no such table" in str(error):
            return ()  # made this moment, by a run that has not come further
        raise


def _curves(path: Path) -> tuple[Curve, ...]:
    if not path.is_file():
        return ()
    try:
        return tuple(msgspec.json.decode(path.read_bytes(), type=list[Curve]))
    except (OSError, ValueError) as error:
        raise RecordDamaged(
            f"{path} cannot be read ({error}); remove it, and curves are of feedback"
        ) from error


def tasks_of(specs: Iterable[EpisodeSpec]) -> tuple[str, ...]:
    """Task names in the order in which they appear."""
    return tuple(dict.fromkeys(spec.task for spec in specs))
