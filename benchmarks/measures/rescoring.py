"""Final scores of archived artefacts, taken after the fact: off-budget, unseen by any team, kept beside the record."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import trio

from benchmarks.measures.episode_measures import ARTEFACTS, EPISODES
from benchmarks.measures.episode_record import load_record
from benchmarks.studies.teams import is_driven_by_model
from engine.episode import EpisodeResult, EpisodeSpec
from engine.errors import OutputUnusable, UserError
from engine.index import open_index
from engine.messages import ArtefactHash
from engine.seeds import evaluation_seed
from engine.store import ArtefactStore
from engine.task import Score
from engine.workspace.backends import BackendName, make_backend
from engine.workspace.environment import cache_folder
from engine.workspace.interface import Backend
from tasks.registry import open_task
from tasks.score_cache import ScoreCache, ScoreKey
from tasks.scoring import SandboxJudge, load_scorer

AUDIT = "audit"
"""The folder in a study's folder that holds what was found out afterwards; no episode reads it."""
SCORES = "scores.jsonl"
_INDEX = "index.sqlite"
_STUDY_SCORES = "scores.jsonl"
_SECRET = "secret"  # noqa: S105 - a file's name
_PLACES = 2


class Archived(msgspec.Struct, frozen=True, kw_only=True):
    """An artefact that some node of an episode had."""

    episode: str
    node: int
    """0: the starter."""
    artefact: ArtefactHash


class Rescored(msgspec.Struct, frozen=True, kw_only=True):
    """An archived artefact with its score on the final split, at the seed of its episode's own final."""

    episode: str
    task: str
    arm: str
    node: int
    artefact: ArtefactHash
    score: Score


def archived_nodes(folder: Path, episode: str) -> tuple[Archived, ...]:
    """Every node of an episode that has an artefact, the starter first.

    Raises:
        UserError: the episode has no journal.
        RecordDamaged: it cannot be read.
    """
    record = load_record(folder / EPISODES / episode)
    starter = () if record.brief is None else ((0, record.brief.starter),)
    made = [(node.id, node.artefact) for node in record.nodes if node.id and node.artefact is not None]
    return tuple(
        Archived(episode=episode, node=node, artefact=artefact) for node, artefact in (*starter, *made)
    )


def ended_episodes(folder: Path) -> tuple[EpisodeResult, ...]:
    """What a study's index holds: only these may be audited, since nobody in them can learn of it any more.

    Raises:
        UserError: there is no index.
        RecordDamaged: it cannot be read.
    """
    if not (folder / _INDEX).is_file():
        raise UserError(f"{folder} holds no {_INDEX}; name a study's folder")
    with open_index(folder / _INDEX, read_only=True) as index:
        return index.results()


async def rescore(
    folder: Path,
    wanted: Iterable[Archived] | None = None,
    *,
    out: Path | None = None,
    workspace: BackendName = "sandbox",
    places: int = _PLACES,
) -> tuple[Rescored, ...]:
    """Score archived artefacts on the final split, each once, at the evaluation seed of their episode's own final.

    So the score of what an episode handed in is the recorded one, and others stand beside it. Nothing is written to the
    journal, the index or the study's own scores.

    Args:
        folder: the study's.
        wanted: which artefacts; None: those of every archived node of every ended episode.
        out: where scores are kept and found again; None: ``audit/`` in the study's folder.
        workspace: which backend runs the code.
        places: scorings at once.

    Raises:
        UserError: it is no study's folder, an episode has not ended, or a model's code would run without isolation.
        RecordDamaged: a record cannot be read, or an artefact is lost.
        OutputUnusable: ``out`` cannot be written.
        EngineError: scoring could not be done.
    """
    specs = {result.episode: result.spec for result in ended_episodes(folder)}
    if wanted is None:
        wanted = [each for episode in specs for each in archived_nodes(folder, episode)]
    asked = tuple(wanted)
    strangers = sorted({each.episode for each in asked} - set(specs))
    if strangers:
        raise UserError(f"{strangers[0]} has not ended in {folder}; only ended episodes are rescored")
    _refuse_unsafe(specs.values(), workspace)
    backend = (await make_backend(workspace)).backend
    known = ScoreCache(folder / _STUDY_SCORES)
    judges = _judges(folder, {specs[each.episode].task: specs[each.episode] for each in asked}, backend, out)
    scores: dict[ScoreKey, Score] = {}
    keys = [_key(specs[each.episode], each.artefact) for each in asked]
    limiter = trio.CapacityLimiter(places)

    async def score(key: ScoreKey, task: str) -> None:
        found = known.find(key)
        if found is None:
            async with limiter:
                found, _ = await judges[task].score(key.artefact, split=key.split, seed=key.seed)
        scores[key] = found

    async with trio.open_nursery() as nursery:
        for key, task in {k: specs[e.episode].task for k, e in zip(keys, asked, strict=True)}.items():
            nursery.start_soon(score, key, task)
    return tuple(
        Rescored(
            episode=each.episode,
            task=specs[each.episode].task,
            arm=specs[each.episode].team.name,
            node=each.node,
            artefact=each.artefact,
            score=scores[key],
        )
        for each, key in zip(asked, keys, strict=True)
    )


def audit_folder(folder: Path, out: Path | None) -> Path:
    """Where an audit's files go, made.

    Raises:
        OutputUnusable: when it cannot be made.
    """
    place = folder / AUDIT if out is None else out
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputUnusable(
            f"cannot write {place}: {error.strerror or error}; choose another --out"
        ) from error
    return place


def _refuse_unsafe(specs: Iterable[EpisodeSpec], workspace: BackendName) -> None:
    if workspace == "process" and any(is_driven_by_model(spec.team) for spec in specs):
        raise UserError(
            "--workspace process runs code without isolation, and code that a model wrote never does; leave it out"
        )


def _judges(
    folder: Path, specs: dict[str, EpisodeSpec], backend: Backend, out: Path | None
) -> dict[str, SandboxJudge]:
    cache = ScoreCache(audit_folder(folder, out) / SCORES)
    secret = folder / _SECRET
    return {
        task: SandboxJudge(
            open_task(task),
            spec.protocol,
            store=ArtefactStore(folder / ARTEFACTS),
            backend=backend,
            cache=cache,
            secret=secret.read_bytes() if secret.is_file() else b"",
            data=cache_folder() / "formulas" if spec.protocol == "mlgym" else None,
        )
        for task, spec in specs.items()
    }


def _key(spec: EpisodeSpec, artefact: ArtefactHash) -> ScoreKey:
    task = open_task(spec.task)
    return ScoreKey(
        task=task.card.id,
        protocol=spec.protocol,
        artefact=artefact,
        split="final",
        seed=evaluation_seed(spec.seeds, split="final", ordinal=1),
        version=load_scorer(task).version,
    )


def by_node(scores: Sequence[Rescored]) -> dict[tuple[str, ArtefactHash], Score]:
    """Scores by episode and artefact."""
    return {(each.episode, each.artefact): each.score for each in scores}
