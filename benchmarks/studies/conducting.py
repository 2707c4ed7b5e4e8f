"""Conducting a study: its design resolved and locked, what is missing run, the arms summed up, the look put down."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.studies.arm_rows import StudySummary, arm_rows, block_counts, spend_notes
from benchmarks.studies.implied import keep_study_file, study_text
from benchmarks.studies.locking import amendment_notes, make_lock, merge_lock, write_lock
from benchmarks.studies.looks import record_look
from benchmarks.studies.reporter import Reporter
from benchmarks.studies.resolving import Resolved
from benchmarks.studies.running import run_missing
from engine.scheduler import Limits
from engine.workspace.backends import BackendName

RETRIES = 2
"""Of an episode that the outside let down, at once; later runs try again anyway."""


async def conduct(
    resolved: Resolved,
    *,
    folder: Path,
    limits: Limits,
    reporter: Reporter,
    workspace: BackendName = "sandbox",
    base_url: str | None = None,
    overrides: tuple[str, ...] = (),
    sources: Mapping[str, str] | None = None,
    retries: int = RETRIES,
    look: str | None = "study",
) -> StudySummary:
    """Run what is missing of a study, or of a shard of one, and sum it up.

    Cancelled, everything in progress stops at once and its record stands; called again, it goes on from there.

    Args:
        resolved: what to run.
        folder: of the study; one that holds the same study with fewer seeds is gone on with.
        limits: of this run.
        reporter: told how it goes.
        workspace: which backend.
        base_url: of the models' endpoint, instead of its own.
        overrides: what ``--set`` said; for the lock.
        sources: file name to SHA-256 (hex); for the lock.
        retries: of an episode that the outside let down.
        look: who looks at the results; None: nobody, and none are summed up.

    Raises:
        UserError: what was asked for cannot be done: one sentence.
        IsolationUnavailable: isolation is missing here, and needed.
    """
    design, plan = resolved.design, resolved.plan
    asked = make_lock(resolved, overrides=overrides, sources=dict(sources or {}))
    lock = merge_lock(folder, asked)

    def keep() -> None:
        write_lock(folder, lock)
        keep_study_file(folder, study_text(design))

    ran = await run_missing(
        plan,
        folder=folder,
        limits=limits,
        reporter=reporter,
        workspace=workspace,
        base_url=base_url,
        retries=retries,
        extends=True,
        held=keep,
    )
    shard = resolved.shard
    blocks, complete = block_counts(design, plan, ran.episodes)
    rows = arm_rows(design, plan, ran.episodes, folder=folder) if look is not None and shard is None else ()
    if rows and look is not None:
        record_look(folder, by=look, complete_blocks=complete, blocks=blocks)
    fallback = (ran.fallback,) if ran.fallback else ()
    return StudySummary(
        folder=str(folder),
        name=design.name,
        question=design.question,
        shard="" if shard is None else f"{shard.number}/{shard.of}",
        blocks=blocks,
        complete_blocks=complete,
        episodes=len(plan.specs),
        failed=ran.episodes.failed,
        retried=ran.retried,
        primary_axis=design.primary_axis,
        rows=rows,
        workspace=ran.workspace,
        notes=(*design.notes, *amendment_notes(lock), *spend_notes(design, rows), *fallback),
    )
