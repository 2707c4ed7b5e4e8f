"""Final scores of whatever stood on the way, taken after the fact: what anytime curves of finals are made from.

Off budget and unseen by any team. Scores go to the study's own ``scores.jsonl``, so that they are taken once.
"""

from collections.abc import Sequence

import trio

from benchmarks.offline.curves import CURVE_SEED
from benchmarks.report.evidence import Evidence
from benchmarks.report.sources import Source
from benchmarks.studies.teams import is_driven_by_model
from engine.errors import IsolationUnavailable, RecordDamaged
from engine.messages import ArtefactHash
from engine.store import ArtefactStore
from engine.workspace.backends import BackendName, make_backend
from engine.workspace.environment import cache_folder
from engine.workspace.interface import Backend
from tasks.registry import open_task
from tasks.score_cache import ScoreCache
from tasks.scoring import SandboxJudge


async def rescore(
    evidence: Evidence, *, workspace: BackendName = "process-if-needed", places: int = 2
) -> int:
    """Score everything that stood at some time on the final split.

    Args:
        evidence: of the study; its folders hold the artefacts.
        workspace: where code runs, isolated where it can be; what a model wrote never runs otherwise.
        places: scorings at once.

    Returns:
        How many artefacts have a final score now.

    Raises:
        IsolationUnavailable: there is none, and a model wrote the code.
        RecordDamaged: an artefact is lost.
        EngineError: a scoring could not be done.
    """
    chosen = await make_backend(workspace)
    is_modelled = any(is_driven_by_model(evidence.team(arm)) for arm in evidence.arms)
    if chosen.backend.name == "process" and is_modelled:
        raise IsolationUnavailable(
            ("sandbox",),
            "a model wrote this code, and it never runs without isolation; `mlyceum doctor` says more",
        )
    limiter = trio.CapacityLimiter(places)
    scored = 0
    for source in evidence.sources.each:
        scored += await _rescore_source(evidence, source, chosen.backend, limiter, is_modelled=is_modelled)
    return scored


async def _rescore_source(
    evidence: Evidence, source: Source, backend: Backend, limiter: trio.CapacityLimiter, *, is_modelled: bool
) -> int:
    store, cache = ArtefactStore(source.folder / "artefacts"), ScoreCache(source.folder / "scores.jsonl")
    secret = _secret(source) if is_modelled else b""
    standing: dict[str, set[ArtefactHash]] = {}
    for result in source.results:
        standing.setdefault(result.spec.task, set()).update(chosen.artefact for chosen in result.standing)
    for task, artefacts in standing.items():
        judge = SandboxJudge(
            open_task(task),
            evidence.design.protocol,
            store=store,
            backend=backend,
            cache=cache,
            secret=secret,
            data=cache_folder() / "formulas" if evidence.design.protocol == "mlgym" else None,
        )
        await _score_all(judge, sorted(artefacts), limiter)
    return sum(map(len, standing.values()))


async def _score_all(
    judge: SandboxJudge, artefacts: Sequence[ArtefactHash], limiter: trio.CapacityLimiter
) -> None:
    async def score(artefact: ArtefactHash) -> None:
        async with limiter:
            await judge.score(artefact, split="final", seed=CURVE_SEED)

    async with trio.open_nursery() as nursery:
        for artefact in artefacts:
            nursery.start_soon(score, artefact)


def _secret(source: Source) -> bytes:
    path = source.folder / "secret"
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordDamaged(
            f"{path} cannot be read, and opponents were drawn with it; report without --rescore"
        ) from error
