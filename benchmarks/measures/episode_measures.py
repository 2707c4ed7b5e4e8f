"""All measures of an episode, and of every episode of a study."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.measures.agreement import Agreement, agreement
from benchmarks.measures.calibration import Calibration, calibration
from benchmarks.measures.causal_path import CausalPath, causal_path
from benchmarks.measures.conformity import Conformity, conformity
from benchmarks.measures.episode_record import JOURNAL, load_record
from benchmarks.measures.hypothesis_entropy import HypothesisEntropy, hypothesis_entropy
from benchmarks.measures.idle import Idle, idle
from benchmarks.measures.message_matrix import MessageMatrix, message_matrix
from benchmarks.measures.provenance import Provenance, provenance
from benchmarks.measures.redundancy import Redundancy, redundancy
from engine.errors import UserError
from engine.journal import AnyRecord
from engine.store import ArtefactStore

EPISODES = "episodes"
ARTEFACTS = "artefacts"


class EpisodeMeasures(msgspec.Struct, frozen=True, kw_only=True):
    """What an episode's journal says of how its team worked. A measure that is not defined there is None, never 0."""

    episode: str
    task: str
    arm: str
    has_ended: bool
    nodes: int
    messages: MessageMatrix
    causes: CausalPath
    redundancy: Redundancy
    agreement: Agreement
    conformity: Conformity
    calibration: Calibration
    entropy: HypothesisEntropy
    provenance: Provenance
    idle: Idle


def measure_episode(
    source: Path | Sequence[AnyRecord], *, store: ArtefactStore | None = None
) -> EpisodeMeasures:
    """Every measure of one episode, also while it is being written.

    Args:
        source: an episode's folder, or the records of a journal in order.
        store: where its artefacts are, for the shares of code; None: beside its folder, where it lies in a study.

    Raises:
        UserError: there is no journal.
        RecordDamaged: it cannot be read.
    """
    record = load_record(source)
    if store is None and isinstance(source, Path):
        beside = source.absolute().parent.parent / ARTEFACTS
        store = ArtefactStore(beside) if beside.is_dir() else None
    return EpisodeMeasures(
        episode=record.episode,
        task="" if record.spec is None else record.spec.task,
        arm="" if record.spec is None else record.spec.team.name,
        has_ended=record.has_ended,
        nodes=len(record.nodes),
        messages=message_matrix(record),
        causes=causal_path(record),
        redundancy=redundancy(record),
        agreement=agreement(record),
        conformity=conformity(record),
        calibration=calibration(record),
        entropy=hypothesis_entropy(record),
        provenance=provenance(record, store),
        idle=idle(record),
    )


def measure_study(folder: Path) -> tuple[EpisodeMeasures, ...]:
    """The measures of every episode of a study that has a journal, by name; those under way too.

    Raises:
        UserError: the folder holds no episodes.
        RecordDamaged: a journal cannot be read.
    """
    return tuple(measure_episode(episode) for episode in episode_folders(folder))


def episode_folders(folder: Path) -> tuple[Path, ...]:
    """The folders of a study's episodes that have a journal, by name.

    Raises:
        UserError: there is none.
    """
    found = tuple(sorted(path.parent for path in (folder / EPISODES).glob(f"*/{JOURNAL}")))
    if not found:
        raise UserError(f"{folder} holds no episode with a journal; name a study's folder")
    return found
