"""Cautions that belong to figures wherever they are printed."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from benchmarks.records import TaskRuns
from benchmarks.reference import TaskFacts, facts_of, reference
from engine.task import ScoringProtocol


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A caution that belongs to a figure wherever it is printed."""

    task: str | None
    kind: Literal["protocol", "wall-time", "self-reported", "invalid", "few-runs", "many-runs"]
    text: str


def protocol_marks(protocol: ScoringProtocol) -> list[Mark]:
    """That a score was made under another protocol than the pool's."""
    if protocol == "mlgym":
        return []
    text = f"scored under the protocol {protocol!r}, the pool under 'mlgym': not comparable as a reproduction"
    return [Mark(task=None, kind="protocol", text=text)]


def task_marks(facts: Sequence[TaskFacts], *, mlgym_compatible: bool) -> list[Mark]:
    """What is to be said of the tasks themselves and of their published runs."""
    marks: list[Mark] = []
    for fact in facts:
        if fact.wall_time:
            text = "wall time: scores of a new method are scaled by the baseline measured beside it"
            marks.append(Mark(task=fact.id, kind="wall-time", text=text))
        if fact.self_reported:
            text = "the scored code reports this metric itself; it enters for compatibility only"
            marks.append(Mark(task=fact.id, kind="self-reported", text=text))
    for run in reference().invalid:
        if any(run.task == fact.id for fact in facts):
            verb = "includes" if mlgym_compatible else "leaves out"
            text = f"{verb} run {run.run} of {run.method}: {run.reason}"
            marks.append(Mark(task=run.task, kind="invalid", text=text))
    return marks


def run_marks(runs: TaskRuns, k: int) -> list[Mark]:
    """What is to be said of a method's own runs beside a pool of k runs."""
    task = facts_of(runs.task).id
    marks = [
        Mark(task=task, kind="invalid", text=f"run {run.index} does not count: {run.reason or 'not valid'}")
        for run in runs.runs
        if not run.valid
    ]
    count = sum(run.valid for run in runs.runs)
    if count < k:
        marks.append(Mark(task=task, kind="few-runs", text=f"best of {count} runs, the pool's is of {k}"))
    if count > k:
        marks.append(Mark(task=task, kind="many-runs", text=f"expected best of {k} of {count} runs"))
    return marks
