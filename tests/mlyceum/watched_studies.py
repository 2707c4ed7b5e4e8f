"""Records with fixed times, written line by line, for tests of `mlyceum watch`."""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec
from written_studies import episode_spec

from benchmarks.studies.study import RunRecord, StudyRecord
from engine.effects import Command, Evaluation, Failure, ModelCall, Scored
from engine.episode import EpisodeResult, EpisodeSpec
from engine.index import open_index
from engine.journal import AnyRecord, Closed, Finished, Opened, Posted, Started
from engine.messages import ArtefactHash, Brief, Failed, MemberId
from engine.scheduler import Limit
from engine.task import Finding, Measured, Score
from engine.workspace.interface import IsolationReport
from roles import named_team

BEGAN = 1_790_000_000.0
"""When the run of these records began, seconds since 1970: 2026-09-21T14:13:20Z."""
STARTER = ArtefactHash("0" * 64)
BRIEF = Brief(
    task="t", text="Find it.", metric="Yield", direction="max", baseline=0.1, starter=STARTER, evaluations=4
)
EXPERIMENTER, CODER = MemberId("experimenter"), MemberId("coder")


def measured(at: float, seconds: float = 0.0) -> Measured:
    return Measured(at=at, seconds=seconds)


def evaluated(ordinal: int, value: float | None, *, at: float) -> tuple[AnyRecord, ...]:
    effect = Evaluation(artefact=ArtefactHash(f"{ordinal:064}"), split="feedback", seed=ordinal)
    score = Score(value=value, failure="" if value is not None else "it fell over")
    return (
        Started(member=EXPERIMENTER, ordinal=ordinal, effect=effect, measured=measured(at)),
        Finished(member=EXPERIMENTER, ordinal=ordinal, outcome=Scored(score=score), measured=measured(0, 1)),
    )


def beginning(spec: EpisodeSpec) -> tuple[AnyRecord, ...]:
    return (
        Opened(
            episode=spec.id,
            spec=spec.digest(),
            seeds=spec.seeds,
            specification=msgspec.Raw(spec.canonical()),
        ),
        Posted(seq=1, sender=MemberId("runtime"), body=BRIEF, measured=measured(0.0)),
    )


def half_way(spec: EpisodeSpec, *, text: str = "no answer for 30 s") -> tuple[AnyRecord, ...]:
    """Two scores, a failed member, a refused call; a score and a model's answer are waited for."""
    call = ModelCall(model="local/m", conversation=1, offset=0, new=())
    waited = Evaluation(artefact=STARTER, split="feedback", seed=3)
    return (
        *beginning(spec),
        *evaluated(1, 0.2, at=1.0),
        *evaluated(2, 0.4, at=3.0),
        Posted(
            seq=2,
            sender=MemberId("runtime"),
            body=Failed(member=CODER, reason=text, action="restart"),
            measured=measured(4.0),
        ),
        Started(member=CODER, ordinal=1, effect=call, measured=measured(4.5)),
        Finished(member=CODER, ordinal=1, outcome=Failure(kind="Rejected", message=text)),
        Started(member=EXPERIMENTER, ordinal=3, effect=waited, measured=measured(5.0)),
        Started(member=CODER, ordinal=2, effect=call, measured=measured(6.0)),
        Started(
            member=MemberId("coder.2"),
            ordinal=1,
            effect=Command(language="python", source="1"),
            measured=measured(7.0),
        ),
    )


def write_journal(study: Path, spec: EpisodeSpec, records: Sequence[AnyRecord], *, at: float) -> Path:
    """A journal that was last written to at a time."""
    path = study / "episodes" / spec.id / "journal.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.Encoder().encode_lines(records))
    os.utime(path, (BEGAN + at, BEGAN + at))
    return path


def ended(spec: EpisodeSpec, final: float | None, *, seconds: float, finding: str = "") -> EpisodeResult:
    findings = (Finding(kind="bad-move", detail=finding),) if finding else ()
    return EpisodeResult(
        episode=spec.id,
        spec=spec,
        outcome="submitted",
        selected=STARTER,
        final=Score(value=final, failure="" if final is not None else "no answer", findings=findings),
        evaluations=4,
        spending={"evaluations": 4.0, "steps": 7.0, "cost_usd": 0.25, "tokens": 900.0},
        measured=Measured(seconds=seconds),
    )


def run_record(failed: dict[str, str] | None = None) -> RunRecord:
    limits = (("episodes", 2), ("scorings", 1), ("workspaces", 2), ("model_calls", 16))
    return RunRecord(
        began="2026-09-21T14:13:20Z",
        limits=tuple(Limit(name=name, value=value, origin="asked") for name, value in limits),
        workspace="sandbox",
        isolation=IsolationReport(backend="sandbox", facts=(), memory="none", cpu="none", disk="none"),
        fallback=None,
        versions={},
        failed=failed or {},
    )


def write_watched(
    study: Path,
    *,
    results: Sequence[tuple[EpisodeResult, float]],
    specs: Sequence[EpisodeSpec],
    runs: Sequence[RunRecord] | None = None,
) -> Path:
    """A study's folder: results with the time that each ended; `write_journal` adds what is under way."""
    study.mkdir(parents=True, exist_ok=True)
    record = StudyRecord(
        version=1, episodes=tuple(specs), runs=tuple(runs) if runs is not None else (run_record(),)
    )
    (study / "study.json").write_bytes(msgspec.json.encode(record))
    with open_index(study / "index.sqlite") as index:
        for result, at in results:
            index.commit(result)
            write_journal(study, result.spec, (*beginning(result.spec), Closed(outcome="submitted")), at=at)
    return study


def specs_of(*teams: str, seeds: int, task: str = "t") -> list[EpisodeSpec]:
    """Specifications of tasks that need not exist."""
    named = [named_team(team) for team in teams]
    return [episode_spec(task, team, seed, evaluations=4) for seed in range(1, seeds + 1) for team in named]


def many_rows(study: Path, results: Sequence[EpisodeResult]) -> None:
    """Thousands of results in an index at once."""
    with open_index(study / "index.sqlite"):
        pass
    connection = sqlite3.connect(study / "index.sqlite")
    with connection:
        connection.executemany(
            "INSERT INTO episodes VALUES (?, 'x', ?, ?, ?)",
            [(each.episode, each.outcome, each.final.value, msgspec.json.encode(each)) for each in results],
        )
    connection.close()
