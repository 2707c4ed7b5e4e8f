"""A finished study run again from its journals, in another folder, without a network, and held against what it was."""

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from benchmarks.studies.arm_rows import ArmRow, StudySummary, arm_rows, block_counts
from benchmarks.studies.design import LOCK, Design, read_whole_lock
from benchmarks.studies.implied import STUDY_FILE, design_of
from benchmarks.studies.plan import Plan, make_spec, open_sized
from benchmarks.studies.reporter import Reporter
from benchmarks.studies.running import RanAll, run_missing
from benchmarks.studies.study import read_study
from benchmarks.studies.teams import models_of
from engine.episode import EpisodeResult, EpisodeSpec
from engine.errors import BadSpecification, OutputUnusable, UnknownName
from engine.index import open_index
from engine.messages import ArtefactHash
from engine.recorded_calls import JournalCalls
from engine.replay import RecordedKind, Recording, begin_replay, compare_journals, read_recording
from engine.scheduler import Limits, Ran
from engine.store import ArtefactStore
from engine.task import Measured
from engine.workspace.backends import BackendName
from mlyceum.folders import EPISODES, INDEX, JOURNAL
from tasks.package import TaskPackage

How: TypeAlias = Literal["again", "followed"]
"""Commands and scores were done again (where not asked otherwise), or all was taken from the record."""


class EpisodeReplay(msgspec.Struct, frozen=True, kw_only=True):
    """What came of replaying one episode."""

    episode: str
    how: How
    is_same: bool
    """Whether journal and result are equal, meters aside."""
    calls: int
    """Model calls that were answered from the record."""
    difference: str = ""
    """The first one, in a sentence."""


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of replaying a study."""

    version: int = 1
    origin: str
    folder: str
    recorded: tuple[RecordedKind, ...]
    """What was taken from the record besides what models, clocks and catalogues had said."""
    is_table_same: bool
    episodes: tuple[EpisodeReplay, ...]
    left_out: tuple[str, ...]
    """Episodes that had not ended in the origin."""
    summary: StudySummary
    """The table of the replay."""

    @property
    def is_same(self) -> bool:
        """Whether every journal, every result and the table are equal, meters aside."""
        return self.is_table_same and all(each.is_same for each in self.episodes)


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A study that can be replayed.

    Attributes:
        origin: its folder.
        plan: every episode of it that has ended.
        design: what it is a study of.
        recordings: by episode.
        recorded: what is not done again.
        left_out: episodes that have not ended.
    """

    origin: Path
    plan: Plan
    design: Design
    recordings: Mapping[str, Recording]
    recorded: tuple[RecordedKind, ...]
    left_out: tuple[str, ...]

    def begin(self, folder: Path) -> None:
        """Lay out in a study's new folder what is answered from the records.

        Raises:
            OutputUnusable: the folder cannot be written, or is the origin.
        """
        old, new = ArtefactStore(self.origin / "artefacts"), ArtefactStore(folder / "artefacts")
        for spec in self.plan.specs:
            _keep_donors(spec, old, new)
            begin_replay(
                self.recordings[spec.id],
                folder / EPISODES / spec.id,
                recorded=self.recorded,
                at=spec.fork.at if spec.fork is not None else 0,
                old_store=old,
                store=new,
            )
        # A judge's draws in a study with models hang on its secret: what was the same must stay the same.
        for name, mode in (("secret", 0o600), (LOCK, 0o644), (STUDY_FILE, 0o644)):
            source = self.origin / name
            if source.is_file() and not (folder / name).exists():
                shutil.copyfile(source, folder / name)
                (folder / name).chmod(mode)


def _keep_donors(spec: EpisodeSpec, old: ArtefactStore, new: ArtefactStore) -> None:
    """What a placebo is made of comes from the origin, and from no cache of this machine."""
    for team in (spec.team, *([spec.fork.team] if spec.fork is not None else [])):
        for each in team.interpositions:
            if each.donor and each.donor in old and each.donor not in new:
                new.put(old.get(ArtefactHash(each.donor)))


def prepare_replay(
    origin: Path, *, episodes: Collection[str] = (), recorded: Collection[RecordedKind] = ()
) -> Replay:
    """What replaying a study takes, checked.

    Args:
        origin: the study's folder; it is only read.
        episodes: names of those to replay; none: all.
        recorded: what is not done again.

    Raises:
        UnknownName: the study has no such episode.
        BadSpecification: none has ended, or a task or prompt is another version here.
        RecordDamaged: a record cannot be read.
    """
    specs = {spec.id: spec for spec in read_study(origin).episodes}
    for name in episodes:
        if name not in specs:
            raise UnknownName("episode", name, specs)
    wanted = [spec for spec in specs.values() if not episodes or spec.id in episodes]
    recordings: dict[str, Recording] = {}
    for spec in wanted:
        recording = read_recording(origin / EPISODES / spec.id)
        if recording is not None:
            recordings[spec.id] = recording
    ended = [spec for spec in wanted if spec.id in recordings]
    if not ended:
        raise BadSpecification(str(origin), "no episode of it has ended; run it to its end first")
    plan = _plan(ended, origin)
    lock = read_whole_lock(origin)
    return Replay(
        origin=origin,
        plan=plan,
        design=lock.design if lock is not None else design_of(plan, name=origin.resolve().name),
        recordings=recordings,
        recorded=tuple(sorted(recorded)),
        left_out=tuple(spec.id for spec in wanted if spec.id not in recordings),
    )


def _plan(specs: Sequence[EpisodeSpec], origin: Path) -> Plan:
    """The episodes as they were specified; their tasks and prompts must be what they were."""
    tasks: dict[str, TaskPackage] = {}
    for spec in specs:
        if spec.task not in tasks:
            sizes = {int(size) for size in spec.feedback.values()}
            tasks[spec.task] = open_sized(spec.task, sizes.pop() if sizes else None)
        _check_versions(spec, tasks[spec.task], origin)
    first = specs[0]
    return Plan(
        specs=tuple(specs),
        tasks=tasks,
        team=first.team,
        model=first.model,
        protocol=first.protocol,
        budget=first.budget,
        notes=(),
    )


def _check_versions(spec: EpisodeSpec, task: TaskPackage, origin: Path) -> None:
    now: dict[str, str] = {}
    for team in (spec.team, *([spec.fork.team] if spec.fork is not None else [])):
        now |= make_spec(
            task,
            team,
            spec.seeds,
            protocol=spec.protocol,
            budget=spec.budget,
            model=spec.model,
            feedback_size=None,
        ).hashes
    for name, known in spec.hashes.items():
        if now.get(name) != known:
            raise BadSpecification(
                str(origin),
                f"{spec.id} was run with another version ({name} {known}, here {now.get(name, 'none')}); "
                "replay it with the program that ran it",
            )


async def replay_study(
    replay: Replay, *, folder: Path, limits: Limits, reporter: Reporter, workspace: BackendName = "sandbox"
) -> ReplayReport:
    """Run a study again from its records and hold the two against each other.

    Models are asked nothing: every call must be one that is on record at its place, with just this conversation.
    Cancelled, everything in progress stops at once; called again, it goes on from there.

    Args:
        replay: what to run.
        folder: for the replay; another one than the origin's.
        limits: of this run.
        reporter: told how it goes.
        workspace: which backend.

    Raises:
        OutputUnusable: the folder cannot be written, or is the origin.
        IsolationUnavailable: isolation is missing here, and needed.
    """
    _refuse_origin(replay, folder)
    calls = JournalCalls(replay.origin / EPISODES)
    ran = await run_missing(
        replay.plan,
        folder=folder,
        limits=limits,
        reporter=reporter,
        workspace=workspace,
        held=lambda: replay.begin(folder),
        replayed=calls.models({name for spec in replay.plan.specs for name in models_of(spec)}),
        replay_of=str(replay.origin),
    )
    return _report(replay, ran, folder)


def _refuse_origin(replay: Replay, folder: Path) -> None:
    if folder.resolve() == replay.origin.resolve():
        raise OutputUnusable(f"{folder} is what is to be replayed; name another folder with --out")


def _report(replay: Replay, ran: RanAll, folder: Path) -> ReplayReport:
    known, now = _results(replay.origin), {result.episode: result for result in ran.episodes.results}
    old = Ran(results=[known[spec.id] for spec in replay.plan.specs if spec.id in known])
    rows = arm_rows(replay.design, replay.plan, ran.episodes, folder=folder)
    before = arm_rows(replay.design, replay.plan, old, folder=folder)
    return ReplayReport(
        origin=str(replay.origin),
        folder=str(folder),
        recorded=replay.recorded,
        is_table_same=_table(rows) == _table(before),
        episodes=tuple(
            _episode(
                replay, spec, folder, known.get(spec.id), now.get(spec.id), ran.episodes.failed.get(spec.id)
            )
            for spec in replay.plan.specs
        ),
        left_out=replay.left_out,
        summary=_summary(replay, ran, rows, folder),
    )


def _results(study: Path) -> dict[str, EpisodeResult]:
    with open_index(study / INDEX, read_only=True) as index:
        return {result.episode: result for result in index.results()}


def _table(rows: Sequence[ArmRow]) -> list[ArmRow]:
    return [msgspec.structs.replace(row, seconds=0.0) for row in rows]


def _episode(
    replay: Replay,
    spec: EpisodeSpec,
    folder: Path,
    before: EpisodeResult | None,
    now: EpisodeResult | None,
    failure: str | None,
) -> EpisodeReplay:
    recording = replay.recordings[spec.id]
    found = compare_journals(recording.folder / JOURNAL, folder / EPISODES / spec.id / JOURNAL)
    difference = failure or ("" if found is None else str(found))
    if not difference and before is not None:
        difference = _difference(before, now)
    return EpisodeReplay(
        episode=spec.id,
        how="followed" if recording.follows else "again",
        is_same=not difference,
        calls=recording.model_calls,
        difference=difference,
    )


def _difference(before: EpisodeResult, now: EpisodeResult | None) -> str:
    """The first field in which two results differ, meters aside."""
    if now is None:
        return "it did not end"
    old, new = _plain(before), _plain(now)
    for name in EpisodeResult.__struct_fields__:
        if getattr(old, name) != getattr(new, name):
            return (
                f"{name}: the record has {getattr(old, name)!r:.200}, the replay {getattr(new, name)!r:.200}"
            )
    return ""


def _plain(result: EpisodeResult) -> EpisodeResult:
    # The index holds it as JSON: what was just made is read back as the other was.
    read_back = msgspec.json.decode(msgspec.json.encode(result), type=EpisodeResult)
    return msgspec.structs.replace(read_back, measured=Measured())


def _summary(replay: Replay, ran: RanAll, rows: tuple[ArmRow, ...], folder: Path) -> StudySummary:
    blocks, complete = block_counts(replay.design, replay.plan, ran.episodes)
    return StudySummary(
        folder=str(folder),
        name=replay.design.name,
        question=replay.design.question,
        shard="",
        blocks=blocks,
        complete_blocks=complete,
        episodes=len(replay.plan.specs),
        failed=ran.episodes.failed,
        retried=ran.retried,
        primary_axis=replay.design.primary_axis,
        rows=rows,
        workspace=ran.workspace,
        notes=(ran.fallback,) if ran.fallback else (),
    )
