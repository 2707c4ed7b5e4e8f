"""Who made what was handed in: messages on its ancestry by role, and lines of its code by who wrote them."""

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.measures.episode_record import EpisodeRecord, role_of
from engine.bus import RUNTIME
from engine.errors import RecordDamaged
from engine.messages import ArtefactHash, Hypothesis, Patch, Review, RunResult
from engine.store import ArtefactStore

STARTER = "starter"
"""Who wrote the lines that nobody in the team did."""
_CONTRIBUTIONS = (Hypothesis, Patch, RunResult, Review)


class CodeShare(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of the artefact that stem from one node."""

    node: int
    """0: the starter artefact."""
    author: str
    """The member that wrote the node's patch, or `STARTER`."""
    lines: int
    share: float


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where the selected artefact comes from."""

    node: int | None
    """The node handed in, else the one that stood last; None where nothing was ever selected."""
    ancestry: tuple[int, ...]
    """That node and all that it came from."""
    generations: int | None
    """Nodes on the longest line from a node without parents to it; 0 for the starter."""
    messages: dict[str, int]
    """Hypotheses, patches, results and reviews of these nodes, by the role of their sender."""
    share_of_messages: dict[str, float] | None
    """The same as shares; None where there are none."""
    hypothesis_by: str | None
    patch_by: str | None
    code: tuple[CodeShare, ...] | None
    """Lines by the node that brought them in; None without the artefacts."""


def provenance(record: EpisodeRecord, store: ArtefactStore | None = None) -> Provenance:
    """The causal ancestry of the selected artefact.

    Code is followed from base to base of the patches that led to it; a line stems from the node whose patch first had
    it, by longest matching blocks (Ratcliff & Metzener 1988, as in ``difflib``) between successive versions of a file.

    Args:
        record: of the episode.
        store: where the study's artefacts are; None, or one that has lost them: no shares of code.
    """
    selected = record.handed_in()
    if selected is None:
        return Provenance(
            node=None, ancestry=(), generations=None, messages={}, share_of_messages=None,
            hypothesis_by=None, patch_by=None, code=None,
        )  # fmt: skip
    ancestry = record.ancestry(selected.id)
    contributed = Counter(
        role_of(m.sender)
        for m in record.messages
        if isinstance(m.body, _CONTRIBUTIONS) and m.body.node in ancestry and m.sender != RUNTIME
    )
    total = sum(contributed.values())
    authors = patch_authors(record)
    return Provenance(
        node=selected.id,
        ancestry=ancestry,
        generations=_generations(record, selected.id),
        messages=dict(sorted(contributed.items())),
        share_of_messages={role: n / total for role, n in sorted(contributed.items())} if total else None,
        hypothesis_by=selected.author,
        patch_by=authors.get(selected.id),
        code=None if store is None else _code(record, selected.id, store, authors),
    )


def patch_authors(record: EpisodeRecord) -> dict[int, str]:
    """By node: who wrote its last patch."""
    return {m.body.node: m.sender for m in record.messages if isinstance(m.body, Patch)}


def line_origins(versions: Sequence[tuple[int, Mapping[str, bytes]]]) -> Counter[int]:
    """Lines of the last version by the number of the version that brought them in.

    Args:
        versions: (number, files), the oldest first; every line of the first one is its own.
    """
    files: dict[str, list[tuple[str, int]]] = {}
    for number, content in versions:
        files = {path: _traced(files.get(path, []), _lines(data), number) for path, data in content.items()}
    return Counter(origin for lines in files.values() for _, origin in lines)


def _traced(old: list[tuple[str, int]], new: list[str], number: int) -> list[tuple[str, int]]:
    traced = [(line, number) for line in new]
    matcher = difflib.SequenceMatcher(None, [line for line, _ in old], new, autojunk=False)
    for block in matcher.get_matching_blocks():
        for step in range(block.size):
            traced[block.b + step] = old[block.a + step]
    return traced


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").splitlines()


def _code(
    record: EpisodeRecord, selected: int, store: ArtefactStore, authors: Mapping[int, str]
) -> tuple[CodeShare, ...] | None:
    if record.brief is None:
        return None
    chain = _versions(record, selected)
    try:
        versions = [(node, store.get(artefact)) for node, artefact in chain]
    except RecordDamaged:
        return None
    origins = line_origins(versions)
    total = sum(origins.values())
    return tuple(
        CodeShare(node=node, author=authors.get(node, STARTER), lines=lines, share=lines / total)
        for node, lines in sorted(origins.items())
    )


def _versions(record: EpisodeRecord, selected: int) -> list[tuple[int, ArtefactHash]]:
    """(node, artefact) from the starter to what was selected, by the bases of the patches."""
    assert record.brief is not None  # its caller asked
    made: dict[ArtefactHash, tuple[int, Patch]] = {}
    for node in record.nodes:
        for patch in node.patches:
            if patch.artefact is not None:
                made.setdefault(patch.artefact, (node.id, patch))
    chain: list[tuple[int, ArtefactHash]] = []
    last = record.node(selected)
    artefact = last.artefact if last is not None else None
    while artefact is not None and artefact in made and artefact != record.brief.starter:
        number, patch = made[artefact]
        chain.append((number, artefact))
        del made[artefact]  # a record is read as it is written: a base that comes back would make a ring
        artefact = patch.base
    return [(0, record.brief.starter), *reversed(chain)]


def _generations(record: EpisodeRecord, selected: int) -> int:
    depth: dict[int, int] = {}
    for number in record.ancestry(selected):
        node = record.node(number)
        parents = () if node is None else node.parents
        depth[number] = 1 + max((depth.get(parent, 0) for parent in parents), default=0)
    return depth.get(selected, 0)
