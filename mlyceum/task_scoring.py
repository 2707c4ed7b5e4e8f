"""Score an artefact that a user names, or a task's baseline: in the sandbox or not at all."""

import tempfile
from pathlib import Path

import msgspec

from engine.messages import ArtefactHash
from engine.seeds import Seeds, evaluation_seed
from engine.store import ArtefactStore
from engine.task import Direction, Files, Measured, Score, ScoringProtocol, Split
from engine.workspace import make_backend
from engine.workspace.interface import IsolationReport
from mlyceum.single_error import single_error
from tasks.package import TaskPackage
from tasks.scoring import open_judge


class Scoring(msgspec.Struct, frozen=True, kw_only=True):
    """One artefact scored once, with the audit's findings in ``score.findings``."""

    task: str
    protocol: ScoringProtocol
    split: Split
    seed: int
    artefact: ArtefactHash
    files: tuple[str, ...]
    metric: str
    direction: Direction
    score: Score
    baseline: float
    optimum: float | None
    workspace: str
    isolation: IsolationReport
    measured: Measured


def score_files(
    task: TaskPackage, files: Files, *, protocol: ScoringProtocol, split: Split, seed: int
) -> Scoring:
    """Score some files as a task's artefact, in the sandbox: a path or a model's code is never run without it.

    Args:
        task: whose artefact it is.
        files: of the artefact, checked already (`tasks.artefacts.artefact_from_path`).
        protocol: how to score.
        split: which; ``mlgym`` scores every split alike.
        seed: of the evaluation, from which the scorer's own is drawn as in an episode's first evaluation.

    Raises:
        IsolationUnavailable: when this machine cannot isolate.
        EngineError: when scoring could not be done, through no fault of the artefact.
    """
    import trio

    async def scored() -> Scoring:
        chosen = await make_backend("sandbox")
        with tempfile.TemporaryDirectory(prefix="mlyceum-score-") as place:
            store = ArtefactStore(Path(place))
            artefact = store.put(files)
            judge = open_judge(task.name, protocol, store=store, backend=chosen.backend)
            drawn = evaluation_seed(Seeds(task=seed, team=seed, evaluation=seed), split=split, ordinal=1)
            score, measured = await judge.score(artefact, split=split, seed=drawn)
        is_time = protocol == "mlgym" and task.card.mlgym_metric_is_wall_time
        published = task.card.published_baseline if protocol == "mlgym" else None
        return Scoring(
            task=task.name,
            protocol=protocol,
            split=split,
            seed=seed,
            artefact=artefact,
            files=tuple(sorted(files)),
            metric="Time" if is_time else task.card.metric,
            direction=task.card.direction,
            score=score,
            baseline=task.card.baseline if published is None else published,
            optimum=None if is_time else task.card.optimum,
            workspace=chosen.backend.name,
            isolation=await chosen.backend.self_test(),
            measured=measured,
        )

    with single_error():
        return trio.run(scored)
