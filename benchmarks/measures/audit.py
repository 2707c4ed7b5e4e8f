"""``python -m benchmarks.measures.audit DIR``: run a sample of rejected work anyway, and say how good reviews were.

Off-budget and after the fact: only ended episodes are audited, on the final split, and what comes of it is kept in
``DIR/audit/``, where no team ever reads. The same command again answers from there.
"""

import argparse
import math
import sys
import zlib
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import trio

from benchmarks.measures.episode_measures import EPISODES
from benchmarks.measures.episode_record import load_record
from benchmarks.measures.rescoring import (
    AUDIT,
    Archived,
    audit_folder,
    by_node,
    ended_episodes,
    rescore,
)
from benchmarks.measures.review_quality import JudgedReview, ReviewQuality, review_quality
from benchmarks.measures.tables import markdown_table, number
from engine.errors import EngineError, OutputUnusable, RecordDamaged, UserError
from engine.messages import ArtefactHash, Review, ReviewRequest
from engine.task import Direction, Score
from engine.workspace.backends import BackendName

AUDIT_VERSION = 1
REVIEWS = "reviews.json"
FRACTION = 0.2


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The last verdict on a node, and what it was held against."""

    episode: str
    task: str
    arm: str
    node: int
    direction: Direction
    accepted: bool
    candidate: ArtefactHash
    incumbent: ArtefactHash


class ArmQuality(msgspec.Struct, frozen=True, kw_only=True):
    """Reviews of one arm on one task."""

    task: str
    arm: str
    episodes: int
    quality: ReviewQuality


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """``audit/reviews.json``."""

    version: int = AUDIT_VERSION
    fraction: float
    seed: int
    workspace: str
    reviews: tuple[JudgedReview, ...]
    arms: tuple[ArmQuality, ...]


async def audit_reviews(
    folder: Path,
    *,
    fraction: float = FRACTION,
    seed: int = 0,
    workspace: BackendName = "sandbox",
    out: Path | None = None,
) -> Audit:
    """Score what reviewers accepted, a sample of what they rejected, and what stood at the time of each verdict.

    Args:
        folder: the study's.
        fraction: of rejected nodes, drawn within each task and arm; at least one where there is any.
        seed: of the draw.
        workspace: which backend runs the code.
        out: where the audit is kept; None: ``audit/`` in the study's folder.

    Raises:
        UserError: the fraction is out of range, or see `rescoring.rescore`.
        RecordDamaged, OutputUnusable, EngineError: see `rescoring.rescore`.
    """
    if not 0 < fraction <= 1:
        raise UserError(f"--fraction {fraction:g} is no share of rejected work; give one above 0 and up to 1")
    verdicts = [
        verdict
        for result in ended_episodes(folder)
        for verdict in episode_verdicts(folder / EPISODES / result.episode)
    ]
    chosen = sample_verdicts(verdicts, fraction=fraction, seed=seed)
    wanted = dict.fromkeys(
        Archived(episode=verdict.episode, node=verdict.node, artefact=artefact)
        for verdict, _ in chosen
        for artefact in (verdict.candidate, verdict.incumbent)
    )
    scores = by_node(await rescore(folder, wanted, out=out, workspace=workspace))
    reviews = tuple(_judged(verdict, weight, scores) for verdict, weight in chosen)
    audit = Audit(
        fraction=fraction,
        seed=seed,
        workspace=workspace,
        reviews=reviews,
        arms=tuple(quality_by_arm(reviews)),
    )
    _keep(audit_folder(folder, out) / REVIEWS, audit)
    return audit


def read_audit(folder: Path) -> Audit | None:
    """The audit that a study's folder holds; None where none was made.

    Raises:
        RecordDamaged: when it cannot be read.
    """
    path = folder / AUDIT / REVIEWS
    try:
        return msgspec.json.decode(path.read_bytes(), type=Audit)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise RecordDamaged(f"{path} cannot be read ({error}); remove it and audit again") from error


def episode_verdicts(folder: Path) -> tuple[Verdict, ...]:
    """The last verdict (accept or reject) on each node with an artefact, by node; what stood was the starter at first.

    Reviews that a vote overruled afterwards count as the reviewer gave them.
    """
    record = load_record(folder)
    if record.spec is None or record.brief is None:
        return ()
    requests = {m.seq: m.body for m in record.messages if isinstance(m.body, ReviewRequest)}
    last: dict[int, Verdict] = {}
    for message in record.messages:
        asked = requests.get(message.cause)
        if not isinstance(message.body, Review) or asked is None or message.body.verdict == "revise":
            continue
        evidence = asked.result.evidence
        candidate = evidence.artefact if evidence is not None else asked.patch.artefact
        if candidate is not None:
            last[message.body.node] = Verdict(
                episode=record.episode,
                task=record.spec.task,
                arm=record.spec.team.name,
                node=message.body.node,
                direction=record.brief.direction,
                accepted=message.body.verdict == "accept",
                candidate=candidate,
                incumbent=asked.incumbent.artefact if asked.incumbent is not None else record.brief.starter,
            )
    return tuple(last[node] for node in sorted(last))


def sample_verdicts(
    verdicts: Sequence[Verdict], *, fraction: float, seed: int
) -> tuple[tuple[Verdict, float], ...]:
    """Every acceptance, and a simple random sample of the rejections of each task and arm; with their weights.

    The weight is one over the probability of being drawn. The same seed draws the same, whatever other arms there are.
    """
    chosen: list[tuple[Verdict, float]] = [(verdict, 1.0) for verdict in verdicts if verdict.accepted]
    strata: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if not verdict.accepted:
            strata.setdefault((verdict.task, verdict.arm), []).append(verdict)
    for (task, arm), rejected in sorted(strata.items()):
        count = math.ceil(fraction * len(rejected))
        rng = np.random.default_rng([seed, zlib.crc32(f"{task} {arm}".encode())])
        drawn = rng.choice(len(rejected), size=count, replace=False)
        chosen += [(rejected[place], len(rejected) / count) for place in sorted(drawn.tolist())]
    return tuple(chosen)


def quality_by_arm(reviews: Sequence[JudgedReview]) -> Iterable[ArmQuality]:
    """The quality of the reviews of each task and arm, by name."""
    for task, arm in sorted({(review.task, review.arm) for review in reviews}):
        own = [review for review in reviews if (review.task, review.arm) == (task, arm)]
        yield ArmQuality(
            task=task, arm=arm, episodes=len({review.episode for review in own}), quality=review_quality(own)
        )


def audit_table(audit: Audit) -> str:
    """The audit as a table (Markdown), a row for each task and arm."""
    rows = [
        (
            each.task,
            each.arm,
            str(each.episodes),
            str(each.quality.accepted),
            f"{each.quality.rejected} of {each.quality.rejected_in_all:.0f}",
            number(each.quality.precision, 2),
            number(each.quality.recall, 2),
            number(each.quality.specificity, 2),
            number(each.quality.rejected_gain, 3),
        )
        for each in audit.arms
    ]
    titles = (
        "task", "arm", "episodes", "accepted", "rejected, audited", "precision", "recall", "specificity",
        "gain of rejected",
    )  # fmt: skip
    return markdown_table(titles, rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and audit; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.measures.audit", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="a study's folder")
    parser.add_argument(
        "--fraction", type=float, default=FRACTION, help="of rejected work, 0 to 1 (default 0.2)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default 0)")
    parser.add_argument("--workspace", choices=["sandbox", "container", "process"], default="sandbox")
    parser.add_argument("--out", type=Path, help="keep the audit there, not in DIR/audit")
    parser.add_argument("--json", action="store_true", help="print the whole audit")
    options = parser.parse_args(arguments)
    audit_it = partial(
        audit_reviews,
        options.folder,
        fraction=options.fraction,
        seed=options.seed,
        workspace=options.workspace,
        out=options.out,
    )
    try:
        audit = trio.run(audit_it)
    except (EngineError, ExceptionGroup) as error:
        known = _first_of_ours(error)
        if known is None:
            raise
        sys.stderr.write(f"benchmarks.measures.audit: {known}\n")
        return 2
    sys.stdout.write(f"{msgspec.json.encode(audit).decode() if options.json else audit_table(audit)}\n")
    return 0


def _first_of_ours(error: Exception) -> EngineError | None:
    """What a user is told of an error, or of a group of nothing but ours: several scorings run at once."""
    if isinstance(error, ExceptionGroup):
        group = cast("ExceptionGroup[Exception]", error)
        leaves = [_first_of_ours(each) for each in group.exceptions]
        return leaves[0] if all(leaf is not None for leaf in leaves) else None
    return error if isinstance(error, EngineError) else None


def _judged(verdict: Verdict, weight: float, scores: dict[tuple[str, ArtefactHash], Score]) -> JudgedReview:
    candidate = scores[verdict.episode, verdict.candidate].value
    incumbent = scores[verdict.episode, verdict.incumbent].value
    return JudgedReview(
        episode=verdict.episode,
        task=verdict.task,
        arm=verdict.arm,
        node=verdict.node,
        accepted=verdict.accepted,
        candidate=candidate,
        incumbent=incumbent,
        is_better=_is_better(candidate, incumbent, verdict.direction),
        weight=weight,
    )


def _is_better(candidate: float | None, incumbent: float | None, direction: Direction) -> bool:
    if candidate is None:
        return False
    if incumbent is None:
        return True
    return candidate > incumbent if direction == "max" else candidate < incumbent


def _keep(path: Path, audit: Audit) -> None:
    partial_file = path.with_suffix(".partial")
    try:
        partial_file.write_bytes(msgspec.json.format(msgspec.json.encode(audit), indent=1) + b"\n")
        partial_file.replace(path)
    except OSError as error:
        raise OutputUnusable(
            f"cannot write {path}: {error.strerror or error}; choose another --out"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
