"""Under which limits and with what isolation the study ran, run by run."""

from benchmarks.report.document import Block, Notice, Paragraph, Row, Section, Table, columns
from benchmarks.report.evidence import Evidence
from benchmarks.report.wording import listed
from benchmarks.studies.study import RunRecord


def section(evidence: Evidence) -> Section:
    """Effective limits and isolation."""
    title = "Effective limits and isolation"
    runs = [
        (source.folder.name if len(evidence.sources.each) > 1 else "", number, run)
        for source in evidence.sources.each
        for number, run in enumerate(source.runs, 1)
    ]
    if not runs:
        return Section(
            name="limits",
            title=title,
            blocks=(Notice(text="The record does not say: study.json is missing."),),
        )
    blocks: list[Block] = [
        Paragraph(
            text=(
                "Limits change how soon figures come, never which. Isolation was tested by real attacks when each "
                "run began."
            )
        ),
        Table(
            caption="Runs of the study.",
            columns=columns(
                "run",
                "began (UTC)",
                "limits in force",
                "workspace",
                "isolation enforced",
                "not enforced",
                "memory, CPU, disk",
                "let down",
            ),
            rows=tuple(Row(cells=_cells(name, number, run)) for name, number, run in runs),
        ),
    ]
    missing = sorted({name for _, _, run in runs for name in run.isolation.missing})
    if missing:
        blocks.append(
            Notice(
                kind="warning",
                text=(
                    f"Code ran without {listed(missing)} isolation in at least one run. That is fit for code that no model "
                    "wrote, and for nothing else."
                ),
            )
        )
    return Section(name="limits", title=title, blocks=tuple(blocks))


def _cells(name: str, number: int, run: RunRecord) -> tuple[str, ...]:
    isolation = run.isolation
    return (
        f"{name} {number}".strip(),
        run.began,
        ", ".join(f"{limit.name} {limit.value} ({limit.origin})" for limit in run.limits),
        run.workspace + (f" (fallback: {run.fallback})" if run.fallback else ""),
        ", ".join(fact.name for fact in isolation.facts if fact.enforced) or "nothing",
        ", ".join(isolation.missing) or "nothing",
        f"{isolation.memory}, {isolation.cpu}, {isolation.disk}",
        str(len(run.failed)),
    )
