"""How well teams chose: what the best feedback score promised and the final held, and reviews beside work run anyway."""

from benchmarks.measures.audit import Audit, read_audit
from benchmarks.report.document import Block, Notice, Paragraph, Row, Section, Table, columns
from benchmarks.report.evidence import Evidence
from benchmarks.report.findings import Findings
from benchmarks.report.wording import NONE, arm_name, number, percent, with_interval
from benchmarks.statistics.best_of import Optimism, selection_optimism
from benchmarks.statistics.from_results import optimism_of_results
from tasks.registry import open_task


def section(findings: Findings) -> Section:
    """Selection, arm by arm."""
    evidence = findings.evidence
    blocks: list[Block] = [
        Paragraph(
            text=(
                "A team sees noisy feedback and hands in what it trusts. The best single feedback score of "
                "a run promises more "
                "than the same artefact holds in the final (the winner's curse); where handing it in would "
                "have been better than "
                "the team's own choice, something was forgone."
            )
        )
    ]
    told = [(arm, found) for arm in evidence.arms if (found := _optimism(evidence, arm)) is not None]
    blocks.append(
        _optimisms(evidence, told)
        if told
        else Notice(
            text="No arm has feedback scores on a task with a reference, so that nothing can be said."
        )
    )
    audits = [audit for source in evidence.sources.each if (audit := read_audit(source.folder)) is not None]
    blocks += [_reviews(evidence, audit) for audit in audits]
    if not audits and any(_reviewed(evidence, arm) for arm in evidence.arms):
        blocks.append(
            Notice(
                text=(
                    "Whether rejected work was really worse is not known: none of it was run. "
                    "`python -m benchmarks.measures.audit DIR` runs a sample, off-budget and unseen by any "
                    "team, and the next "
                    "report shows what came of it."
                )
            )
        )
    return Section(name="selection", title="How well teams chose", blocks=tuple(blocks))


def _reviewed(evidence: Evidence, arm: str) -> bool:
    return any(function == "review" for member in evidence.team(arm).members for function in member.functions)


def _optimism(evidence: Evidence, arm: str) -> Optimism | None:
    """Of an arm, over the tasks that enter means; None where no feedback is recorded there."""
    tasks = set(evidence.headline_tasks)
    results = [r for r in evidence.results if r.spec.team.name == arm and r.spec.task in tasks and r.feedback]
    if not results or any(evidence.scales[task].reference is None for task in tasks):
        return None
    cards = {task: open_task(task).card for task in tasks}
    best, its_final, handed_in = optimism_of_results(results, cards, arm)
    return selection_optimism(arm, best_feedback=best, its_final=its_final, handed_in=handed_in)


def _optimisms(evidence: Evidence, told: list[tuple[str, Optimism]]) -> Table:
    return Table(
        caption="Selection optimism on the normalised scale, mean over tasks of the mean over blocks.",
        columns=columns(
            "arm",
            "best feedback less its own final",
            "that final less what was handed in",
            "blocks a task",
            numbers="tnnn",
        ),
        rows=tuple(
            Row(
                cells=(
                    arm_name(evidence, arm),
                    with_interval(found.promised, plus=True),
                    NONE if found.forgone is None else with_interval(found.forgone, plus=True),
                    str(found.promised.blocks),
                ),
                is_leading=arm == evidence.leading,
            )
            for arm, found in told
        ),
        note=(
            "First column above 0: feedback promised too much. Second column above 0: the single best "
            "feedback score would have "
            "chosen better than the team; below 0: the team was right not to trust it. 95 % intervals, "
            "Student's t over blocks."
        ),
    )


def _reviews(evidence: Evidence, audit: Audit) -> Table:
    return Table(
        caption="Reviews beside final scores that no team saw.",
        columns=columns(
            "task",
            "arm",
            "episodes",
            "accepted",
            "rejected, audited",
            "precision",
            "recall",
            "specificity",
            "gain of rejected",
            numbers="ttnnnnnnn",
        ),
        rows=tuple(
            Row(
                cells=(
                    each.task,
                    arm_name(evidence, each.arm),
                    str(each.episodes),
                    str(each.quality.accepted),
                    f"{each.quality.rejected} of {each.quality.rejected_in_all:.0f}",
                    percent(each.quality.precision),
                    percent(each.quality.recall),
                    percent(each.quality.specificity),
                    number(each.quality.rejected_gain, 3),
                ),
                is_leading=each.arm == evidence.leading,
            )
            for each in audit.arms
        ),
        note=(
            f"All accepted work and {percent(audit.fraction)} of what was rejected, run anyway on the "
            "final split and weighted by the "
            "chance of being drawn. Precision: of accepted work, the share better than what stood. "
            "Recall: of better work, the share "
            "accepted. Specificity: of work that was no better, the share rejected. Gain of rejected: on the task's metric."
        ),
    )
