"""The contrasts: paired differences with intervals, chance of improvement, permutation tests corrected for their number."""

import numpy as np

from benchmarks.report.charts import BLUE, GREEN, GREY, ORANGE, Dot, dot_plot
from benchmarks.report.document import Block, Figure, Notice, Panel, Paragraph, Row, Section, Table, columns
from benchmarks.report.findings import Effect, Findings
from benchmarks.report.wording import (
    NONE,
    arm_name,
    listed,
    methods,
    number,
    p_value,
    share_with_interval,
    signed,
    verdict,
    with_interval,
)

_GROUPS = (
    ("primary", "#1b1f24", "diamond"),
    ("role gone (vacuous)", ORANGE, "circle"),
    ("role absorbed", BLUE, "square"),
    ("with a control", GREEN, "triangle-up"),
    ("other", GREY, "circle"),
)
_VERDICTS = {
    "better": "higher",
    "worse": "lower",
    "open": "not told apart from nothing",
    "too few": "too few blocks to say",
    "identical": "the same in every block",
}


def section(findings: Findings) -> Section:
    """The table of contrasts, over all tasks and on each."""
    blocks: list[Block] = []
    if findings.not_run:
        names = listed([contrast.name for contrast in findings.not_run])
        blocks.append(Notice(kind="warning", text=f"Not to be had yet, for want of results: {names}."))
    if not findings.effects:
        text = "There is nothing to compare: the study has one arm, or no task with a fixed reference."
        return Section(name="contrasts", title="Contrasts", blocks=(*blocks, Notice(text=text)))
    blocks += [
        Paragraph(
            text=(
                "Treatment less control within each block (same task, same seed), averaged over blocks and then over tasks. "
                "Left of 0 the treatment is worse. p is from sign flips of the blocks' differences, corrected for "
                "the number "
                "of comparisons (Holm 1979)."
            )
        ),
        _table(findings),
    ]
    if findings.by_task:
        blocks += [_task_forests(findings), _by_task(findings)]
    return Section(name="contrasts", title="Contrasts", blocks=tuple(blocks))


def forest(findings: Findings) -> Figure:
    """The effects as a picture; its figures are the table of contrasts."""
    return Figure(title="Effects", caption=_caption(findings), panels=(_panel(findings),))


def _caption(findings: Findings) -> str:
    if any(effect.found.difference.low is None for effect in findings.effects):
        return (
            "Large marks are mean paired differences, small rings the differences of single blocks: too few for "
            "intervals."
        )
    how = methods(effect.found.difference for effect in findings.effects)
    return (
        f"Marks are mean paired differences, bars their 95 % intervals ({how}). They are not corrected for the number of "
        "comparisons; p is."
    )


def group_of(findings: Findings, effect: Effect) -> str:
    """What kind of comparison a contrast is."""
    if effect.contrast.primary:
        return "primary"
    if effect.removal is not None:
        return "role gone (vacuous)" if effect.removal.into is None else "role absorbed"
    arms = (
        findings.evidence.design.arm(name) for name in (effect.contrast.treatment, effect.contrast.control)
    )
    return "with a control" if any(arm is not None and arm.kind == "control" for arm in arms) else "other"


def _panel(findings: Findings) -> Panel:
    evidence = findings.evidence
    dots = [
        Dot(
            label=effect_name(findings, effect),
            estimate=effect.found.difference.estimate,
            low=effect.found.difference.low,
            high=effect.found.difference.high,
            points=()
            if effect.found.difference.low is not None
            else tuple(float(point) for point in effect.points.ravel() if not np.isnan(point)),
            group=group_of(findings, effect),
        )
        for effect in findings.effects
    ]
    said = "; ".join(f"{d.label} {signed(d.estimate)}" for d in dots)
    title = (
        f"difference in normalised score to {arm_name(evidence, _only_control(findings))}"
        if _only_control(findings)
        else "difference in normalised score"
    )
    return Panel(
        name="effects",
        alt=f"Forest plot of paired differences: {said}.",
        wide=dot_plot(dots, _GROUPS, x_title=title, zero=True),
        narrow=dot_plot(dots, _GROUPS, x_title=title, zero=True, narrow=True),
    )


def _only_control(findings: Findings) -> str:
    controls = {effect.contrast.control for effect in findings.effects}
    return controls.pop() if len(controls) == 1 else ""


def effect_name(findings: Findings, effect: Effect) -> str:
    """A contrast as figures label it."""
    evidence = findings.evidence
    treatment = arm_name(evidence, effect.contrast.treatment)
    if effect.removal is not None or _only_control(findings):
        return treatment
    return f"{treatment} against {arm_name(evidence, effect.contrast.control)}"


def _table(findings: Findings) -> Table:
    only = _only_control(findings)
    against = f" All against {arm_name(findings.evidence, only)}." if only else ""
    return Table(
        caption=(
            "Contrasts: paired difference, chance that a run of the treatment beats one of the control, permutation test; "
            f"95 % intervals in brackets.{against}"
        ),
        columns=columns(
            "contrast",
            "difference",
            "P(improvement)",
            "p",
            "p (Holm)",
            "blocks",
            "r",
            "finding",
            numbers="tnnnnnnt",
        ),
        rows=tuple(
            Row(
                cells=(
                    effect_name(findings, effect),
                    with_interval(effect.found.difference, plus=True),
                    share_with_interval(effect.found.improvement),
                    p_value(effect.found.test.p),
                    p_value(effect.p),
                    str(effect.found.blocks),
                    number(effect.found.correlation, 2),
                    _VERDICTS[
                        "identical"
                        if effect.found.test.blocks == 0
                        else verdict(effect.found, effect.p, significance=effect.needed)
                    ],
                ),
                is_leading=effect.contrast.primary,
            )
            for effect in findings.effects
        ),
        note=(f"{_family(findings)} r: correlation achieved within blocks; near 0, pairing bought nothing."),
    )


def _family(findings: Findings) -> str:
    primary = (
        " A primary one is a family of its own." if any(e.contrast.primary for e in findings.effects) else ""
    )
    if findings.family < 2:
        return f"No correction: no comparison shares a family.{primary}"
    return f"{findings.family} comparisons share Holm's correction.{primary}"


def _by_task(findings: Findings) -> Table:
    tasks = tuple(dict.fromkeys(each.task for each in findings.by_task))
    cells = {
        (id(each.effect), each.task): with_interval(each.found.difference, plus=True)
        for each in findings.by_task
    }
    return Table(
        caption="The same differences on each task alone: exploratory. Intervals are not corrected for their number.",
        columns=columns("contrast", *tasks, numbers="t" + "n" * len(tasks)),
        rows=tuple(
            Row(
                cells=(
                    effect_name(findings, effect),
                    *(cells.get((id(effect), task), NONE) for task in tasks),
                )
            )
            for effect in findings.effects
        ),
    )


def _task_forests(findings: Findings) -> Figure:
    tasks = dict.fromkeys(each.task for each in findings.by_task)
    panels: list[Panel] = []
    for place, task in enumerate(tasks, 1):
        there = [each for each in findings.by_task if each.task == task]
        dots = [
            Dot(
                label=effect_name(findings, each.effect),
                estimate=each.found.difference.estimate,
                low=each.found.difference.low,
                high=each.found.difference.high,
                points=each.found.difference.points,
                group=group_of(findings, each.effect),
            )
            for each in there
            if not np.isnan(each.found.difference.estimate)
        ]
        said = "; ".join(f"{d.label} {signed(d.estimate)}" for d in dots)
        panels.append(
            Panel(
                name=f"effects-{place}",
                title=task,
                alt=f"Forest plot of paired differences on {task}: {said}.",
                wide=dot_plot(
                    dots, _GROUPS, x_title="difference in normalised score", zero=True, narrow=True
                ),
            )
        )
    return Figure(
        title="Effects, a task a panel",
        caption=(
            "As above, on each task alone; scales differ. Rings are single blocks, where there are too few for an "
            "interval."
        ),
        panels=tuple(panels),
    )
