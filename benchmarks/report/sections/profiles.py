"""Performance profiles, an arm a panel."""

import numpy as np

from benchmarks.report.charts import BLUE, GREY, Line, line_panel
from benchmarks.report.document import Block, Figure, Notice, Panel, Row, Section, Table, columns
from benchmarks.report.findings import Findings
from benchmarks.report.profiles import profile, profile_levels
from benchmarks.report.wording import arm_name, left_out, percent

_READ_AT = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)


def section(findings: Findings) -> Section:
    """Which share of runs reaches a score."""
    title = "Performance profiles"
    outcomes = findings.evidence.outcomes
    if outcomes is None:
        return Section(name="profiles", title=title, blocks=(Notice(text="No task has a fixed reference."),))
    evidence = findings.evidence
    levels = profile_levels(outcomes)
    shares = {arm: profile(outcomes, arm, levels) for arm in evidence.arms}
    lead = evidence.leading
    reference = arm_name(evidence, lead)
    same = [arm for arm in evidence.arms if arm != lead and np.array_equal(shares[arm], shares[lead])]
    shown = [arm for arm in evidence.arms if arm != lead and arm not in same] or [lead]

    def lines(arm: str) -> list[Line]:
        name = arm_name(evidence, arm)
        return [Line(float(x), float(y), None, None, name) for x, y in zip(levels, shares[arm], strict=True)]

    panels = tuple(
        Panel(
            name=f"profile-{place}",
            title=arm_name(evidence, arm),
            alt=f"Share of runs of {arm_name(evidence, arm)} that reach each normalised score, beside {reference}.",
            wide=line_panel(
                [*lines(lead), *(lines(arm) if arm != lead else ())],
                ((reference, GREY, (5, 3)), (arm_name(evidence, arm), BLUE, (1, 0)))
                if arm != lead
                else ((reference, BLUE, (1, 0)),),
                x_title="normalised score reached",
                y_title="share of runs",
                y_domain=(0.0, 1.0),
            ),
        )
        for place, arm in enumerate(shown, 1)
    )
    made: tuple[Block, ...] = (
        Figure(
            title="Performance profiles",
            caption=(
                "Share of runs that reach at least a normalised score, every task weighing the same. Solid: the "
                "arm that heads "
                f"the panel. Dashed: {reference}. A curve that lies above another everywhere is better at every "
                f"level.{left_out(evidence, same)}"
            ),
            panels=panels,
            table=_table(findings),
        ),
    )
    return Section(name="profiles", title=title, blocks=made)


def _table(findings: Findings) -> Table:
    evidence = findings.evidence
    outcomes = evidence.outcomes
    assert outcomes is not None
    levels = np.array(_READ_AT)
    return Table(
        caption="Share of runs that reach a normalised score.",
        columns=columns("arm", *(f"≥ {level:g}" for level in _READ_AT), numbers="t" + "n" * len(_READ_AT)),
        rows=tuple(
            Row(
                cells=(
                    arm_name(evidence, arm),
                    *(percent(float(share)) for share in profile(outcomes, arm, levels)),
                ),
                is_leading=arm == evidence.leading,
            )
            for arm in evidence.arms
        ),
    )
