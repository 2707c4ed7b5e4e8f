"""What was really spent, on the axis on which arms are held equal, and on all others."""

from benchmarks.report.document import Block, Notice, Paragraph, Row, Section, Table, columns
from benchmarks.report.evidence import spent_on
from benchmarks.report.findings import Findings
from benchmarks.report.sections.design import axis_name
from benchmarks.report.wording import NONE, arm_name, listed, number
from engine.budget import AXES, Axis


def section(findings: Findings) -> Section:
    """Realised spend, with gaps over 10 % flagged."""
    evidence = findings.evidence
    axis = evidence.design.primary_axis
    axes: list[Axis] = [
        each
        for each in AXES
        if each not in (axis, "wall_seconds") and any(spent_on(r, each) for r in evidence.results)
    ]
    blocks: list[Block] = [
        Paragraph(
            text=(
                f"Caps are not spend: this is what episodes really used. Arms are held equal in {axis_name(axis)}, "
                "and a gap of "
                "more than 10 % to the arm that one is held against is flagged. Wall time depends on the machine "
                "and its load."
            )
        ),
        Table(
            caption="Realised spend of an episode, mean over the arm's episodes.",
            columns=columns(
                "arm",
                axis_name(axis),
                "gap",
                "held against",
                "flag",
                *(axis_name(a) for a in axes),
                "seconds",
                numbers="tnntt" + "n" * 9,
            ),
            rows=tuple(
                Row(
                    cells=(
                        arm_name(evidence, spend.arm),
                        number(spend.mean, 1),
                        NONE
                        if spend.gap is None or spend.arm == spend.control
                        else f"{100 * spend.gap:+.1f} %".replace("-", "\N{MINUS SIGN}"),
                        NONE if spend.arm == spend.control else arm_name(evidence, spend.control),
                        "over 10 %" if spend.is_flagged else "",
                        *(number(_mean(findings, spend.arm, a), 4 if a == "cost_usd" else 1) for a in axes),
                        number(spend.seconds, 1),
                    ),
                    is_leading=spend.arm == evidence.leading,
                )
                for spend in findings.spends
            ),
        ),
    ]
    flagged = [spend for spend in findings.spends if spend.is_flagged]
    if flagged:
        names = listed([arm_name(evidence, spend.arm) for spend in flagged])
        blocks.append(
            Notice(
                kind="warning",
                text=f"Over 10 %: {names}. Compare them on the anytime curves, at equal spend.",
            )
        )
    return Section(name="spend", title="Realised spend", blocks=tuple(blocks))


def _mean(findings: Findings, arm: str, axis: Axis) -> float:

    spent = [spent_on(r, axis) for r in findings.evidence.results if r.spec.team.name == arm]
    return sum(spent) / len(spent)
