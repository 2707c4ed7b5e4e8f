"""Every task by itself, in its own metric."""

import numpy as np

from benchmarks.report.document import Paragraph, Row, Section, Table, columns
from benchmarks.report.findings import Findings
from benchmarks.report.wording import NONE, arm_name, number, percent, with_interval
from benchmarks.statistics.interval import mean_of_tasks_interval


def section(findings: Findings) -> Section:
    """A table a task."""
    return Section(
        name="tasks",
        title="Task by task",
        blocks=(
            Paragraph(
                text="Final scores of what was handed in, in each task's own metric; failures counted as the task states."
            ),
            *(_table(findings, task) for task in findings.evidence.tasks),
        ),
    )


def _table(findings: Findings, task: str) -> Table:
    evidence = findings.evidence
    card = evidence.scales[task].card
    arms = [arm for arm in evidence.arms if any(run.arm == arm and run.task == task for run in evidence.runs)]
    return Table(
        caption=f"{task}: final {card.metric}, {'higher' if card.direction == 'max' else 'lower'} is better.",
        columns=columns(
            "arm",
            "mean",
            "lowest",
            "highest",
            "held-out mean",
            "failures",
            "runs",
            numbers="tnnnnnn",
        ),
        rows=tuple(_row(findings, task, arm) for arm in arms),
    )


def _row(findings: Findings, task: str, arm: str) -> Row:
    evidence = findings.evidence
    runs = [run for run in evidence.runs if run.arm == arm and run.task == task]
    counted = np.array([run.counted for run in runs])
    held_out = [run.held_out for run in runs if run.held_out is not None]
    interval = mean_of_tasks_interval(counted[None, :])
    return Row(
        cells=(
            arm_name(evidence, arm),
            with_interval(interval, 4),
            number(float(counted.min()), 4),
            number(float(counted.max()), 4),
            number(sum(held_out) / len(held_out), 4) if held_out else NONE,
            percent(sum(run.final is None for run in runs) / len(runs)),
            str(len(runs)),
        ),
        is_leading=arm == evidence.leading,
    )
