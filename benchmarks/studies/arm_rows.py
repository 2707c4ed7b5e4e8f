"""What a study came to, arm by arm: means with intervals, realised spend, what is missing. Not the analysis: a report is."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.studies.design import ArmKind, Design
from benchmarks.studies.intervals import Interval, mean_interval
from benchmarks.studies.plan import Plan
from benchmarks.studies.summary import EpisodeRow, make_rows
from engine.budget import Axis
from engine.scheduler import Ran
from engine.task import Direction

SUMMARY_VERSION = 1
GAP = 0.1
"""A difference in mean realised spend beyond which two arms are not held equal."""


class ArmRow(msgspec.Struct, frozen=True, kw_only=True):
    """One arm on one task, over its blocks; pilots are left out."""

    task: str
    arm: str
    kind: ArmKind
    metric: str
    direction: Direction
    score: Interval | None
    """Of the final scores, an artefact without a score counting as the task's floor or baseline."""
    points: tuple[float, ...]
    """The scores that ``score`` is the mean of, in the order of the blocks: what to look at below 10 of them."""
    missing: int
    """Episodes that the outside let down, or that have not run; they count as nothing, never as zero."""
    without_score: int
    spent: float | None
    """Mean realised spend on the study's primary axis."""
    seconds: float
    """Mean wall time of an episode; depends on the machine and its load."""


class StudySummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a study came to, as it stands."""

    version: int = SUMMARY_VERSION
    folder: str
    name: str
    question: str
    shard: str
    """``2/8``; empty for a whole study."""
    blocks: int
    complete_blocks: int
    """In which every arm has ended; pilots are left out of both."""
    episodes: int
    failed: dict[str, str]
    """Episodes that the outside let down at every try, and why; the same command tries again."""
    retried: dict[str, int]
    """Episodes that it did at another try, and how often it was tried again."""
    primary_axis: Axis
    rows: tuple[ArmRow, ...]
    """None of a shard, and none where it was asked not to look."""
    workspace: str
    notes: tuple[str, ...]


def arm_rows(design: Design, plan: Plan, ran: Ran, *, folder: Path) -> tuple[ArmRow, ...]:
    """A row for every task and arm, in the design's order."""
    specs = [spec for spec in plan.specs if not design.is_pilot(spec.seeds)]
    rows = make_rows(specs, ran, cards=plan.cards, folder=folder)
    by_cell: dict[tuple[str, str], list[EpisodeRow]] = {}
    for row in rows:
        by_cell.setdefault((row.task, row.team), []).append(row)
    return tuple(
        _row(design, plan, task, arm.name, arm.kind, by_cell.get((task, arm.name), ()))
        for task in design.tasks
        for arm in design.arms
    )


def _row(
    design: Design, plan: Plan, task: str, arm: str, kind: ArmKind, rows: Sequence[EpisodeRow]
) -> ArmRow:
    ran = [row for row in rows if row.outcome != "failed"]
    card = plan.cards[task]
    points = tuple(row.counted_score for row in ran if row.counted_score is not None)
    return ArmRow(
        task=task,
        arm=arm,
        kind=kind,
        metric=card.metric,
        direction=card.direction,
        score=mean_interval(points),
        points=points,
        missing=len(rows) - len(ran),
        without_score=sum(row.final_score is None for row in ran),
        spent=sum(row.spending.get(design.primary_axis, 0.0) for row in ran) / len(ran) if ran else None,
        seconds=sum(row.seconds for row in ran) / len(ran) if ran else 0.0,
    )


def block_counts(design: Design, plan: Plan, ran: Ran) -> tuple[int, int]:
    """Blocks in all and blocks in which every arm has ended, pilots left out."""
    ended = {result.episode for result in ran.results}
    blocks: dict[tuple[str, object], bool] = {}
    for spec in plan.specs:
        if not design.is_pilot(spec.seeds):
            key = (spec.task, spec.seeds)
            blocks[key] = blocks.get(key, True) and spec.id in ended
    return len(blocks), sum(blocks.values())


def spend_notes(design: Design, rows: Sequence[ArmRow]) -> tuple[str, ...]:
    """A sentence for every arm that really spent over 10 % more or less than the first, on the primary axis."""
    notes: list[str] = []
    for task in design.tasks:
        of_task = [
            row for row in rows if row.task == task and row.spent is not None and row.kind != "reference"
        ]
        if not of_task or not of_task[0].spent:
            continue
        first = of_task[0]
        apart = [
            f"{row.arm} {row.spent:.4g}"
            for row in of_task[1:]
            if first.spent and row.spent is not None and abs(row.spent / first.spent - 1) > GAP
        ]
        if apart:
            notes.append(
                f"{task}: mean realised {design.primary_axis} differ by over {GAP:.0%} from {first.arm} "
                f"{first.spent:.4g}: {', '.join(apart)}"
            )
    return tuple(notes)
