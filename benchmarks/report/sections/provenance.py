"""Where the figures come from: versions, digests, and the exact command that makes them again."""

import hashlib
import shlex
from collections.abc import Iterable

import msgspec

from benchmarks.offline.arms import ARMS
from benchmarks.report.document import Block, Command, Notice, Paragraph, Row, Section, Table, columns
from benchmarks.report.evidence import Evidence
from benchmarks.report.sources import Source
from benchmarks.studies.design import LOCK, Lock, read_whole_lock
from benchmarks.studies.plan import CONTROLS, Request, make_plan
from benchmarks.studies.resolving import resolve
from engine.episode import EpisodeSpec
from engine.errors import EngineError


def section(evidence: Evidence) -> Section:
    """Provenance."""
    blocks: list[Block] = [Paragraph(text="To run the study again:")]
    commands = [_command(source) for source in evidence.sources.each]
    for command, checked in dict.fromkeys(commands):
        blocks.append(Command(text=command))
        blocks.append(
            Notice(text="Checked: this command resolves to exactly the specifications on record.")
            if checked
            else Notice(
                kind="warning",
                text=(
                    "The command was read off the record, and does not resolve to exactly the specifications there "
                    "with this "
                    "program (another version, a team file, a model). study.json holds them in full."
                ),
            )
        )
    blocks.append(
        Paragraph(text="To make this report again from the record, byte for byte with the same versions:")
    )
    blocks.append(Command(text="mlyceum report DIR"))
    blocks += [_digests(evidence), _versions(evidence)]
    hashes = _hashes(evidence)
    if hashes is not None:
        blocks.append(hashes)
    return Section(name="provenance", title="Provenance", blocks=tuple(blocks))


def _command(source: Source) -> tuple[str, bool]:
    """The command that made a folder, and whether it was found to resolve to the same specifications."""
    lock = read_whole_lock(source.folder)
    if lock is not None:
        overrides = "".join(f" --set {shlex.quote(each)}" for each in lock.overrides)
        name = next(iter(lock.sources), "STUDY.toml")
        return f"mlyceum study {shlex.quote(name)}{overrides} --out DIR", _still_resolves(lock, source)
    for guess in (_as_run, _as_offline):
        made = guess(source.planned)
        if made is not None:
            return made
    return "mlyceum run TASK ... --out DIR", False


def _still_resolves(lock: Lock, source: Source) -> bool:
    """Whether the locked design comes to the specifications on record with this program, too."""
    try:
        specs = resolve(lock.design, shard=lock.shard).plan.specs
    except EngineError:
        return False
    return {spec.id: spec.digest() for spec in specs} == {spec.id: spec.digest() for spec in source.planned}


def _as_run(planned: tuple[EpisodeSpec, ...]) -> tuple[str, bool] | None:
    """As ``mlyceum run`` would be told, where every arm besides the first is a control."""
    teams = list(dict.fromkeys(spec.team.name for spec in planned))
    if any(team not in CONTROLS for team in teams[1:]):
        return None
    first = planned[0]
    seeds = sorted({spec.seeds.team for spec in planned})
    patches = first.team.patches
    name = first.team.name.partition(".")[0] if patches else first.team.name
    size = next(iter(first.feedback.values()), None)
    request = Request(
        tasks=tuple(dict.fromkeys(spec.task for spec in planned)),
        team=name,
        patches=patches,
        models=(first.model,) if first.model else (),
        seeds=len(seeds),
        first_seed=seeds[0],
        evaluations=first.budget.evaluations,
        protocol=first.protocol,
        feedback_size=None if size is None else int(size),
        controls=tuple(teams[1:]),
    )
    words = ["mlyceum", "run", *request.tasks, "--team", request.team]
    words += [word for patch in request.patches for word in ("--patch", patch)]
    words += [word for model in request.models for word in ("--model", model)]
    words += ["--seeds", str(request.seeds), "--seed", str(request.first_seed)]
    words += ["--budget", str(request.evaluations)] if request.evaluations is not None else []
    words += ["--protocol", request.protocol]
    words += ["--feedback-size", str(request.feedback_size)] if request.feedback_size is not None else []
    words += [word for control in request.controls for word in ("--control", control)]
    return shlex.join([*words, "--out", "DIR"]), _resolves(request, planned)


def _as_offline(planned: tuple[EpisodeSpec, ...]) -> tuple[str, bool] | None:
    """As ``python -m benchmarks.offline`` would be told, where all arms are its."""
    found: dict[str, str] = {}
    first = planned[0]
    seeds = sorted({spec.seeds.team for spec in planned})
    size = next(iter(first.feedback.values()), None)
    specs: list[tuple[EpisodeSpec, ...]] = []
    names = {spec.team.name for spec in planned}
    for arm in ARMS:
        request = Request(
            tasks=(first.task,),
            team=arm.team,
            without=arm.without,
            seeds=len(seeds),
            evaluations=first.budget.evaluations,
            feedback_size=None if size is None else int(size),
        )
        try:
            plan = make_plan(request)
        except EngineError:
            return None
        if plan.team.name in names:
            found[plan.team.name] = arm.name
            specs.append(plan.specs)
    if set(found) != names or len({spec.task for spec in planned}) > 1:
        return None
    words = ["python", "-m", "benchmarks.offline", "--tasks", first.task, "--seeds", str(len(seeds))]
    words += ["--budget", str(first.budget.evaluations)]
    words += ["--arms", *found.values()] if len(found) < len(ARMS) else []
    words += ["--feedback-size", str(int(size))] if size is not None else []
    interleaved = tuple(spec for row in zip(*specs, strict=True) for spec in row)
    return shlex.join([*words, "--out", "DIR"]), interleaved == planned


def _resolves(request: Request, planned: tuple[EpisodeSpec, ...]) -> bool:
    try:
        return make_plan(request).specs == planned
    except EngineError:
        return False


def _digests(evidence: Evidence) -> Table:
    rows: list[Row] = []
    for source in evidence.sources.each:
        results = sorted(source.results, key=lambda each: each.episode)
        rows.append(
            Row(
                cells=(
                    source.folder.name,
                    _digest(spec.canonical() for spec in source.planned),
                    _digest(_lasting(msgspec.json.encode(result)) for result in results),
                    _file(source, LOCK),
                    str(len(results)),
                )
            )
        )
    return Table(
        caption="SHA-256 of what was planned and of what came of it, times aside (first 16 digits).",
        columns=columns("folder", "specifications", "results", LOCK, "episodes", numbers="ttttn"),
        rows=tuple(rows),
    )


class _WithoutTimes(msgspec.Struct):
    """Of a result, what does not depend on the machine."""

    episode: str
    outcome: msgspec.Raw
    selected: msgspec.Raw
    final: msgspec.Raw


def _lasting(result: bytes) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(result, type=_WithoutTimes))


def _digest(parts: Iterable[bytes]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()[:16]


def _file(source: Source, name: str) -> str:
    path = source.folder / name
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else "none"


def _versions(evidence: Evidence) -> Table:
    runs = [run for source in evidence.sources.each for run in source.runs]
    names = list(dict.fromkeys(name for run in runs for name in run.versions))
    return Table(
        caption="Versions that the runs were made with.",
        columns=columns("program", "version"),
        rows=tuple(
            Row(
                cells=(
                    name,
                    ", ".join(dict.fromkeys(run.versions[name] for run in runs if name in run.versions)),
                )
            )
            for name in names
        ),
    )


def _hashes(evidence: Evidence) -> Table | None:
    """What else the episodes follow from, by task."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for spec in evidence.sources.planned:
        for name, digest in spec.hashes.items():
            found.setdefault((spec.task, name), {})[digest] = None
    if not found:
        return None
    return Table(
        caption="Versions of what the specifications name (digests as recorded, first 16 digits).",
        columns=columns("task", "part", "digest"),
        rows=tuple(
            Row(cells=(task, name, ", ".join(digest[:16] for digest in digests)))
            for (task, name), digests in found.items()
        ),
    )
