"""What the scorer found, artefacts that earned no score, and how often the outside let the study down."""

from collections import Counter
from collections.abc import Iterable

from benchmarks.report.document import Block, Listing, Paragraph, Row, Section, Table, columns
from benchmarks.report.findings import Findings
from benchmarks.report.wording import arm_name
from engine.episode import EpisodeResult
from engine.task import Finding, Score

_MOST = 40
"""Rows of a list of findings; the tables beside the report have all."""


def section(findings: Findings) -> Section:
    """The audit."""
    blocks: list[Block] = [
        Paragraph(
            text=(
                "Findings are what the scorer saw cross, or try to cross, its boundary. Those in source text are "
                "advisory: they "
                "prove nothing. Texts below are quoted from code that agents wrote; special characters are written out."
            )
        ),
        _by_arm(findings),
    ]
    found = list(_findings(findings))
    if found:
        blocks.append(_found(findings, found))
    invalid = [r for r in findings.evidence.results if r.final.value is None]
    if invalid:
        blocks.append(_invalid(findings, invalid))
    failed = findings.evidence.sources.failed
    if failed:
        blocks += [
            Paragraph(
                text="Episodes that the outside let down in the last run, not scored and not counted as failures:"
            ),
            Listing(items=tuple(f"{name}: {reason}" for name, reason in list(failed.items())[:_MOST])),
        ]
    return Section(name="audit", title="Audit", blocks=tuple(blocks))


def _by_arm(findings: Findings) -> Table:
    evidence = findings.evidence
    let_down: Counter[str] = Counter()
    arms = {spec.id: spec.team.name for spec in evidence.sources.planned}
    for source in evidence.sources.each:
        for run in source.runs:
            let_down.update(arms.get(name, "") for name in run.failed)
    rows: list[Row] = []
    for arm in evidence.arms:
        results = [r for r in evidence.results if r.spec.team.name == arm]
        outcomes = Counter(r.outcome for r in results)
        final = [f for r in results for f in r.final.findings]
        on_the_way = sum(
            not f.advisory
            for r in results
            for score in (r.held_out, r.best_feedback_final)
            if score is not None
            for f in score.findings
        )
        rows.append(
            Row(
                cells=(
                    arm_name(evidence, arm),
                    ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items())),
                    str(sum(r.final.value is None for r in results)),
                    str(sum(any(not f.advisory for f in r.final.findings) for r in results)),
                    str(on_the_way),
                    str(sum(f.advisory for f in final)),
                    str(sum(each.value is None for r in results for each in r.feedback)),
                    str(sum(not r.deterministic for r in results)),
                    str(let_down[arm]),
                ),
                is_leading=arm == evidence.leading,
            )
        )
    return Table(
        caption="Audit by arm, in episodes unless it says otherwise.",
        columns=columns(
            "arm",
            "how they ended",
            "no score",
            "findings: final",
            "elsewhere",
            "advisory",
            "feedback failed",
            "not deterministic",
            "let down",
            numbers="ttnnnnnnn",
        ),
        rows=tuple(rows),
        note=(
            "Findings: episodes whose final shows one; elsewhere: findings at the held-out final and at that of the "
            "best feedback. Feedback failed: evaluations without a score. Let down: infrastructure failures over "
            "all runs of the study, those too that a later run made good."
        ),
    )


def _findings(findings: Findings) -> Iterable[tuple[EpisodeResult, str, Finding]]:
    for result in findings.evidence.results:
        scores: tuple[tuple[str, Score | None], ...] = (
            ("final", result.final),
            ("held-out", result.held_out),
        )
        for split, score in scores:
            if score is not None:
                yield from ((result, split, finding) for finding in score.findings if not finding.advisory)


def _found(findings: Findings, found: list[tuple[EpisodeResult, str, Finding]]) -> Table:
    counts = Counter((r.spec.task, r.spec.team.name, split, f.kind, f.detail) for r, split, f in found)
    shown = list(counts.items())[:_MOST]
    return Table(
        caption=f"Findings on what was handed in{_of(len(counts))}.",
        columns=columns("task", "arm", "split", "kind", "what was seen", "times", numbers="tttttn"),
        rows=tuple(
            Row(cells=(task, arm_name(findings.evidence, arm), split, kind, detail, str(count)))
            for (task, arm, split, kind, detail), count in shown
        ),
    )


def _invalid(findings: Findings, invalid: list[EpisodeResult]) -> Table:
    return Table(
        caption=f"Artefacts that were handed in and earned no score{_of(len(invalid))}.",
        columns=columns("episode", "arm", "ended by", "why there is no score", numbers="tttt"),
        rows=tuple(
            Row(
                cells=(
                    r.episode,
                    arm_name(findings.evidence, r.spec.team.name),
                    r.outcome,
                    r.final.failure or r.reason or "not said",
                )
            )
            for r in invalid[:_MOST]
        ),
    )


def _of(count: int) -> str:
    return f": the first {_MOST} of {count}" if count > _MOST else ""
