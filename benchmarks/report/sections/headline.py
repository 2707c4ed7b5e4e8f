"""The headline: mean, interquartile mean and failure rate of each arm, always the three together."""

from benchmarks.report.charts import BLUE, GREY, ORANGE, Dot, dot_plot
from benchmarks.report.document import Block, Figure, Notice, Panel, Paragraph, Row, Section, Table, columns
from benchmarks.report.findings import Findings
from benchmarks.report.wording import arm_name, listed, methods, number, share_with_interval, with_interval
from benchmarks.statistics.headline import Headline
from benchmarks.statistics.interval import FEWEST_BLOCKS

_GROUPS = (("leading arm", BLUE, "circle"), ("treatment", GREY, "circle"), ("control", ORANGE, "square"))


def section(findings: Findings) -> Section:
    """The headline table, its figure, and what failures do to it."""
    evidence = findings.evidence
    if not findings.headlines:
        text = "No task of this study has a fixed reference, so that scores of different tasks cannot be averaged."
        return Section(name="headline", title="Headline", blocks=(Notice(text=text),))
    blocks: list[Block] = [
        Paragraph(
            text=(
                f"Mean absolute normalised final score over {listed(evidence.headline_tasks)}: every task weighs the same. "
                "An agent's failure counts as what its task states (intention to treat); episodes that the outside let down "
                "are missing and are run again, never scored."
            )
        ),
        Figure(
            title="Mean normalised final score",
            caption=_caption(findings),
            panels=(_panel(findings),),
            table=_table(findings),
            is_table_open=True,
        ),
    ]
    if findings.sensitivity:
        blocks.append(_sensitivity(findings))
    return Section(name="headline", title="Headline", blocks=tuple(blocks))


def _caption(findings: Findings) -> str:
    fewest = findings.headlines[0].mean.blocks
    if fewest < FEWEST_BLOCKS:
        return (
            f"Large marks are means. With {fewest} blocks on a task no interval is shown; small rings are single runs "
            f"(an interval needs {FEWEST_BLOCKS})."
        )
    return (
        "Marks are means, bars their 95 % intervals over seed blocks. Arms share their blocks: compare them by the "
        "contrasts below, not by whether bars overlap."
    )


def _panel(findings: Findings) -> Panel:
    evidence = findings.evidence
    dots = [
        Dot(
            label=arm_name(evidence, each.method),
            estimate=each.mean.estimate,
            low=each.mean.low,
            high=each.mean.high,
            points=each.mean.points,
            group=_group(findings, each.method),
        )
        for each in findings.headlines
    ]
    said = "; ".join(f"{d.label} {number(d.estimate)}" for d in dots)
    title = "normalised final score"
    return Panel(
        name="headline",
        alt=f"Dot plot of the mean normalised final score of each arm: {said}.",
        wide=dot_plot(dots, _GROUPS, x_title=title, zero=False),
        narrow=dot_plot(dots, _GROUPS, x_title=title, zero=False, narrow=True),
    )


def _group(findings: Findings, arm: str) -> str:
    if arm == findings.evidence.leading:
        return "leading arm"
    designed = findings.evidence.design.arm(arm)
    return "control" if designed is not None and designed.kind == "control" else "treatment"


def _table(findings: Findings) -> Table:
    return Table(
        caption="Headline: mean, interquartile mean (IQM) and failure rate of each arm, with 95 % intervals.",
        columns=columns("arm", "mean", "IQM", "failures", "runs", "missing", numbers="tnnnnn"),
        rows=tuple(_row(findings, each) for each in findings.headlines),
        note=_methods(findings),
    )


def _row(findings: Findings, each: Headline) -> Row:
    return Row(
        cells=(
            arm_name(findings.evidence, each.method),
            with_interval(each.mean),
            with_interval(each.interquartile_mean),
            share_with_interval(each.failure_rate),
            str(each.runs),
            str(each.missing),
        ),
        is_leading=each.method == findings.evidence.leading,
    )


def _methods(findings: Findings) -> str:
    heads = findings.headlines
    parts = (
        ("mean", [each.mean for each in heads]),
        ("IQM", [each.interquartile_mean for each in heads]),
        ("failures", [each.failure_rate for each in heads]),
    )
    return "Intervals: " + "; ".join(f"{name}: {methods(intervals)}" for name, intervals in parts) + "."


def _sensitivity(findings: Findings) -> Table:
    rules = {"count": "as the task states", "exclude": "left out", "worst": "as the worst seen"}
    return Table(
        caption=(
            "The means again, with failures counted in other ways. A conclusion that changes here rests on what a "
            "failure is said to be worth."
        ),
        columns=columns(
            "arm", *(f"failures {rules[each.rule]}" for each in findings.sensitivity), numbers="t" + "n" * 3
        ),
        rows=tuple(
            Row(
                cells=(
                    arm_name(findings.evidence, arm),
                    *(number(each.means[arm].estimate) for each in findings.sensitivity),
                ),
                is_leading=arm == findings.evidence.leading,
            )
            for arm in findings.evidence.arms
        ),
    )
