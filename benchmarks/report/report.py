"""From a study's folder to a report, and a report to files."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report.curves import make_curves
from benchmarks.report.document import Document
from benchmarks.report.evidence import Evidence, make_evidence
from benchmarks.report.findings import Findings, find
from benchmarks.report.markdown import FIGURES, pictures_of, to_markdown, to_svg
from benchmarks.report.page import to_html
from benchmarks.report.pictures import extra
from benchmarks.report.sections import (
    answer,
    anytime,
    audit,
    contrasts,
    design,
    factors,
    headline,
    limits,
    profiles,
    provenance,
    roles,
    selection,
    spend,
    tasks,
    teamwork,
)
from benchmarks.report.sources import read_sources
from benchmarks.report.tables import for_csv, frames
from benchmarks.report.teamwork import measure_teamwork
from benchmarks.studies.looks import read_looks, record_look
from engine.errors import OutputUnusable

if TYPE_CHECKING:
    from polars import DataFrame

PAGE = "report.html"
TEXT = "report.md"
TABLES = "tables"


@dataclass(frozen=True, kw_only=True)
class Report:
    """A report in memory.

    Attributes:
        document: what it says.
        findings: the figures behind it.
        frames: the tables as data, by name.
    """

    document: Document
    findings: Findings
    frames: dict[str, "DataFrame"]


def make_report(folder: Path) -> Report:
    """The report on a study's folder: the same record gives the same report.

    Where the study has a lock, the report is a look at its results and is put down as one, unless the last look saw as much.

    Raises:
        NoReport: it is no study, or nothing in it has ended.
        ExtraMissing: the extra ``study`` is not installed.
        RecordDamaged: a file of it cannot be read.
    """
    for module, distribution in (
        ("vl_convert", "vl-convert-python"),
        ("polars", "polars"),
        ("scipy", "scipy"),
    ):
        extra(module, distribution)
    evidence = make_evidence(read_sources(folder))
    _look(evidence)
    findings = find(evidence)
    curves = make_curves(evidence)
    shares, crossed = roles.section(findings), factors.section(findings)
    document = Document(
        title=_title(evidence),
        subtitle=_subtitle(evidence),
        sections=(
            answer.section(findings),
            design.section(evidence),
            headline.section(findings),
            contrasts.section(findings),
            *(() if crossed is None else (crossed,)),
            *(() if shares is None else (shares,)),
            tasks.section(findings),
            anytime.section(findings, curves),
            profiles.section(findings),
            spend.section(findings),
            selection.section(findings),
            teamwork.section(findings, measure_teamwork(evidence)),
            audit.section(findings),
            limits.section(evidence),
            provenance.section(evidence),
        ),
    )
    return Report(document=document, findings=findings, frames=frames(findings, curves))


def write_report(report: Report, out: Path) -> tuple[Path, ...]:
    """Write page, Markdown with its pictures, and tables.

    Args:
        report: made by `make_report`.
        out: a folder; files of an earlier report in it are replaced.

    Returns:
        Every file written, the page first.

    Raises:
        OutputUnusable: when it cannot be written.
    """
    files: dict[Path, bytes] = {
        out / PAGE: to_html(report.document).encode(),
        out / TEXT: to_markdown(report.document).encode(),
    }
    for panel in pictures_of(report.document):
        files[out / FIGURES / f"{panel.name}.svg"] = to_svg(panel).encode()
    for name, frame in report.frames.items():
        parquet = BytesIO()
        frame.write_parquet(parquet)
        files[out / TABLES / f"{name}.csv"] = for_csv(frame).encode()
        files[out / TABLES / f"{name}.parquet"] = parquet.getvalue()
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise OutputUnusable(
            f"cannot write in {out}: {error.strerror or error}; name another folder with --out"
        ) from error
    return tuple(files)


def _look(evidence: Evidence) -> None:
    if not evidence.is_locked:
        return
    for source in evidence.sources.each:
        looks = read_looks(source.folder)
        seen = (evidence.complete_blocks, evidence.blocks)
        if not looks or (looks[-1].complete_blocks, looks[-1].blocks) != seen:
            record_look(source.folder, by="report", complete_blocks=seen[0], blocks=seen[1])


def _title(evidence: Evidence) -> str:
    design = evidence.design
    if evidence.is_locked:
        return design.question or f"Study {design.name}"
    others = len(evidence.arms) - 1
    return (
        f"{evidence.leading} against {others} other {'arm' if others == 1 else 'arms'}"
        if others
        else evidence.leading
    )


def _subtitle(evidence: Evidence) -> str:
    runs = [run.began for source in evidence.sources.each for run in source.runs]
    when = (
        f"{min(runs)[:10]} to {max(runs)[:10]}"
        if runs and min(runs)[:10] != max(runs)[:10]
        else min(runs, default="")[:10]
    )
    name = f"study {evidence.design.name} · " if evidence.is_locked and evidence.design.question else ""
    tasks_ = name + ", ".join(evidence.tasks)
    return f"{tasks_} · protocol {evidence.design.protocol} · {len(evidence.runs)} episodes" + (
        f" · run {when}" if when else ""
    )
