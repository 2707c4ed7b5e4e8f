"""Anytime curves: what a team had to hand in after so many evaluations."""

import numpy as np

from benchmarks.report.charts import BLUE, GREEN, GREY, ORANGE, Line, line_panel
from benchmarks.report.curves import Curves
from benchmarks.report.document import Block, Figure, Notice, Panel, Paragraph, Row, Section, Table, columns
from benchmarks.report.findings import Findings
from benchmarks.report.wording import arm_name, left_out, number
from benchmarks.statistics.anytime import CurvePoint, area_under_curve
from benchmarks.statistics.figures import mean_of_tasks

_SOLID: tuple[int, ...] = (1, 0)
_DASHED = (5, 3)
_CONTROLS: tuple[tuple[str, tuple[int, ...]], ...] = ((ORANGE, (5, 3)), (GREEN, (2, 2)), (GREY, (8, 2, 2, 2)))


def section(findings: Findings, curves: Curves | None) -> Section:
    """A panel an arm over all tasks, and a panel a task with the controls."""
    title = "Score over budget"
    if curves is None:
        text = "There are no curves: nothing was evaluated, or no task has a fixed reference."
        return Section(name="anytime", title=title, blocks=(Notice(text=text),))
    blocks: list[Block] = []
    if curves.kind == "feedback":
        blocks.append(
            Notice(
                text=(
                    "These curves are of feedback, as the team saw it: the final scores of what stood on the way are not on "
                    "record. Feedback is noisy, and that of an artefact chosen for it is too high; compare shapes, not ends."
                )
            )
        )
    blocks.append(
        Paragraph(
            text=(
                f"The normalised {curves.kind} score of what stood after so many feedback evaluations: a step holds "
                "until the "
                "next selection. All arms are read on one grid."
            )
        )
    )
    blocks.append(_by_arm(findings, curves))
    if len(curves.tasks) > 1:
        blocks.append(_by_task(findings, curves))
    return Section(name="anytime", title=title, blocks=tuple(blocks))


def _by_arm(findings: Findings, curves: Curves) -> Figure:
    evidence = findings.evidence
    lead = evidence.leading
    means = {arm: curves.mean(arm) for arm in evidence.arms}
    domain = _domain(list(means.values()))
    same = [
        arm
        for arm in evidence.arms
        if arm != lead and np.array_equal(curves.scores[arm], curves.scores[lead], equal_nan=True)
    ]
    others = [arm for arm in evidence.arms if arm != lead and arm not in same] or [lead]
    reference = arm_name(evidence, lead)
    panels = tuple(
        Panel(
            name=f"anytime-{place}",
            title=arm_name(evidence, arm),
            alt=f"Score over evaluations of {arm_name(evidence, arm)} beside {reference}: ends at "
            f"{number(means[arm][-1].score.estimate)} and {number(means[lead][-1].score.estimate)}.",
            wide=line_panel(
                [
                    *_lines(means[lead], reference),
                    *(_lines(means[arm], arm_name(evidence, arm)) if arm != lead else ()),
                ],
                ((reference, GREY, _DASHED), (arm_name(evidence, arm), BLUE, _SOLID))
                if arm != lead
                else ((reference, BLUE, _SOLID),),
                x_title="feedback evaluations",
                y_title="normalised score",
                y_domain=domain,
                x_marks=_marks(curves),
                step=True,
            ),
        )
        for place, arm in enumerate(others, 1)
    )
    return Figure(
        title="Anytime curves, an arm a panel",
        caption=(
            f"Solid: the arm that heads the panel. Dashed: {reference}. Bands are pointwise 95 % intervals, where "
            f"there are 10 blocks.{left_out(evidence, same)}"
        ),
        panels=panels,
        table=_table(findings, curves, means),
    )


def _by_task(findings: Findings, curves: Curves) -> Figure:
    evidence = findings.evidence
    lead = evidence.leading
    controls = [
        arm.name for arm in evidence.design.arms if arm.kind == "control" and arm.name in evidence.arms
    ][:3]
    shown = [*controls, lead]
    means = {(arm, task): curves.mean(arm, task) for arm in shown for task in curves.tasks}
    groups = (
        *(
            (arm_name(evidence, arm), colour, dashes)
            for arm, (colour, dashes) in zip(controls, _CONTROLS, strict=False)
        ),
        (arm_name(evidence, lead), BLUE, _SOLID),
    )
    names = {ORANGE: "orange, dashed", GREEN: "green, dotted", GREY: "grey, dash-dotted", BLUE: "blue, solid"}
    return Figure(
        title="Anytime curves, a task a panel",
        caption="; ".join(f"{names[colour]}: {name}" for name, colour, _ in reversed(groups)) + ".",
        panels=tuple(
            Panel(
                name=f"anytime-task-{place}",
                title=task,
                alt=f"Score over evaluations on {task}: "
                + "; ".join(
                    f"{arm_name(evidence, arm)} ends at {number(means[arm, task][-1].score.estimate)}"
                    for arm in shown
                )
                + ".",
                wide=line_panel(
                    [
                        line
                        for arm in shown
                        for line in _lines(means[arm, task], arm_name(evidence, arm), band=arm == lead)
                    ],
                    groups,
                    x_title="feedback evaluations",
                    y_title="normalised score",
                    y_domain=_domain([means[arm, task] for arm in shown]),
                    x_marks=_marks(curves),
                    step=True,
                ),
            )
            for place, task in enumerate(curves.tasks, 1)
        ),
    )


def _marks(curves: Curves) -> tuple[float, ...]:
    """Round numbers of evaluations for the axis."""
    last = float(curves.grid[-1])
    marks = [float(first * 10**power) for power in range(6) for first in (1, 2, 5)]
    return tuple(mark for mark in marks if mark <= last)


def _lines(points: tuple[CurvePoint, ...], group: str, *, band: bool = True) -> list[Line]:
    return [
        Line(
            point.spent,
            point.score.estimate,
            point.score.low if band else None,
            point.score.high if band else None,
            group,
        )
        for point in points
        if not np.isnan(point.score.estimate)
    ]


def _domain(curves: list[tuple[CurvePoint, ...]]) -> tuple[float, float]:
    values = [
        value
        for curve in curves
        for point in curve
        for value in (point.score.estimate, point.score.low, point.score.high)
        if value is not None and not np.isnan(value)
    ]
    return min(0.0, max(min(values), -1.0)), max(1.0, min(max(values), 2.0))


def _table(findings: Findings, curves: Curves, means: dict[str, tuple[CurvePoint, ...]]) -> Table:
    evidence = findings.evidence
    last = len(curves.grid) - 1
    places = sorted({0, last // 3, 2 * last // 3, last})
    return Table(
        caption="Mean normalised score after so many evaluations, and the area under the curve (its mean height).",
        columns=columns(
            "arm",
            *(f"after {curves.grid[p]:g}" for p in places),
            "area",
            numbers="t" + "n" * (len(places) + 1),
        ),
        rows=tuple(
            Row(
                cells=(
                    arm_name(evidence, arm),
                    *(number(means[arm][p].score.estimate) for p in places),
                    number(_area(curves, arm)),
                ),
                is_leading=arm == evidence.leading,
            )
            for arm in evidence.arms
        ),
    )


def _area(curves: Curves, arm: str) -> float | None:
    if len(curves.grid) < 2:
        return None
    areas = area_under_curve(curves.scores[arm], curves.grid)
    return float(mean_of_tasks(areas))
