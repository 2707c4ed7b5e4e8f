"""Study folders for tests of reports: real specifications, teams and index; only the scores are made up."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.studies.study import RunRecord, StudyRecord
from engine.budget import Budget
from engine.episode import EpisodeResult, EpisodeSpec
from engine.index import open_index
from engine.member import Chosen, Feedback
from engine.messages import ArtefactHash
from engine.scheduler import Limit
from engine.seeds import Seeds
from engine.task import Finding, Measured, Score
from engine.team import TeamSpec
from engine.workspace.interface import Fact, IsolationReport
from roles import apply, named_team, parse_patch, parse_without

HOSTILE = (
    "<script>alert(1)</script>\u202eevil\u2066 \x1b[31m\x00|`*_[x](javascript:alert(1)) =cmd|'/c calc'!A0"
)
"""A reason as an agent may have it put on record."""


def without(role: str, *, into: str | None = None) -> TeamSpec:
    """The full team less a role."""
    text = f"{role}=absorbed:{into}" if into else f"{role}=vacuous"
    return apply(named_team("full"), parse_without(text))


def muted() -> TeamSpec:
    return apply(named_team("full"), parse_patch("mute reviews"))


def write_study(
    folder: Path,
    arms: Sequence[tuple[TeamSpec | str, Sequence[float | None]]],
    *,
    task: str = "battle-of-sexes",
    unfinished: Sequence[tuple[int, int]] = (),
    reason: str = "the file is missing",
    evaluations: Mapping[str, int] | None = None,
    findings: Sequence[Finding] = (),
    failed: Mapping[str, str] | None = None,
) -> Path:
    """A folder as `mlyceum run` leaves it.

    Args:
        folder: made.
        arms: (team, final score per seed); None: what was handed in earned no score.
        task: of all episodes.
        unfinished: (arm, seed), counted from 0, that are planned and have not ended.
        reason: why scores are missing.
        evaluations: by team, what its episodes really used of 8.
        findings: at every final.
        failed: episodes that the outside let down.
    """
    folder.mkdir(parents=True)
    specs: list[EpisodeSpec] = []
    results: list[EpisodeResult] = []
    for seed in range(max(len(scores) for _, scores in arms)):
        for place, (named, scores) in enumerate(arms):
            team = named_team(named) if isinstance(named, str) else named
            spec = EpisodeSpec(
                task=task,
                team=team,
                seeds=Seeds(task=seed + 1, team=seed + 1, evaluation=seed + 1),
                budget=Budget(evaluations=8),
            )
            specs.append(spec)
            if (place, seed) not in unfinished:
                used = (evaluations or {}).get(team.name, 8)
                results.append(_result(spec, scores[seed], used, reason, tuple(findings)))
    study = StudyRecord(version=1, episodes=tuple(specs), runs=(_run(dict(failed or {})),))
    (folder / "study.json").write_bytes(msgspec.json.encode(study))
    with open_index(folder / "index.sqlite") as index:
        for result in results:
            index.commit(result)
    return folder


def _result(
    spec: EpisodeSpec, score: float | None, used: int, reason: str, findings: tuple[Finding, ...]
) -> EpisodeResult:
    artefact = ArtefactHash(f"{spec.digest()}")
    final = Score(value=score, failure="" if score is not None else reason, findings=findings)
    return EpisodeResult(
        episode=spec.id,
        spec=spec,
        outcome="submitted",
        selected=artefact,
        final=final,
        feedback=(Feedback(evaluation=1, artefact=artefact, value=score, standard_error=0.05),),
        standing=(Chosen(evaluations=2, artefact=artefact),),
        messages=7,
        evaluations=used,
        spending={"evaluations": float(used)},
        measured=Measured(seconds=1.5),
    )


def _run(failed: dict[str, str]) -> RunRecord:
    return RunRecord(
        began="2026-01-02T03:04:05Z",
        limits=(Limit(name="episodes", value=4, origin="cores"),),
        workspace="sandbox",
        isolation=IsolationReport(
            backend="sandbox",
            facts=(Fact(name="network", enforced=True, by="a namespace"),),
            memory="hard",
            cpu="hard",
            disk="hard",
        ),
        fallback=None,
        versions={"python": "3.11.7", "mlyceum": "0.1.0"},
        failed=failed,
    )
