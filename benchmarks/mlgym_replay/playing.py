"""Many runs played, a few at a time; what is done is kept as it comes, so that an interrupted replay goes on."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import trio

from benchmarks.mlgym_replay.running import Options, RunRow, Stage, open_stage, play_run
from engine.errors import OutputUnusable, UserError
from engine.workspace import make_backend
from roles.mlgym.runs import RunFiles, find_runs, open_source
from roles.mlgym.trajectory import TrajectoryUnusable, read_trajectory
from tasks.mlgym_folder.checkout import open_checkout
from tasks.mlgym_folder.names import PREFIX
from tasks.mlgym_folder.package import FolderTask, open_folder_task

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(RunRow)


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is to be played, and where its file lies."""

    source: Path
    run: RunFiles

    @property
    def name(self) -> str:
        """Of the run in reports."""
        return self.run.name if self.run.name not in ("", ".") else f"{self.source.name}/{self.run.task}"


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What is played, and what is left out with why."""

    runs: tuple[Chosen, ...]
    found: int
    """Trajectories in all."""
    refused: dict[str, str]
    """MLGym's ids of tasks whose runs are left out, to the reason."""

    def sentence(self) -> str:
        """Which, of how many."""
        out = f"; left out: {', '.join(sorted(self.refused))}" if self.refused else ""
        return f"{len(self.runs)} of {self.found} trajectories found{out}"


def select(
    places: Sequence[Path], *, tasks: Sequence[str] = (), sample: int | None = None, seed: int = 0
) -> Selection:
    """The runs below some folders or in some files, of tasks that can be played here.

    Args:
        places: files, folders, or bare git repositories.
        tasks: MLGym's ids of those wanted; none: all.
        sample: at most so many of each task, drawn at random.
        seed: of the draw.

    Raises:
        UserError: there is nothing to read.
    """
    found = [each for place in places for each in _runs_in(place)]
    wanted = [each for each in found if not tasks or each.run.task in tasks]
    refused: dict[str, str] = {}
    for task in dict.fromkeys(each.run.task for each in wanted):
        try:
            open_folder_task(PREFIX + task)
        except UserError as error:
            refused[task] = str(error)
    by_task: dict[str, list[Chosen]] = {}
    for each in wanted:
        if each.run.task not in refused:
            by_task.setdefault(each.run.task, []).append(each)
    draw = random.Random(seed)  # noqa: S311 - which runs are looked at is no secret
    runs = [
        each
        for task in sorted(by_task)
        for each in (
            by_task[task]
            if sample is None or sample >= len(by_task[task])
            else sorted(draw.sample(by_task[task], sample), key=lambda chosen: chosen.name)
        )
    ]
    if not runs:
        why = "; ".join(refused.values()) or "there are none of the tasks named"
        raise UserError(f"no trajectory to play: {why}")
    return Selection(runs=tuple(runs), found=len(found), refused=refused)


def _runs_in(place: Path) -> list[Chosen]:
    if place.is_file():
        run = RunFiles(
            name=place.resolve().parent.name,
            trajectory=place.name,
            results=None,
            model="unknown",
            task=place.stem,
            run=None,
        )
        return [Chosen(source=place.resolve().parent, run=run)]
    source = open_source(place)
    try:
        return [Chosen(source=place, run=run) for run in find_runs(source) if run.trajectory is not None]
    finally:
        source.close()


async def play(
    selection: Selection,
    *,
    options: Options,
    jobs: int,
    folder: Path | None = None,
    told: Callable[[RunRow], None] = lambda _row: None,
    note: Callable[[str], None] = lambda _line: None,
) -> list[RunRow]:
    """Play the runs that the folder does not hold yet.

    Args:
        selection: which.
        options: how.
        jobs: at a time.
        folder: where each run's row is kept as soon as it is there.
        told: of each run that was played.
        note: told what a user should know.

    Returns:
        All rows, in the order of the selection.

    Raises:
        IsolationUnavailable: this machine cannot isolate what the recorded agents wrote.
        EngineError: a workspace could not be had.
    """
    backend = (await make_backend("sandbox")).backend
    rows = _kept(folder)
    stages = {
        task: await open_stage(_task(task), options)
        for task in dict.fromkeys(e.run.task for e in selection.runs)
    }
    places = trio.CapacityLimiter(jobs)

    async def one(chosen: Chosen) -> None:
        async with places:
            try:
                data = await trio.to_thread.run_sync(_read, chosen)
                trajectory = read_trajectory(data, where=str(chosen.run.trajectory))
            except TrajectoryUnusable as error:
                note(f"left out: {error}")
                return
            row = await play_run(_stage(stages, chosen), chosen.name, trajectory, backend)
        rows[chosen.name, row.task] = row
        _keep(folder, row)
        told(row)

    async with trio.open_nursery() as nursery:
        for chosen in selection.runs:
            if (chosen.name, stages[chosen.run.task].task.configuration.id) not in rows:
                nursery.start_soon(one, chosen)
    keys = [(each.name, stages[each.run.task].task.configuration.id) for each in selection.runs]
    return [rows[key] for key in keys if key in rows]


def _stage(stages: dict[str, Stage], chosen: Chosen) -> Stage:
    return stages[chosen.run.task]


def _task(task: str) -> FolderTask:
    return open_folder_task(PREFIX + open_checkout().name_of(task))


def _read(chosen: Chosen) -> bytes:
    assert chosen.run.trajectory is not None  # chosen so
    source = open_source(chosen.source)
    try:
        return source.read(chosen.run.trajectory)
    finally:
        source.close()


def _kept(folder: Path | None) -> dict[tuple[str, str], RunRow]:
    place = folder / "runs.jsonl" if folder is not None else None
    if place is None or not place.exists():
        return {}
    rows: dict[tuple[str, str], RunRow] = {}
    for line in place.read_bytes().split(b"\n"):
        try:
            row = _decoder.decode(line)
        except msgspec.DecodeError:
            continue  # a torn line: its run is played again
        rows[row.name, row.task] = row
    return rows


def _keep(folder: Path | None, row: RunRow) -> None:
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "runs.jsonl").open("ab") as file:
            file.write(b"\n" + _encoder.encode(row))
    except OSError as error:
        raise OutputUnusable(f"cannot write into {folder}: {error.strerror or error}") from error
