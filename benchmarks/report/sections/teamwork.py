"""Messages between roles, agreement of reviews with evidence, calibration of predictions, who made what was handed in."""

from collections.abc import Sequence
from typing import Final

from benchmarks.report.charts import heat_panel
from benchmarks.report.document import Block, Figure, Notice, Panel, Paragraph, Row, Section, Table, columns
from benchmarks.report.findings import Findings
from benchmarks.report.teamwork import JOURNALS_AT_MOST, Teamwork, Teamworks
from benchmarks.report.wording import NONE, arm_name, listed, number, percent

_SHARE: Final = "selected_messages_"


def section(findings: Findings, teamworks: Teamworks) -> Section:
    """How the teams worked; effects on scores are elsewhere."""
    title = "How the teams worked"
    blocks: list[Block] = []
    if teamworks.unread:
        blocks.append(
            Notice(
                kind="warning", text=f"{teamworks.unread} journals could not be read, and are left out here."
            )
        )
    told = teamworks.each
    if not told:
        blocks.append(
            Notice(text="There are no journals in this folder, so that nothing is known of messages.")
        )
        return Section(name="teamwork", title=title, blocks=tuple(blocks))
    blocks += [
        Paragraph(
            text=(
                f"Measured from the journals alone, of at most {JOURNALS_AT_MOST} episodes an arm and task. These are "
                "descriptions: arms differ in them by design, and none of them is a finding about scores."
            )
        ),
        _flow(findings, told),
        _measures(findings, told),
        _predictions(findings, told),
    ]
    if any(name.startswith(_SHARE) for each in told for name in each.values):
        blocks.append(_provenance(findings, told))
    return Section(name="teamwork", title=title, blocks=tuple(blocks))


def _flow(findings: Findings, told: Sequence[Teamwork]) -> Figure:
    """A square an arm; arms with the same flow share one."""
    evidence = findings.evidence
    shown: dict[tuple[tuple[str, str, float], ...], list[Teamwork]] = {}
    for each in told:
        cells = tuple((sender, receiver, round(n, 1)) for (sender, receiver), n in each.flow.items())
        shown.setdefault(cells, []).append(each)
    panels: list[Panel] = []
    silent: list[str] = []
    for cells, teams in shown.items():
        names = listed([arm_name(evidence, each.arm) for each in teams])
        if not cells:
            silent.append(names)
            continue
        said = "; ".join(f"{sender} to {receiver} {number(value, 1)}" for sender, receiver, value in cells)
        panels.append(
            Panel(
                name=f"messages-{len(panels) + 1}",
                title=names,
                alt=f"Messages an episode in {names}: {said}.",
                wide=heat_panel(cells, teams[0].roles),
            )
        )
    alone = f" Nobody addresses anybody in {listed(silent)}." if silent else ""
    return Figure(
        title="Message flow",
        caption=(
            "Messages an episode, from the role of the row to that of the column: addressed to it, or taken by it from a "
            f"queue. Copies that are published to all are not counted.{alone}"
        ),
        panels=tuple(panels),
    )


def _measures(findings: Findings, told: Sequence[Teamwork]) -> Table:
    names = (
        ("messages", "messages", 1),
        ("density_with_copies", "density", 2),
        ("causal_depth", "causal depth", 1),
        ("parallelism", "parallelism", 2),
        ("family_entropy_bits", "family entropy, bits", 2),
        ("experimenter_busy_share", "experimenter busy", 2),
        ("verdict_with_evidence", "verdicts with evidence", 2),
        ("verdict_kappa", "kappa", 2),
        ("verdict_with_later_evidence", "with later evidence", 2),
        ("conformity_rate", "conformity", 2),
    )
    kept = [each for each in names if any(team.values.get(each[0]) is not None for team in told)]
    return Table(
        caption="Measures of an episode, means over the episodes in which they are defined.",
        columns=columns(
            "arm", *(name for _, name, _ in kept), "episodes", numbers="t" + "n" * (len(kept) + 1)
        ),
        rows=tuple(
            Row(
                cells=(
                    arm_name(findings.evidence, each.arm),
                    *(number(each.values.get(key), places) for key, _, places in kept),
                    str(each.episodes),
                ),
                is_leading=each.arm == findings.evidence.leading,
            )
            for each in told
        ),
        note=(
            "Density: share of ordered pairs of members between which a message went, copies included. Verdicts "
            "with evidence: "
            "share of reviews that accept exactly what had the better mean then; kappa corrects it for chance; with later "
            "evidence: the same with all feedback of the episode. Whether rejected work was really worse is only "
            "known where "
            "it was run anyway."
        ),
    )


def _predictions(findings: Findings, told: Sequence[Teamwork]) -> Table:
    return Table(
        caption="Calibration: what hypotheses predicted beside the feedback that was measured, on the normalised scale.",
        columns=columns(
            "arm",
            "predictions",
            "bias",
            "root mean square",
            "inside 95 %",
            "rank correlation",
            "never measured",
            numbers="tnnnnnn",
        ),
        rows=tuple(
            Row(
                cells=(
                    arm_name(findings.evidence, each.arm),
                    str(len(each.calibration.forecasts)),
                    number(each.calibration.bias, 2),
                    number(each.calibration.rmse, 2),
                    NONE if each.calibration.coverage is None else percent(each.calibration.coverage),
                    number(each.calibration.correlation, 2),
                    str(each.calibration.unmeasured),
                ),
                is_leading=each.arm == findings.evidence.leading,
            )
            for each in told
        ),
        note=(
            "Bias: measured less predicted; below 0, hopes were too high. Inside 95 %: share of predictions within "
            "the interval "
            "of what was measured. Rank correlation: whether predictions order ideas at all."
        ),
    )


def _provenance(findings: Findings, told: Sequence[Teamwork]) -> Table:
    roles = sorted({name for each in told for name in each.values if name.startswith(_SHARE)})
    return Table(
        caption="Who had a hand in what was handed in: share of the messages on its ancestry, by role of the sender.",
        columns=columns(
            "arm",
            *(name.removeprefix(_SHARE) for name in roles),
            "generations",
            numbers="t" + "n" * (len(roles) + 1),
        ),
        rows=tuple(
            Row(
                cells=(
                    arm_name(findings.evidence, each.arm),
                    *(
                        percent(share) if (share := each.values.get(name)) is not None else NONE
                        for name in roles
                    ),
                    number(each.values.get("generations"), 1),
                ),
                is_leading=each.arm == findings.evidence.leading,
            )
            for each in told
        ),
    )
