"""Conducting a study: its design resolved and locked, what is missing run, the arms summed up, the look put down."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.studies.arm_rows import ArmRow, StudySummary, arm_rows, block_counts, spend_notes
from benchmarks.studies.design import Lock, Sequential
from benchmarks.studies.implied import keep_study_file, study_text
from benchmarks.studies.locking import amendment_notes, make_lock, merge_lock, write_lock
from benchmarks.studies.looks import look_notes, record_look
from benchmarks.studies.model_use import ModelUse
from benchmarks.studies.plan import Plan
from benchmarks.studies.reporter import Reporter
from benchmarks.studies.resolving import Resolved
from benchmarks.studies.running import RanAll, run_missing
from benchmarks.studies.scratch import open_scratch
from benchmarks.studies.stages import next_look, seeds_run, take_look, up_to
from engine.errors import BadSpecification
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
    scratch: Path | None = None,
    model_use: ModelUse | None = None,
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
        scratch: on the node's own disk, where to work on a copy of the folder; None: in the folder itself.
        model_use: what stands before the models; None: nothing.

    Raises:
        UserError: what was asked for cannot be done: one sentence.
        IsolationUnavailable: isolation is missing here, and needed.
    """
    if look is None and resolved.design.sequential is not None:
        raise BadSpecification(
            "--blind", "a sequential study stops by what it sees; leave one of the two out"
        )
    asked = make_lock(resolved, overrides=overrides, sources=dict(sources or {}))
    lock = merge_lock(folder, asked)
    async with AsyncExitStack() as stack:
        work = folder
        if scratch is not None:
            work = await stack.enter_async_context(open_scratch(folder, scratch))
            lock = merge_lock(work, asked)
        run = partial(
            run_missing,
            folder=work,
            limits=limits,
            reporter=reporter,
            workspace=workspace,
            base_url=base_url,
            retries=retries,
            extends=True,
            held=partial(_keep, work, lock),
            model_use=model_use,
        )
        if resolved.design.sequential is None:
            ran = await run(resolved.plan)
            rows = _look(resolved, ran, work, by=look)
        else:
            resolved, ran = await _in_stages(resolved, resolved.design.sequential, run, work)
            rows = arm_rows(resolved.design, resolved.plan, ran.episodes, folder=work)
        stages = look_notes(work, resolved.design.sequential)
    used = model_use.notes() if model_use is not None else ()
    return _summary(resolved, ran, rows, lock, folder, (*stages, *used))


async def _in_stages(
    resolved: Resolved, plan: Sequential, run: Callable[[Plan], Awaitable[RanAll]], folder: Path
) -> tuple[Resolved, RanAll]:
    """Run up to each planned look and take it, until one gives the answer; the part of the study that was run.

    An episode that the outside let down puts the look off: the same command tries it again first.
    """
    primary = resolved.design.primary
    assert primary is not None  # a design with looks and without a primary comparison is refused
    while True:
        seeds = next_look(folder, plan)
        part = replace(resolved, plan=up_to(resolved, seeds or seeds_run(folder)))
        ran = await run(part.plan)
        if seeds is not None and not ran.episodes.failed:
            blocks, complete = block_counts(part.design, part.plan, ran.episodes)
            found = take_look(folder, plan, primary, seeds)
            record_look(folder, by="study", complete_blocks=complete, blocks=blocks, planned=found)
        if ran.episodes.failed or next_look(folder, plan) is None:
            return part, ran


def _keep(folder: Path, lock: Lock) -> None:
    write_lock(folder, lock)
    keep_study_file(folder, study_text(lock.design))


def _look(resolved: Resolved, ran: RanAll, folder: Path, *, by: str | None) -> tuple[ArmRow, ...]:
    """The results, arm by arm, and that they were looked at; nothing of a shard, or where nobody is to look."""
    if by is None or resolved.shard is not None:
        return ()
    blocks, complete = block_counts(resolved.design, resolved.plan, ran.episodes)
    record_look(folder, by=by, complete_blocks=complete, blocks=blocks)
    return arm_rows(resolved.design, resolved.plan, ran.episodes, folder=folder)


def _summary(
    resolved: Resolved,
    ran: RanAll,
    rows: tuple[ArmRow, ...],
    lock: Lock,
    folder: Path,
    stages: tuple[str, ...] = (),
) -> StudySummary:
    design, shard = resolved.design, resolved.shard
    blocks, complete = block_counts(design, resolved.plan, ran.episodes)
    fallback = (ran.fallback,) if ran.fallback else ()
    return StudySummary(
        folder=str(folder),
        name=design.name,
        question=design.question,
        shard="" if shard is None else f"{shard.number}/{shard.of}",
        blocks=blocks,
        complete_blocks=complete,
        episodes=len(resolved.plan.specs),
        failed=ran.episodes.failed,
        retried=ran.retried,
        primary_axis=design.primary_axis,
        rows=rows,
        workspace=ran.workspace,
        notes=(*design.notes, *stages, *amendment_notes(lock), *spend_notes(design, rows), *fallback),
    )
