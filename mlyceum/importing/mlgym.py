"""A folder of MLGym's runs as a study's folder: `show`, `view`, `score`, `report` and `export` read it."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import msgspec

from benchmarks.studies.study import Study, open_study
from engine.episode import EpisodeSpec
from engine.errors import EngineError, UnknownName, UserError
from engine.journal import Journal
from mlyceum.importing.mlgym_run import Run, digest_of_file, records_of, result_of, spec_of
from roles.mlgym.runs import RunFiles, Source, find_runs, open_source
from roles.mlgym.trajectory import TrajectoryUnusable, read_results, read_trajectory

_DEMONSTRATIONS = "demonstrations"
"""A folder of MLGym's that holds examples for prompts, and no run."""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What was imported."""

    folder: str
    episodes: int
    without_trajectory: int
    """Of them: those of which only the scores were there."""
    tasks: tuple[str, ...]
    models: tuple[str, ...]
    problems: tuple[str, ...] = ()
    """Files that could not be used, a sentence each."""


def import_mlgym(
    path: Path,
    out: Path,
    *,
    tasks: Collection[str] = (),
    models: Collection[str] = (),
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> Imported:
    """Read every run below a folder (or in a bare git repository) into a study's folder.

    A second time only what is missing is added; a bad file is told of and passed over.

    Args:
        path: where the runs are.
        out: the study's folder; new, empty, or of the same import.
        tasks: only these, by MLGym's id or by ours; empty: all.
        models: only these, as the folders' names have them; empty: all.
        told: called after each run with how many are done, of how many.

    Raises:
        UserError: there is nothing to import, or nothing of what was asked for.
        OutputUnusable: the folder cannot be written.
    """
    source = open_source(path)
    try:
        found = [files for files in find_runs(source) if files.name != _DEMONSTRATIONS]
        if not found:
            raise UserError(
                f"{path} holds no .traj and no results.json; name the folder of MLGym's trajectories"
            )
        wanted = _wanted(found, tasks, models)
        problems: list[str] = []
        planned = list(_planned(source, wanted, problems))
        if not planned:
            raise UserError(f"nothing below {path} could be read: {problems[0]}")
        specs = tuple(spec for spec, _, _ in planned)
        with open_study(out, specs) as study:
            for done, (spec, files, number) in enumerate(planned, start=1):
                _write(study, source, spec, files, number)
                told(done, len(planned))
    finally:
        source.close()
    return Imported(
        folder=str(out),
        episodes=len(planned),
        without_trajectory=sum("trajectory" not in spec.hashes for spec in specs),
        tasks=tuple(dict.fromkeys(spec.task for spec in specs)),
        models=tuple(dict.fromkeys(files.model for _, files, _ in planned)),
        problems=tuple(problems),
    )


def _wanted(found: list[RunFiles], tasks: Collection[str], models: Collection[str]) -> list[RunFiles]:
    named = {files: {files.task, _our_name(files)} for files in found}
    for task in tasks:
        if not any(task in names for names in named.values()):
            raise UnknownName(
                "task of these runs", task, sorted({name for names in named.values() for name in names})
            )
    for model in models:
        if not any(files.model == model for files in found):
            raise UnknownName("model of these runs", model, sorted({files.model for files in found}))
    return [
        files
        for files in found
        if (not tasks or named[files] & set(tasks)) and (not models or files.model in models)
    ]


def _our_name(files: RunFiles) -> str:
    return spec_of(Run(files=files, number=0, trajectory=None, results=None, digests={})).task


def _planned(
    source: Source, wanted: list[RunFiles], problems: list[str]
) -> Iterator[tuple[EpisodeSpec, RunFiles, int]]:
    """Each run that can be read, with its specification and number; two never have one name."""
    taken: set[str] = set()
    for files in wanted:
        number = files.run or 0
        run = _read(source, files, number, problems)
        if run is None:
            continue
        spec = spec_of(run)
        while spec.id in taken:
            number += 1
            spec = spec_of(msgspec.structs.replace(run, number=number))
        taken.add(spec.id)
        yield spec, files, number


def _read(source: Source, files: RunFiles, number: int, problems: list[str]) -> Run | None:
    """A run's files; what cannot be read of it is put among the problems, and None is said where nothing can."""
    digests: dict[str, str] = {}
    trajectory = results = None
    if files.trajectory is not None:
        try:
            data = source.read(files.trajectory)
            trajectory = read_trajectory(data, where=files.trajectory)
            digests["trajectory"] = digest_of_file(data)
        except TrajectoryUnusable as error:
            problems.append(str(error))
    if files.results is not None:
        try:
            data = source.read(files.results)
            results = read_results(data, where=files.results)
            digests["results"] = digest_of_file(data)
        except TrajectoryUnusable as error:
            problems.append(str(error))
    if trajectory is None and results is None:
        return None
    return Run(files=files, number=number, trajectory=trajectory, results=results, digests=digests)


def _write(study: Study, source: Source, spec: EpisodeSpec, files: RunFiles, number: int) -> None:
    """One episode's journal, then its row in the index, which says that it is whole."""
    if study.index.done(spec.id, spec.digest()) is not None:
        return
    run = _read(source, files, number, [])
    if run is None:
        raise EngineError(f"{files.name} could be read and now cannot; run the same command again")
    result = result_of(run, spec)
    journal = Journal(study.folder / "episodes" / spec.id)
    try:
        for record in records_of(run, spec, result):
            journal.put(record)
        journal.flush()
    finally:
        journal.close()
    study.index.commit(result)
